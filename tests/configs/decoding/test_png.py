"""PNG: each depth, color type and kind of transparency by its chunks; no chunk that pixels do not need costs them."""

from __future__ import annotations

import itertools
import struct
import zlib

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from configs.decoding.png_chunks import checksums_hold
from configs.pictures import DecodeError, Limits, decode, probe
from tests.configs.decoding.png_bytes import (
    GRAY,
    GRAY_ALPHA,
    PALETTE,
    RGB,
    RGB_ALPHA,
    SIGNATURE,
    chunk,
    header,
    png,
)

LIMITS = Limits()
DEPTHS = [(GRAY, d) for d in (1, 2, 4, 8, 16)] + [(c, d) for c in (RGB, GRAY_ALPHA, RGB_ALPHA) for d in (8, 16)]
CHANNELS = {GRAY: 1, RGB: 3, PALETTE: 1, GRAY_ALPHA: 2, RGB_ALPHA: 4}


def samples(color: int, depth: int, high: int = 11, wide: int = 13) -> np.ndarray:
    values = np.random.default_rng([color, depth]).integers(0, 2**depth, (high, wide, CHANNELS[color]))
    values[0, 0], values[-1, -1] = 0, 2**depth - 1
    return values


def check(data: bytes, expected: np.ndarray, within: float = 0.51) -> None:
    """``expected``: (H, W, 1 or 3) in 0..1."""
    pixels = decode(data, LIMITS).astype(float)
    assert np.abs(pixels - np.broadcast_to(expected * 255, pixels.shape)).max() <= within


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("color", "depth"), DEPTHS)
def test_each_depth_and_color_type(color: int, depth: int, interlaced: bool) -> None:
    values = samples(color, depth)
    unit = values / (2**depth - 1)
    data = png(values, color, depth, interlaced=interlaced)
    if color in (GRAY_ALPHA, RGB_ALPHA):
        alpha = unit[..., -1:]
        check(data, unit[..., :-1] * alpha + 1 - alpha, 1.01)
    else:
        check(data, unit)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("color", "depth"), [(c, d) for c, d in DEPTHS if c in (GRAY, RGB)])
def test_the_transparent_color_is_compared_in_its_own_depth(color: int, depth: int, interlaced: bool) -> None:
    values = samples(color, depth)
    for y, x in ((0, 0), (3, 4), (10, 12)):
        key = values[y, x]
        near = values.copy()
        near[5, 5] = key ^ 1  # differs in the last bit alone
        hidden = (near == key).all(axis=-1, keepdims=True)
        expected = np.where(hidden, 1, near / (2**depth - 1))
        assert hidden[y, x]
        assert not hidden[5, 5]
        body = b"".join(struct.pack(">H", int(v)) for v in key)
        check(png(near, color, depth, [chunk(b"tRNS", body)], interlaced=interlaced), expected)
        above = b"".join(struct.pack(">H", int(v) | (0xFF00 if depth < 16 else 0)) for v in key)
        check(png(near, color, depth, [chunk(b"tRNS", above)]), expected)  # unused bits are no part of it


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_palettes_with_and_without_transparency(depth: int) -> None:
    rng = np.random.default_rng(depth)
    table = rng.integers(0, 256, (1 << depth, 3))
    indices = samples(PALETTE, depth)
    colors = table[indices[..., 0]] / 255
    palette = chunk(b"PLTE", table.astype(np.uint8).tobytes())
    check(png(indices, PALETTE, depth, [palette]), colors)
    alphas = rng.integers(0, 256, (1 << depth) - 1)  # the last entry is opaque
    full = np.append(alphas, 255)[indices] / 255
    trns = chunk(b"tRNS", alphas.astype(np.uint8).tobytes())
    check(png(indices, PALETTE, depth, [palette, trns]), colors * full + 1 - full, 1.01)


def test_an_index_behind_the_palette_is_black() -> None:
    data = png(np.array([[[0], [3]]]), PALETTE, 2, [chunk(b"PLTE", b"\xff\0\0")])
    assert decode(data, LIMITS)[0].tolist() == [[255, 0, 0], [0, 0, 0]]


