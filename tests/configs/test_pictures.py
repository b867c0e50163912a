"""Bytes to pixels: every kind of picture comes out upright and in the right colors, every broken one as DecodeError."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from configs.pictures import PILLOW_CEILING, DecodeError, Limits, decode, probe, small
from tests.pipeline.hostile import Broken, Readable, animation, build, encode, picture, png_bomb, sixteen_bit

LIMITS = Limits()
RED, BLUE, GREEN, YELLOW = (250, 10, 10), (10, 10, 250), (10, 250, 10), (250, 250, 10)


def quarters(width: int = 60, height: int = 40) -> Image.Image:
    """Red top left, blue top right, green bottom left, yellow bottom right."""
    image = Image.new("RGB", (width, height), RED)
    image.paste(BLUE, (width // 2, 0, width, height))
    image.paste(GREEN, (0, height // 2, width // 2, height))
    image.paste(YELLOW, (width // 2, height // 2, width, height))
    return image


def close(pixel: np.ndarray, color: tuple[int, ...], within: int = 12) -> bool:
    return bool(np.abs(pixel.astype(int) - np.array(color)).max() <= within)


def test_every_file_of_the_hostile_folder_is_a_picture_or_a_decode_error(tmp_path: Path) -> None:
    expected = build(tmp_path / "in")
    for name, expectation in expected.items():
        path = bytes(tmp_path / "in") + b"/" + name
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError:
            assert isinstance(expectation, Broken)
            continue
        if isinstance(expectation, Broken):
            with pytest.raises(DecodeError):
                decode(data, LIMITS)
            continue
        header = probe(data, LIMITS)
        found = Readable(header.width, header.height, header.orientation)
        assert (name, found) == (name, expectation)
        assert decode(data, LIMITS).shape == (expectation.height, expectation.width, 3)


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF", "AVIF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_turns_the_picture_upright(form: str, orientation: int) -> None:
    inverse = {5: 5, 6: 8, 7: 7, 8: 6}.get(orientation, orientation)
    turns = [None, None, *(Image.Transpose[n] for n in ("FLIP_LEFT_RIGHT", "ROTATE_180", "FLIP_TOP_BOTTOM"))]
    turns += [Image.Transpose[n] for n in ("TRANSPOSE", "ROTATE_270", "TRANSVERSE", "ROTATE_90")]
    turn = turns[inverse]
    stored = quarters().transpose(turn) if turn is not None else quarters()
    exif = Image.Exif()
    exif[0x0112] = orientation
    data = encode(stored, form, exif=exif)
    pixels = decode(data, LIMITS)
    header = probe(data, LIMITS)
    assert (header.width, header.height, header.orientation, header.format) == (60, 40, orientation, form)
    assert pixels.shape == (40, 60, 3)
    corners = [pixels[5, 5], pixels[5, -5], pixels[-5, 5], pixels[-5, -5]]
    assert all(close(p, c, 40) for p, c in zip(corners, (RED, BLUE, GREEN, YELLOW), strict=True))


@pytest.mark.parametrize("value", [0, 9, 77, 65535])
def test_an_orientation_that_does_not_exist_is_none(value: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = value
    assert probe(encode(quarters(), "JPEG", exif=exif), LIMITS).orientation == 1


def test_broken_exif_costs_the_orientation_and_not_the_picture() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = encode(quarters(), "JPEG", exif=exif)
    broken = data.replace(b"Exif\0\0MM\0*", b"Exif\0\0ZZ\0*").replace(b"Exif\0\0II*\0", b"Exif\0\0ZZ*\0")
    assert broken != data
    assert probe(broken, LIMITS).orientation == 1
    assert decode(broken, LIMITS).shape == (40, 60, 3)


def test_exif_behind_the_pixels_of_a_png_counts() -> None:
    exif = Image.Exif()
    exif[0x0112] = 8
    body = exif.tobytes()[6:]
    chunk = struct.pack(">I", len(body)) + b"eXIf" + body + struct.pack(">I", zlib.crc32(b"eXIf" + body))
    plain = encode(quarters(), "PNG")
    data = plain[:-12] + chunk + plain[-12:]
    header = probe(data, LIMITS)
    assert (header.orientation, header.width, header.height) == (8, 40, 60)
    assert decode(data, LIMITS).shape == (60, 40, 3)


def test_sixteen_bits_are_scaled_and_not_clipped() -> None:
    pixels = decode(encode(sixteen_bit(64, 64), "PNG"), LIMITS)
    ramp = np.linspace(0, 65535, 64 * 64).reshape(64, 64)
    assert np.abs(pixels[..., 0] - ramp / 257).max() <= 1
    assert (pixels[..., 0] == pixels[..., 2]).all()


@pytest.mark.parametrize(("low", "high"), [(0.0, 1.0), (-3.0, 900.0)])
def test_float_samples_span_the_range(low: float, high: float) -> None:
    ramp = np.linspace(low, high, 32 * 32, dtype=np.float32).reshape(32, 32)
    pixels = decode(encode(Image.fromarray(ramp), "TIFF"), LIMITS)[..., 1]
    assert (pixels[0, 0], pixels[-1, -1]) == (0, 255)
    assert np.abs(np.diff(pixels.reshape(-1).astype(int))).max() <= 1


def test_floats_that_are_no_numbers_become_black() -> None:
    values = np.full((8, 8), 0.5, dtype=np.float32)
    values[0] = np.nan
    values[1] = np.inf
    pixels = decode(encode(Image.fromarray(values), "TIFF"), LIMITS)[..., 0]
    assert pixels[:2].max() == 0
    assert pixels[2:].min() == pixels[2:].max() == 128


@pytest.mark.parametrize("mode", ["RGBA", "LA", "PA"])
def test_alpha_lies_on_white(mode: str) -> None:
    image = Image.new("RGBA", (20, 20), (0, 0, 0, 0))
    image.paste((0, 0, 0, 255), (10, 0, 20, 10))
    image.paste((0, 0, 0, 128), (0, 10, 10, 20))
    form = "TIFF" if mode == "PA" else "PNG"
    pixels = decode(encode(image.convert(mode), form), LIMITS)
    assert close(pixels[5, 5], (255, 255, 255), 0)
    assert close(pixels[5, 15], (0, 0, 0), 0)
    if mode != "PA":
        assert close(pixels[15, 5], (127, 127, 127), 1)


@pytest.mark.parametrize("mode", ["P", "L", "1", "RGB"])
def test_the_transparent_color_of_a_png_is_white(mode: str) -> None:
    image = Image.new("RGB", (20, 20), (0, 0, 0))
    image.paste((255, 0, 0) if mode in ("P", "RGB") else (255, 255, 255), (10, 0, 20, 20))
    if mode == "P":
        image = image.quantize(2)
        black = image.getpixel((2, 2))
    else:
        image = image.convert(mode)
        black = (0, 0, 0) if mode == "RGB" else 0
    pixels = decode(encode(image, "PNG", transparency=black), LIMITS)
    assert close(pixels[5, 5], (255, 255, 255), 0)
    assert close(pixels[5, 15], (255, 0, 0) if mode in ("P", "RGB") else (255, 255, 255), 0)


@pytest.mark.parametrize("mode", ["1", "L", "P", "CMYK", "YCbCr", "LAB", "I;16"])
def test_modes_keep_their_brightness(mode: str) -> None:
    gray = Image.new("RGB", (24, 24), (255, 255, 255))
    gray.paste((0, 0, 0), (0, 0, 12, 24))
    if mode == "LAB":
        values = np.zeros((24, 24, 3), dtype=np.uint8)
        values[:, 12:, 0] = 255
        image = Image.frombytes("LAB", (24, 24), values.tobytes())
    elif mode == "I;16":
        image = Image.fromarray(np.asarray(gray.convert("L")).astype(np.uint16) * 257)
    else:
        image = gray.convert(mode)
    pixels = decode(encode(image, "TIFF"), LIMITS)
    assert close(pixels[12, 3], (0, 0, 0), 3)
    assert close(pixels[12, 20], (255, 255, 255), 3)


def test_cmyk_jpeg_with_and_without_adobes_marker_has_its_colors() -> None:
    marked = encode(Image.new("CMYK", (32, 32), (0, 255, 255, 0)), "JPEG", quality=95)  # red
    start = marked.index(b"\xff\xee\x00\x0eAdobe")
    for data in (marked, marked[:start] + marked[start + 16 :]):  # both store the inks inverted, as Photoshop does
        assert probe(data, LIMITS).format == "JPEG"
        assert close(decode(data, LIMITS)[16, 16], (255, 0, 0))


@pytest.mark.parametrize("form", ["GIF", "WEBP", "PNG"])
def test_an_animation_gives_its_first_frame(form: str) -> None:
    data = animation(64, 48, form)
    first = np.asarray(picture(64, 48, seed=20), dtype=int)
    third = np.asarray(picture(64, 48, seed=22), dtype=int)
    pixels = decode(data, LIMITS).astype(int)
    assert np.abs(pixels - first).mean() < 12 < np.abs(pixels - third).mean()


def test_a_first_frame_smaller_than_its_canvas_keeps_its_place() -> None:
    gif = bytearray(encode(Image.new("P", (10, 10), 0), "GIF"))
    struct.pack_into("<HH", gif, 6, 30, 20)  # the logical screen
    descriptor = gif.index(b",", 13)
    struct.pack_into("<HH", gif, descriptor + 1, 15, 5)  # left, top
    assert decode(bytes(gif), LIMITS).shape == (20, 30, 3)


def profile_with_swapped_primaries() -> bytes:
    """A valid RGB profile whose red and blue primaries are exchanged: a missed conversion is plain to see."""
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    count = struct.unpack_from(">I", profile, 128)[0]
    tags = bytearray(profile)
    places = {bytes(tags[132 + 12 * i : 136 + 12 * i]): 132 + 12 * i for i in range(count)}
    tags[places[b"rXYZ"] : places[b"rXYZ"] + 4] = b"bXYZ"
    tags[places[b"bXYZ"] : places[b"bXYZ"] + 4] = b"rXYZ"
    name = profile.index("sRGB".encode("utf-16-be"))
    tags[name : name + 8] = "xxxx".encode("utf-16-be")
    return bytes(tags)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_an_embedded_profile_is_applied(mode: str) -> None:
    red = Image.new("RGB", (16, 16), (255, 0, 0)).convert(mode)
    pixels = decode(encode(red, "PNG", icc_profile=profile_with_swapped_primaries()), LIMITS)
    assert close(pixels[8, 8], (0, 0, 255))


@pytest.mark.parametrize("profile", [b"no profile", b"\0" * 200, profile_with_swapped_primaries()[:200]])
def test_a_broken_profile_is_ignored(profile: bytes) -> None:
    data = encode(Image.new("RGB", (16, 16), (200, 30, 10)), "PNG", icc_profile=profile)
    assert close(decode(data, LIMITS)[8, 8], (200, 30, 10), 0)


def test_srgb_pixels_are_untouched() -> None:
    image = picture(40, 30, seed=1)
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    assert (decode(encode(image, "PNG", icc_profile=srgb), LIMITS) == np.asarray(image)).all()


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "JPEG2000"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_file_cut_short_is_an_error(form: str, share: float) -> None:
    data = encode(picture(120, 100, seed=6), form)
    with pytest.raises(DecodeError):
        decode(data[: int(len(data) * share)], LIMITS)


def test_limits_are_held_before_any_pixel_is_decoded() -> None:
    with pytest.raises(DecodeError, match="pixels"):
        probe(png_bomb(30_000), LIMITS)
    data = encode(picture(300, 200, seed=7), "PNG")
    for limits in (Limits(max_pixels=59_999), Limits(max_edge=299), Limits(max_bytes=len(data) - 1)):
        with pytest.raises(DecodeError):
            probe(data, limits)
        with pytest.raises(DecodeError):
            decode(data, limits)
    exact = Limits(max_pixels=60_000, max_edge=300, max_bytes=len(data))
    assert decode(data, exact).shape == (200, 300, 3)


@pytest.mark.parametrize("fields", [{"max_pixels": PILLOW_CEILING + 1}, {"max_pixels": 0}, {"max_bytes": 0}])
def test_limits_beyond_what_can_be_held_are_refused(fields: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="max_"):
        Limits(**fields)


@pytest.mark.parametrize("declared", [(100, 30), (100, 200), (5000, 5000)])
def test_a_png_header_that_lies_never_gives_a_picture_of_another_size(declared: tuple[int, int]) -> None:
    data = bytearray(encode(picture(100, 80, seed=8), "PNG"))
    struct.pack_into(">II", data, 16, *declared)
    struct.pack_into(">I", data, 29, zlib.crc32(bytes(data[12:29])))
    try:
        assert decode(bytes(data), LIMITS).shape == (declared[1], declared[0], 3)
        assert declared[1] <= 80  # rows that are there
    except DecodeError:
        assert declared[1] > 80


@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_a_jpeg_that_was_closed_early_is_an_error(mode: str, progressive: bool) -> None:
    whole = encode(picture(200, 160, seed=8).convert(mode), "JPEG", progressive=progressive)
    closed = whole[: whole.index(b"\xff\xda") + (100 if progressive else 400)] + b"\xff\xd9"
    for data in (closed, taller(whole, 400)):
        with pytest.raises(DecodeError, match="last row"):
            decode(data, LIMITS)


def taller(jpeg: bytes, height: int) -> bytes:
    """The same data under a header that says more rows."""
    frame = next(i for i in range(len(jpeg)) if jpeg[i] == 0xFF and jpeg[i + 1] in (0xC0, 0xC2))
    return jpeg[: frame + 5] + struct.pack(">H", height) + jpeg[frame + 7 :]


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_that_ends_in_mid_gray_is_whole(progressive: bool) -> None:
    image = picture(200, 160, seed=8)
    image.paste((128, 128, 128), (0, 80, 200, 160))
    pixels = decode(encode(image, "JPEG", progressive=progressive), LIMITS)
    assert (pixels[-1] == 128).all()
    assert (decode(encode(Image.new("L", (50, 50), 128), "JPEG"), LIMITS) == 128).all()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L", "1", "P", "I;16"])
def test_a_png_that_ends_in_black_is_whole(mode: str) -> None:
    image = Image.fromarray(np.zeros((33, 21), dtype=np.uint16)) if mode == "I;16" else Image.new(mode, (21, 33), 0)
    assert decode(encode(image, "PNG"), LIMITS).shape == (33, 21, 3)


def test_postscript_is_never_run() -> None:
    buffer = io.BytesIO()
    picture(40, 40, seed=9).save(buffer, "EPS")
    with pytest.raises(DecodeError):
        decode(buffer.getvalue(), LIMITS)


def test_the_reason_is_one_short_line() -> None:
    for data in (b"", b"x\n" * 900, encode(picture(60, 60, seed=3), "JPEG")[:700], png_bomb(30_000)):
        with pytest.raises(DecodeError) as caught:
            decode(data, LIMITS)
        assert "\n" not in str(caught.value)
        assert 5 < len(str(caught.value)) < 250


SEEDS = [encode(picture(24, 20, seed=30), form) for form in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "PPM")]
SEEDS += [animation(16, 16, "GIF"), animation(16, 16, "PNG"), encode(sixteen_bit(9, 9), "PNG")]


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    seed=st.integers(0, len(SEEDS) - 1),
    edits=st.lists(st.tuples(st.floats(0, 0.999), st.binary(min_size=1, max_size=4)), max_size=12),
    cut=st.floats(0, 1),
)
def test_corrupted_bytes_raise_nothing_but_decode_error(
    seed: int, edits: list[tuple[float, bytes]], cut: float
) -> None:
    data = bytearray(SEEDS[seed])
    for place, patch in edits:
        start = int(place * len(data))
        data[start : start + len(patch)] = patch
    data = data[: int(len(data) * max(cut, 0.2))]
    limits = Limits(max_pixels=4_000_000)
    try:
        header = probe(bytes(data), limits)
        pixels = decode(bytes(data), limits)
    except DecodeError:
        return
    assert pixels.dtype == np.uint8
    assert pixels.shape == (header.height, header.width, 3)


@settings(max_examples=60, deadline=None, derandomize=True)
@given(data=st.binary(max_size=300))
def test_noise_is_a_decode_error(data: bytes) -> None:
    with pytest.raises(DecodeError):
        decode(data, LIMITS)


def test_small_is_a_square_of_the_whole_picture() -> None:
    copy = small(np.asarray(quarters(600, 200)), 64)
    assert (copy.shape, copy.dtype) == ((64, 64, 3), np.dtype(np.uint8))
    corners = [copy[4, 4], copy[4, -4], copy[-4, 4], copy[-4, -4]]
    assert all(close(p, c, 3) for p, c in zip(corners, (RED, BLUE, GREEN, YELLOW), strict=True))
