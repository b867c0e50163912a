"""TIFF: whatever bits, format, polarity, order, color model and alpha the tags say, its pixels are the ones meant."""

from __future__ import annotations

import io
import itertools

import cv2
import numpy as np
import pytest
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from configs.pictures import DecodeError, Limits, decode, probe
from tests.configs.decoding.tiff_bytes import (
    BLACK_IS_ZERO,
    CIE_LAB,
    CMYK,
    ICC_LAB,
    PALETTE,
    RGB,
    WHITE_IS_ZERO,
    YCBCR,
    packed,
    tiff,
)

LIMITS = Limits()
HIGH, WIDE = 5, 7
UNSIGNED = (*range(1, 17), 24, 32)


def ramp(samples: int, bits: int, kind: str = "u", seed: int = 0) -> np.ndarray:
    """(5, 7, samples): random numbers with both ends of the range among them, float64 or int64."""
    rng = np.random.default_rng([seed, samples, bits])
    if kind == "f":
        values = rng.random((HIGH, WIDE, samples)).astype(f"f{bits // 8}").astype(np.float64)
        low, high = 0.0, 1.0
    else:
        low, high = (0, 2**bits - 1) if kind == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
        values = rng.integers(low, high + 1, (HIGH, WIDE, samples))
    values[0, 0], values[-1, -1] = low, high
    return values


def unit(values: np.ndarray, bits: int, kind: str) -> np.ndarray:
    """0..1 by the whole range of the type."""
    if kind == "f":
        return values
    low, high = (0, 2**bits - 1) if kind == "u" else (-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)
    return (values - low) / (high - low)


def check(data: bytes, expected: np.ndarray, within: float = 0.51) -> None:
    """``expected``: (H, W, 1 or 3) in 0..1."""
    pixels = decode(data, LIMITS).astype(float)
    assert np.abs(pixels - np.broadcast_to(expected * 255, pixels.shape)).max() <= within


DEPTHS = [("u", bits) for bits in UNSIGNED] + [("i", bits) for bits in (8, 16, 32)] + [("f", b) for b in (16, 32, 64)]


@pytest.mark.parametrize(("kind", "bits"), DEPTHS)
def test_each_depth_and_format_in_each_polarity_and_byte_order(kind: str, bits: int) -> None:
    values = ramp(1, bits, kind)
    for photometric, order in itertools.product((BLACK_IS_ZERO, WHITE_IS_ZERO), "<>"):
        gray = unit(values, bits, kind)
        check(tiff(values, photometric, bits, kind, order=order), gray if photometric else 1 - gray)


@pytest.mark.parametrize(("kind", "bits"), DEPTHS)
def test_each_depth_and_format_as_rgb_in_each_layout(kind: str, bits: int) -> None:
    values = ramp(3, bits, kind)
    layouts = itertools.product("<>", (False, True), (1, 8), ({"rows": 2}, {"tile": (4, 2)}, {}), (False, True))
    for order, planar, compression, blocks, big in layouts:
        if "tile" in blocks and bits % 8:
            continue  # rows of a tile end on a whole byte only where its width is a multiple of 8
        data = tiff(values, RGB, bits, kind, order=order, planar=planar, compression=compression, big=big, **blocks)
        check(data, unit(values, bits, kind))


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("planar", [False, True])
@pytest.mark.parametrize(("predictor", "kind", "bits"), [(2, "u", 8), (2, "u", 16), (2, "i", 16), (2, "u", 32),
                                                         (2, "f", 32), (3, "f", 16), (3, "f", 32), (3, "f", 64)])  # fmt: skip
def test_each_predictor(predictor: int, kind: str, bits: int, planar: bool, order: str) -> None:
    values = ramp(3, bits, kind)
    blocks = {"rows": 2} if predictor == 2 else {"tile": (16, 16)}
    stored = values.astype(f"f{bits // 8}").view(f"u{bits // 8}") if (predictor, kind) == (2, "f") else values
    data = tiff(stored, RGB, bits, "u" if stored is not values else kind, order=order, planar=planar,
                predictor=predictor, compression=8, tags={339: [{"u": 1, "i": 2, "f": 3}[kind]] * 3}, **blocks)  # fmt: skip
    check(data, unit(values, bits, kind))


def test_bits_in_the_other_order_of_filling() -> None:
    for bits in (1, 2, 4, 8, 16):
        values = ramp(1, bits)
        check(tiff(values, BLACK_IS_ZERO, bits, fill_order=2), unit(values, bits, "u"))