@pytest.mark.parametrize(("color", "depth"), DEPTHS)
def test_opencv_reads_the_same_numbers(color: int, depth: int) -> None:
    """OpenCV 4.10 (libpng 1.6.43), which drops the upper or lower half of nothing, and leaves alpha as it is."""
    if color == GRAY_ALPHA:
        return  # it gives BGRA of these, or BGR without saying which
    theirs = cv2.imdecode(np.frombuffer(png(samples(color, depth), color, depth), np.uint8), cv2.IMREAD_UNCHANGED)
    unit = theirs.reshape(*theirs.shape[:2], -1) / np.iinfo(theirs.dtype).max
    colors = unit[..., :3][..., ::-1]
    alpha = unit[..., 3:] if color == RGB_ALPHA else 1
    check(png(samples(color, depth), color, depth), colors * alpha + 1 - alpha, 1.01)


WRONG = 0xDEADBEEF
VALUES = samples(RGB, 8)
BOMB = zlib.compress(bytes(1_300_000))
ODD = {
    "a checksum in tEXt": chunk(b"tEXt", b"Comment\0hello", checksum=WRONG),
    "1.2 MB of zTXt": chunk(b"zTXt", b"workflow\0\0" + BOMB),
    "64 MB of zTXt": chunk(b"zTXt", b"workflow\0\0" + zlib.compress(bytes(64_000_000))),
    "1.2 MB of tEXt": chunk(b"tEXt", b"workflow\0" + b"x" * 1_300_000),
    "1.2 MB of iTXt": chunk(b"iTXt", b"prompt\0\1\0\0\0" + BOMB),
    "broken zTXt": chunk(b"zTXt", b"workflow\0\0no zlib"),
    "broken iTXt": chunk(b"iTXt", b"\xff"),
    "broken EXIF": chunk(b"eXIf", b"ZZ\0*"),
    "EXIF that points at itself": chunk(b"eXIf", b"II*\0\x08\0\0\0" + b"\xff" * 40),
    "a broken profile": chunk(b"iCCP", b"name\0\0" + zlib.compress(b"no profile")),
    "a profile that is no zlib": chunk(b"iCCP", b"name\0\0nothing"),
    "a profile of 64 MB": chunk(b"iCCP", b"name\0\0" + zlib.compress(bytes(64_000_000))),
    "a checksum in iCCP": chunk(b"iCCP", b"name\0\0", checksum=WRONG),
    "a checksum in tRNS": chunk(b"tRNS", bytes(6), checksum=WRONG),
    "short tRNS": chunk(b"tRNS", b"\0"),
    "odd gAMA": chunk(b"gAMA", b""),
    "odd pHYs": chunk(b"pHYs", b"\0" * 3),
    "odd cHRM": chunk(b"cHRM", b"\xff" * 8),
    "an unknown chunk": chunk(b"zzZz", b"\0" * 100, checksum=WRONG),
    "broken animation": chunk(b"acTL", b"\0") + chunk(b"fcTL", b"\1"),
}


@pytest.mark.parametrize("name", ODD)
def test_metadata_cost_nothing(name: str) -> None:
    assert np.array_equal(decode(png(VALUES, RGB, 8, [ODD[name]]), LIMITS), VALUES)
    assert np.array_equal(decode(png(VALUES, RGB, 8, after=[ODD[name]]), LIMITS), VALUES)
    assert probe(png(VALUES, RGB, 8, [ODD[name]]), LIMITS).width == 13


def test_what_is_cut_off_behind_the_pixels_costs_nothing() -> None:
    data = png(VALUES, RGB, 8, after=[chunk(b"tEXt", b"x" * 5000)])
    assert np.array_equal(decode(data[:-3000], LIMITS), VALUES)
    assert np.array_equal(decode(png(VALUES, RGB, 8)[:-12], LIMITS), VALUES)  # no IEND
    assert np.array_equal(decode(png(VALUES, RGB, 8) + b"\0" * 4096, LIMITS), VALUES)
    huge = png(VALUES, RGB, 8, after=[struct.pack(">I", 0xFFFFFFFF) + b"tEXt"])
    assert np.array_equal(decode(huge, LIMITS), VALUES)


