"""ICC profiles: what one does counts, in every mode, before alpha; what it is called does not."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image, ImageCms

from configs.pictures import Limits, decode
from tests.configs.decoding.profiles import ADOBE, LINEAR, gamma, gray_profile, rgb_profile
from tests.configs.decoding.tiff_bytes import BLACK_IS_ZERO, RGB, tiff
from tests.pipeline.hostile import encode

LIMITS = Limits()
GIMP_LINEAR = rgb_profile("GIMP built-in Linear sRGB", LINEAR)
COLOR, MEANT = (128, 64, 200), (188, 137, 229)
"""A color in linear light, and the same in sRGB: 255 * (1.055 * (v / 255) ** (1 / 2.4) - 0.055)."""


def near(pixel: np.ndarray, color: tuple[int, ...], within: int = 1) -> bool:
    return bool(np.abs(pixel.astype(int) - np.array(color)).max() <= within)


@pytest.mark.parametrize("form", ["PNG", "TIFF", "WEBP", "AVIF", "JPEG"])
def test_a_linear_profile_called_srgb_is_applied(form: str) -> None:
    options = {"lossless": True} if form == "WEBP" else {"quality": 100, "subsampling": "4:4:4"}
    data = encode(Image.new("RGB", (16, 16), COLOR), form, icc_profile=GIMP_LINEAR, **options)
    assert near(decode(data, LIMITS)[8, 8], MEANT, 1 if form in ("PNG", "TIFF", "WEBP") else 3)


@pytest.mark.parametrize("mode", ["P", "RGBA"])
def test_in_every_mode_of_color(mode: str) -> None:
    image = Image.new("RGB", (4, 4), COLOR)
    image = image.quantize(2) if mode == "P" else image.convert(mode)
    assert near(decode(encode(image, "PNG", icc_profile=GIMP_LINEAR), LIMITS)[1, 1], MEANT)


def test_before_alpha() -> None:
    image = Image.new("RGBA", (4, 4), (*COLOR, 128))
    over_white = tuple(round(v * 128 / 255 + 127) for v in MEANT)
    assert near(decode(encode(image, "PNG", icc_profile=GIMP_LINEAR), LIMITS)[1, 1], over_white)
    premultiplied = np.array([[[*(round(v * 128 / 255) for v in COLOR), 128]]])
    data = tiff(premultiplied, RGB, 8, tags={338: 1, 34675: GIMP_LINEAR})
    assert near(decode(data, LIMITS)[0, 0], over_white, 2)


def test_a_gray_profile_applies_to_gray_with_and_without_alpha() -> None:
    linear = gray_profile("Linear gray", LINEAR)
    for mode in ("L", "LA", "1"):
        image = Image.new("L", (4, 4), 255 if mode == "1" else 64).convert(mode)
        expected = 255 if mode == "1" else 137
        assert near(decode(encode(image, "PNG", icc_profile=linear), LIMITS)[1, 1], (expected,) * 3), mode
    data = tiff(np.full((2, 2, 1), 64), BLACK_IS_ZERO, 8, tags={34675: linear})
    assert near(decode(data, LIMITS)[1, 1], (137,) * 3)


def test_a_profile_of_colors_applies_to_gray() -> None:
    data = encode(Image.new("L", (4, 4), 64), "PNG", icc_profile=GIMP_LINEAR)
    assert near(decode(data, LIMITS)[1, 1], (137,) * 3)


def test_a_profile_of_other_channels_is_ignored() -> None:
    gray = gray_profile("Linear gray", LINEAR)
    for image in (Image.new("RGB", (4, 4), COLOR), Image.new("RGB", (4, 4), COLOR).quantize(2)):
        assert near(decode(encode(image, "PNG", icc_profile=gray), LIMITS)[1, 1], COLOR)
    assert (decode(encode(Image.new("L", (4, 4), 9), "PNG", icc_profile=b"x" * 200), LIMITS) == 9).all()


def test_adobe_rgb_becomes_srgb() -> None:
    data = encode(Image.new("RGB", (4, 4), (100, 150, 100)), "PNG", icc_profile=rgb_profile("A", gamma(2.2), ADOBE))
    light = (np.array([100, 150, 100]) / 255) ** (563 / 256) @ np.array(ADOBE)  # as XYZ at D50
    matrix = np.array([[3.1339, -1.6169, -0.4906], [-0.9788, 1.9161, 0.0335], [0.0719, -0.2290, 1.4052]])
    expected = 255 * (1.055 * (matrix @ light).clip(0, 1) ** (1 / 2.4) - 0.055)
    assert near(decode(data, LIMITS)[1, 1], tuple(expected.round().astype(int)), 2)


def test_what_acts_as_srgb_leaves_every_pixel_alone() -> None:
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (64, 64, 3), dtype=np.uint8)
    points = [round(65535 * (i / 1023 / 12.92 if i / 1023 <= 0.04045 else ((i / 1023 + 0.055) / 1.055) ** 2.4))
              for i in range(1024)]  # fmt: skip
    curve = b"curv" + np.array([0, 1024], ">u4").tobytes() + np.array(points, ">u2").tobytes()
    for profile in (ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(), rgb_profile("other", curve)):
        assert np.array_equal(decode(encode(Image.fromarray(pixels), "PNG", icc_profile=profile), LIMITS), pixels)


def test_gamma_two_point_two_is_not_srgb() -> None:
    data = encode(Image.new("RGB", (4, 4), (20, 20, 20)), "PNG", icc_profile=rgb_profile("sRGB", gamma(2.2)))
    assert near(decode(data, LIMITS)[1, 1], (12, 12, 12), 1)


def test_inks_go_through_their_profile() -> None:
    """LittleCMS makes no CMYK profile, and none lies here: one is built of a table of 2 x 2 x 2 x 2 corners."""
    data = encode(Image.new("CMYK", (16, 16), (0, 255, 255, 0)), "JPEG", quality=95, icc_profile=cmyk_profile())
    assert near(decode(data, LIMITS)[8, 8], (119, 119, 119), 6)  # L* 50


def cmyk_profile() -> bytes:
    """A printer profile by which paper is white, all inks together are black, and any others are L* 50."""
    from tests.configs.decoding import profiles

    corners = b"".join(bytes(({0: 255, 15: 0}.get(i, 128), 128, 128)) for i in range(16))
    ramp = bytes(range(256))
    table = b"mft1" + b"\0" * 4 + bytes((4, 3, 2, 0))
    table += np.array([65536, 0, 0, 0, 65536, 0, 0, 0, 65536], ">i4").tobytes() + ramp * 4 + corners + ramp * 3
    whole = bytearray(profiles._profile(b"CMYK", {b"desc": profiles._text("c"), b"A2B0": table}))
    whole[12:16], whole[20:24] = b"prtr", b"Lab "
    return bytes(whole)


def test_a_profile_in_the_header_of_a_jpeg_2000_counts() -> None:
    data = encode(Image.new("RGB", (32, 32), COLOR), "JPEG2000")
    colr = data.index(b"colr") - 4
    length = int.from_bytes(data[colr : colr + 4], "big")
    box = b"\0\0\0\0colr\2\0\0" + GIMP_LINEAR
    box = len(box).to_bytes(4, "big") + box[4:]
    header = data.index(b"jp2h") - 4
    size = int.from_bytes(data[header : header + 4], "big") + len(box) - length
    changed = data[:header] + size.to_bytes(4, "big") + data[header + 4 : colr] + box + data[colr + length :]
    assert Image.open(io.BytesIO(changed)).size == (32, 32)
    assert near(decode(changed, LIMITS)[8, 8], MEANT)