@pytest.mark.parametrize("bits", [8, 16, 32])
@pytest.mark.parametrize("photometric", [BLACK_IS_ZERO, WHITE_IS_ZERO, RGB])
def test_plain_and_premultiplied_alpha_give_the_same_picture(photometric: int, bits: int) -> None:
    count = 3 if photometric == RGB else 1
    values = ramp(count + 1, bits)
    top = 2**bits - 1
    values[1, :, -1], values[2, :, -1] = 0, top
    alpha = values[..., -1:] / top
    colors = values[..., :-1] / top
    expected = (1 - colors if photometric == WHITE_IS_ZERO else colors) * alpha + 1 - alpha
    check(tiff(values, photometric, bits, tags={338: 2}), expected, 1.01)
    check(tiff(values, photometric, bits, planar=True, tags={338: 2}), expected, 1.01)
    light = (1 - colors if photometric == WHITE_IS_ZERO else colors) * alpha  # polarity first, as libtiff has it
    stored = np.rint((1 - light if photometric == WHITE_IS_ZERO else light) * top).astype(np.int64)
    check(tiff(np.concatenate([stored, values[..., -1:]], axis=-1), photometric, bits, tags={338: 1}), expected, 1.6)
    check(tiff(values, photometric, bits, tags={338: 0}), 1 - colors if photometric == WHITE_IS_ZERO else colors, 0.51)
    check(tiff(values, photometric, bits), expected, 1.01)  # a sample that no tag explains


def test_alpha_is_found_behind_samples_of_no_meaning() -> None:
    values = ramp(5, 8)
    alpha = values[..., 4:] / 255
    check(tiff(values, RGB, 8, tags={338: [0, 2]}), values[..., :3] / 255 * alpha + 1 - alpha, 1.01)


def test_float_alpha_is_a_share() -> None:
    values = ramp(4, 32, "f")
    values[..., :3] *= 7  # a picture of a wide range beside alpha of 0..1
    alpha = values[..., 3:]
    colors = (values[..., :3] - values[..., :3].min()) / np.ptp(values[..., :3])
    check(tiff(values, RGB, 32, "f", tags={338: 2}), colors * alpha + 1 - alpha, 1.6)
    given = (values[..., :3] / 14) * alpha + 1 - alpha
    check(tiff(values, RGB, 32, "f", tags={338: 2, 340: 0.0, 341: 14.0}), given, 1.6)


@pytest.mark.parametrize("bits", [1, 2, 4, 8, 16])
def test_palettes(bits: int) -> None:
    rng = np.random.default_rng(bits)
    table = rng.integers(0, 65536, (3, 1 << bits))
    indices = ramp(1, bits)
    expected = table[:, indices[..., 0]].transpose(1, 2, 0) / 65535
    check(tiff(indices, PALETTE, bits, tags={320: table.ravel()}), expected)
    narrow = table >> 8  # as old writers have it
    check(tiff(indices, PALETTE, bits, tags={320: narrow.ravel()}), narrow[:, indices[..., 0]].transpose(1, 2, 0) / 255)


def test_a_palette_with_alpha() -> None:
    values = ramp(2, 8)
    table = np.random.default_rng(1).integers(0, 65536, (3, 256))
    alpha = values[..., 1:] / 255
    expected = table[:, values[..., 0]].transpose(1, 2, 0) / 65535 * alpha + 1 - alpha
    check(tiff(values, PALETTE, 8, tags={320: table.ravel(), 338: 2}), expected, 1.6)


@pytest.mark.parametrize("bits", [8, 16])
def test_inks_without_a_profile(bits: int) -> None:
    values = ramp(4, bits)
    ink = values / (2**bits - 1)
    expected = (1 - ink[..., :3]) * (1 - ink[..., 3:])
    check(tiff(values, CMYK, bits), expected, 1.6)
    five = np.concatenate([values, ramp(1, bits, seed=4)], axis=-1)
    alpha = five[..., 4:] / (2**bits - 1)
    check(tiff(five, CMYK, bits, tags={338: 2}), expected * alpha + 1 - alpha, 2.1)