@pytest.mark.parametrize("interlaced", [False, True])
@pytest.mark.parametrize(("color", "depth"), DEPTHS)
def test_rows_that_were_never_written_are_missed(color: int, depth: int, interlaced: bool) -> None:
    """The zlib stream ends as it should, before the last row."""
    data = png(samples(color, depth), color, depth, interlaced=interlaced)
    start = data.index(b"IDAT") + 4
    length = struct.unpack(">I", data[start - 8 : start - 4])[0]
    rows = zlib.decompress(data[start : start + length])
    for share in (0.3, 0.9):
        short = chunk(b"IDAT", zlib.compress(rows[: int(len(rows) * share)]))
        with pytest.raises(DecodeError, match="truncated"):
            decode(SIGNATURE + header(13, 11, depth, color, interlaced) + short + chunk(b"IEND", b""), LIMITS)


REFUSED = {
    "CgBI": SIGNATURE + chunk(b"CgBI", b"\x50\0\x20\2") + png(VALUES, RGB, 8)[8:],
    "does not exist": SIGNATURE + header(3, 3, 16, PALETTE) + chunk(b"IDAT", b""),
    "without its palette": png(samples(PALETTE, 8), PALETTE, 8),
    "checksum of its IHDR": SIGNATURE + chunk(b"IHDR", header(9, 9, 8, RGB)[8:21], checksum=1) + chunk(b"IDAT", b""),
    "without its header": SIGNATURE + chunk(b"IDAT", b""),
    "0 x 5": SIGNATURE + header(0, 5, 8, RGB) + chunk(b"IDAT", b""),
}


@pytest.mark.parametrize("words", REFUSED)
def test_what_is_no_picture_is_named(words: str) -> None:
    with pytest.raises(DecodeError, match=words):
        decode(REFUSED[words], LIMITS)


@settings(max_examples=120, deadline=None, derandomize=True)
@given(
    form=st.sampled_from(DEPTHS), high=st.integers(1, 9), wide=st.integers(1, 20), interlaced=st.booleans(),
    parts=st.integers(1, 5),
)  # fmt: skip
def test_any_size_comes_back_from_any_number_of_chunks(
    form: tuple[int, int], high: int, wide: int, interlaced: bool, parts: int
) -> None:
    color, depth = form
    values = samples(color, depth, high, wide)
    data = png(values, color, depth, interlaced=interlaced)
    start = data.index(b"IDAT") + 4
    body = data[start:-16]
    cuts = [len(body) * i // parts for i in range(parts + 1)]
    split = b"".join(chunk(b"IDAT", body[a:b]) for a, b in itertools.pairwise(cuts))
    data = data[: start - 8] + split + chunk(b"IEND", b"")
    unit = values / (2**depth - 1)
    alpha = unit[..., -1:] if color in (GRAY_ALPHA, RGB_ALPHA) else 1
    colors = unit[..., :-1] if color in (GRAY_ALPHA, RGB_ALPHA) else unit
    check(data, colors * alpha + 1 - alpha, 1.01)


@pytest.mark.parametrize(("at", "hold"), [(b"IDAT", False), (b"tEXt", True), (b"IEND", True)])
def test_checksums_are_those_of_the_pixels(at: bytes, hold: bool) -> None:
    samples = np.arange(30, dtype=np.uint8).reshape(5, 6, 1)
    data = bytearray(png(samples, GRAY, 8, before=[chunk(b"tEXt", b"a\0b")]))
    assert checksums_hold(bytes(data))
    data[data.index(at) - 4 + 8 + int.from_bytes(data[data.index(at) - 4 : data.index(at)], "big")] ^= 1
    assert checksums_hold(bytes(data)) == hold
    assert not checksums_hold(bytes(data[:-12]))  # nobody wrote its end