@pytest.mark.parametrize(("across", "down"), [(1, 1), (2, 1), (2, 2), (4, 1), (4, 2), (4, 4)])
def test_subsampled_ycbcr(across: int, down: int) -> None:
    rng = np.random.default_rng(across * 8 + down)
    high, wide = 8, 12
    luma = rng.integers(60, 200, (high, wide))
    chroma = rng.integers(100, 156, (high // down, wide // across, 2))
    units = luma.reshape(high // down, down, wide // across, across).transpose(0, 2, 1, 3)
    stored = np.concatenate([units.reshape(high // down, wide // across, -1), chroma], axis=-1).astype(np.uint8)
    tags = {256: wide, 257: high, 258: [8] * 3, 277: 3, 278: high, 339: [1] * 3, 530: [across, down]}
    data = tiff(stored, YCBCR, 8, tags=tags)
    cb, cr = (chroma.repeat(down, 0).repeat(across, 1) - 128.0).transpose(2, 0, 1)
    r, b = luma + 1.402 * cr, luma + 1.772 * cb
    g = luma - 0.344136 * cb - 0.714136 * cr
    check(data, np.stack([r, g, b], axis=-1).clip(0, 255) / 255, 2)


def test_ycbcr_of_studio_range() -> None:
    values = np.array([[[16, 128, 128], [235, 128, 128], [126, 128, 128]]])
    reference = [16.0, 235.0, 128.0, 240.0, 128.0, 240.0]
    pixels = decode(tiff(values, YCBCR, 8, tags={530: [1, 1], 532: reference}), LIMITS)
    assert pixels[0, :, 0].tolist() == [0, 255, 128]


LAB = {(0, 0, 0): (1, 0, 1), (100, 0, 0): (254, 255, 254), (53, 80, 67): (249, 3, 10), (60, -30, 40): (106, 158, 69),
       (32, 20, -60): (35, 68, 172)}  # fmt: skip
"""L*a*b* at D50 -> sRGB as LittleCMS 2.17 has it, whose table of 8-bit Lab is up to 5 levels off."""


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("photometric", [CIE_LAB, ICC_LAB])
def test_lab(photometric: int, bits: int) -> None:
    lab = np.array(list(LAB), dtype=float)[None]
    step = 1 << (bits - 8)
    if photometric == CIE_LAB:
        values = np.concatenate([lab[..., :1] / 100 * (2**bits - 1), lab[..., 1:] * step % 2**bits], axis=-1)
    else:
        values = np.concatenate([lab[..., :1] / 100 * 255 * step, (lab[..., 1:] + 128) * step], axis=-1)
    found = decode(tiff(np.rint(values).astype(np.int64), photometric, bits), LIMITS)[0].astype(int)
    assert np.abs(found - np.array(list(LAB.values()))).max() <= 5


def test_floats_beyond_one_are_stretched_over_all_channels_alike() -> None:
    values = ramp(3, 32, "f") * 40 - 10
    check(tiff(values, RGB, 32, "f"), (values + 10) / 40)


def test_a_given_range_is_black_and_white() -> None:
    values = np.array([[[-20.0], [0.0], [60.0], [200.0]]])
    pixels = decode(tiff(values, BLACK_IS_ZERO, 32, "f", tags={340: -20.0, 341: 60.0}), LIMITS)[0, :, 0]
    assert pixels.tolist() == [0, 64, 255, 255]


def test_sixteen_bits_in_thirty_two_are_sixteen() -> None:
    values = np.array([[[0], [25700], [65535]]])
    for kind in "ui":
        assert decode(tiff(values, BLACK_IS_ZERO, 32, kind), LIMITS)[0, :, 0].tolist() == [0, 100, 255]


def pillow(image: Image.Image, compression: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "TIFF", compression=compression, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("compression", ["tiff_lzw", "packbits", "tiff_adobe_deflate", "lzma", "zstd"])
def test_what_libtiff_decompresses(compression: str) -> None:
    rng = np.random.default_rng(3)
    colors = rng.integers(0, 256, (40, 30, 3), dtype=np.uint8)
    assert np.array_equal(decode(pillow(Image.fromarray(colors), compression), LIMITS), colors)
    wide = rng.integers(0, 65536, (40, 30)).astype(np.uint16)
    found = decode(pillow(Image.fromarray(wide), compression), LIMITS)[..., 1]
    assert np.array_equal(found, np.rint(wide / 257))


@pytest.mark.parametrize("compression", ["group3", "group4", "tiff_ccitt"])
def test_fax(compression: str) -> None:
    dots = np.random.default_rng(4).random((33, 45)) > 0.7
    for image in (Image.fromarray(dots), Image.fromarray(~dots)):
        found = decode(pillow(image, compression), LIMITS)[..., 0]
        assert np.array_equal(found, np.where(np.asarray(image), 255, 0))


@pytest.mark.parametrize("mode", ["L", "RGB", "YCbCr", "CMYK"])
def test_jpeg_inside(mode: str) -> None:
    smooth = np.linspace(0, 1, 64)[None, :, None] * np.array([200, 120, 40]) + np.linspace(0, 40, 48)[:, None, None]
    image = Image.fromarray(smooth.astype(np.uint8)).convert(mode)
    data = pillow(image, "jpeg", quality=95)
    found = decode(data, LIMITS).astype(int)
    assert np.abs(found - np.asarray(image.convert("RGB"), dtype=int)).max() <= 12
    with pytest.raises(DecodeError):
        decode(data[: len(data) // 2], LIMITS)


@pytest.mark.parametrize("shape", [(40, 56), (40, 56, 3), (40, 56, 4)])
@pytest.mark.parametrize("dtype", ["u1", "u2"])
@pytest.mark.parametrize("options", [{"tile": (16, 16)}, {"rowsperstrip": 7, "predictor": True, "compression": "zlib"},
                                     {"planarconfig": "separate"}, {"byteorder": ">", "bigtiff": True}])  # fmt: skip
def test_what_another_writer_writes(shape: tuple[int, ...], dtype: str, options: dict[str, object]) -> None:
    if len(shape) == 2 and "planarconfig" in options:
        return
    values = np.random.default_rng(5).integers(0, np.iinfo(dtype).max + 1, shape).astype(dtype)
    buffer = io.BytesIO()
    extra = {"extrasamples": ["unspecified"]} if shape[-1] == 4 else {}
    stored = np.moveaxis(values, -1, 0) if "planarconfig" in options else values
    tifffile.imwrite(buffer, stored, photometric="minisblack" if len(shape) == 2 else "rgb", **extra, **options)
    top = np.iinfo(dtype).max
    colors = values[..., None] if len(shape) == 2 else values[..., :3]
    check(buffer.getvalue(), colors / top)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("photometric", [WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE])
def test_opencv_reads_the_same(photometric: int, bits: int) -> None:
    """OpenCV 4.10 (libtiff 4.6). It reads 16-bit WhiteIsZero as the numbers in the file, and no 16-bit palettes."""
    count = 3 if photometric == RGB else 1
    table = np.random.default_rng(6).integers(0, 256, (3, 1 << bits)) * 257
    if (photometric, bits) in ((WHITE_IS_ZERO, 16), (PALETTE, 16)):
        return
    data = tiff(ramp(count, bits), photometric, bits, tags={320: table.ravel()} if photometric == PALETTE else None)
    flags = cv2.IMREAD_COLOR if photometric == PALETTE else cv2.IMREAD_UNCHANGED
    theirs = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    theirs = theirs[..., ::-1] if theirs.ndim == 3 else theirs[..., None]
    check(data, theirs / np.iinfo(theirs.dtype).max)


REFUSED = {
    "complex": tiff(ramp(1, 32), BLACK_IS_ZERO, 32, tags={339: 6}),
    "differ": tiff(ramp(3, 8), RGB, 8, tags={258: [5, 6, 5]}),
    "mask": tiff(ramp(1, 8), 4, 8),
    "color filter": tiff(ramp(1, 16), 32803, 16),
    "LogLuv": tiff(ramp(1, 16), 32845, 16),
    "other inks": tiff(ramp(4, 8), CMYK, 8, tags={332: 2}),
    "WebP": tiff(ramp(3, 8), RGB, 8, tags={259: 50001}),
    "old-style JPEG": tiff(ramp(3, 8), RGB, 8, tags={259: 6}),
    "compressed as 999": tiff(ramp(3, 8), RGB, 8, tags={259: 999}),
    "2 samples a pixel": tiff(ramp(2, 8), RGB, 8),
    "6 samples a pixel": tiff(ramp(6, 8), RGB, 8),
    "float": tiff(ramp(1, 24), BLACK_IS_ZERO, 24, tags={339: 3}),
    "signed": tiff(ramp(1, 4), BLACK_IS_ZERO, 4, tags={339: 2}),
    "palette": tiff(ramp(1, 8), PALETTE, 8, tags={320: [1, 2, 3]}),
    "predictor": tiff(ramp(1, 4), BLACK_IS_ZERO, 4, tags={317: 2}),
    "preview": tiff(ramp(3, 8), RGB, 8, tags={50706: b"\1\4\0\0"}),
    "reduced copy": tiff(ramp(3, 8), RGB, 8, tags={254: 1}),
    "tag 262": tiff(ramp(3, 8), RGB, 8, tags={262: None}),
    "YCbCr": tiff(ramp(3, 16), YCBCR, 16, tags={530: [1, 1]}),
    "last row": tiff(ramp(3, 8), RGB, 8, rows=2, tags={257: 50}),
}


@pytest.mark.parametrize("word", REFUSED)
def test_what_is_not_read_is_named(word: str) -> None:
    with pytest.raises(DecodeError, match=word):
        decode(REFUSED[word], LIMITS)


def test_metadata_that_lead_nowhere_cost_nothing() -> None:
    values = ramp(3, 8)
    entries = {270: b"x" * 40, 34665: 4_000_000_000, 700: b"<x:xmpmeta", 33723: b"\x1c" * 9, 34675: b"no profile"}
    data = tiff(values, RGB, 8, tags=entries)
    assert np.array_equal(decode(data, LIMITS), values)
    beyond = data.replace(b"\x0e\x01\x07\0\x28\0\0\0", b"\x0e\x01\x07\0\xff\xff\xff\xff")  # ImageDescription of 4 GB
    assert beyond != data
    assert np.array_equal(decode(beyond, LIMITS), values)


def test_orientation_is_read_from_either_byte_order() -> None:
    for order in "<>":
        data = tiff(ramp(3, 8), RGB, 8, order=order, tags={274: 6})
        assert (probe(data, LIMITS).width, probe(data, LIMITS).height) == (HIGH, WIDE)
        assert np.array_equal(decode(data, LIMITS), np.rot90(ramp(3, 8), -1))


def test_every_cut_is_refused() -> None:
    whole = tiff(ramp(3, 16), RGB, 16, rows=2)  # the tags stand behind the pixels: a cut takes these first
    tags_first = pillow(Image.fromarray(ramp(3, 8).astype(np.uint8)), "raw")
    for data in (whole, tags_first):
        for end in range(1, len(data) - 8, 7):
            with pytest.raises(DecodeError):
                assert decode(data[:end], LIMITS) is None


@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    bits=st.sampled_from([1, 3, 8, 12, 16, 32]), samples=st.sampled_from([1, 3]), planar=st.booleans(),
    order=st.sampled_from("<>"), high=st.integers(1, 9), wide=st.integers(1, 19), rows=st.integers(1, 9),
    seed=st.integers(0, 99),
)  # fmt: skip
def test_any_size_comes_back(
    bits: int, samples: int, planar: bool, order: str, high: int, wide: int, rows: int, seed: int
) -> None:
    values = np.random.default_rng(seed).integers(0, 2**bits, (high, wide, samples))
    values[0, 0] = 2**bits - 1
    photometric = RGB if samples == 3 else BLACK_IS_ZERO
    check(tiff(values, photometric, bits, order=order, planar=planar, rows=min(rows, high)), values / (2**bits - 1))


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    place=st.integers(0, 400), patch=st.binary(min_size=1, max_size=6), cut=st.integers(0, 60), big=st.booleans(),
)  # fmt: skip
def test_broken_tags_raise_nothing_but_decode_error(place: int, patch: bytes, cut: int, big: bool) -> None:
    data = bytearray(tiff(ramp(3, 8), RGB, 8, big=big, rows=2, tags={338: None, 320: [1, 2, 3]}))
    data[place : place + len(patch)] = patch
    try:
        pixels = decode(bytes(data[: len(data) - cut]), Limits(max_pixels=1_000_000))
    except DecodeError:
        return
    assert pixels.dtype == np.uint8


def test_the_helper_writes_what_tifffile_reads() -> None:
    """The tests above rest on it."""
    for kind, bits, order in itertools.product("uf", (16, 32), "<>"):
        values = ramp(3, bits, kind)
        found = tifffile.imread(io.BytesIO(tiff(values, RGB, bits, kind, order=order, rows=2)))
        assert np.array_equal(found, values)
    assert packed(np.array([[[1], [0], [3]]]), 2, "u", "<") == bytes([0b01001100])
