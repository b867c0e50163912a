"""GIF, BMP, JPEG 2000 and the portable maps: what Pillow's own readers keep, and what is mended about them."""

from __future__ import annotations

import io
import struct

import cv2
import numpy as np
import pytest
from PIL import Image

from configs.pictures import DecodeError, Limits, decode
from tests.pipeline.hostile import encode

LIMITS = Limits()
WHITE = [255, 255, 255]


def gif(canvas: tuple[int, int], place: tuple[int, int], background: int, transparent: int | None = None) -> bytes:
    """A first frame of 10 x 6 in red, whose top left pixel is the color ``1``, blue."""
    image = Image.new("P", (10, 6), 0)
    image.putpalette([255, 0, 0, 0, 0, 255, 0, 255, 0])
    image.putpixel((0, 0), 1)
    options = {} if transparent is None else {"transparency": transparent}
    data = bytearray(encode(image, "GIF", **options))
    struct.pack_into("<HH", data, 6, *canvas)
    data[11] = background
    struct.pack_into("<HH", data, data.index(b"\x2c", 13 + 3 * 4) + 1, *place)
    return bytes(data)


@pytest.mark.parametrize("background", [0, 2])
def test_what_the_first_frame_does_not_cover_is_transparent(background: int) -> None:
    pixels = decode(gif((30, 20), (15, 5), background), LIMITS)
    frame = pixels[5:11, 15:25]
    assert frame[0, 0].tolist() == [0, 0, 255]
    assert (frame.reshape(-1, 3)[1:] == [255, 0, 0]).all()
    outside = np.ones((20, 30), dtype=bool)
    outside[5:11, 15:25] = False
    assert (pixels[outside] == 255).all()


def test_the_transparent_color_of_a_gif() -> None:
    pixels = decode(gif((10, 6), (0, 0), 0, transparent=1), LIMITS)
    assert pixels[0, 0].tolist() == WHITE
    assert pixels[1, 1].tolist() == [255, 0, 0]


def bmp(bits: int, rows: bytes, compression: int = 0, masks: bytes = b"", size: int = 40, high: int = 1) -> bytes:
    """Two pixels wide."""
    fields = (size, 2, high, 1, bits, compression, len(rows), 0, 0, 0, 0)
    header = struct.pack("<IiiHHIIiiII", *fields) + (masks.ljust(size - 40, b"\0") if size > 40 else masks)
    start = 14 + len(header)
    return b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start) + header + rows


MASKS = struct.pack("<4I", 0xFF0000, 0xFF00, 0xFF, 0xFF000000)


def test_an_alpha_channel_of_a_bmp_that_is_0_everywhere_is_none() -> None:
    filled, empty = bytes([1, 2, 3, 0, 4, 5, 6, 255]), bytes([1, 2, 3, 0, 4, 5, 6, 0])
    for size in (56, 108, 124):
        assert decode(bmp(32, empty, 3, MASKS, size), LIMITS)[0].tolist() == [[3, 2, 1], [6, 5, 4]]
        assert decode(bmp(32, filled, 3, MASKS, size), LIMITS)[0].tolist() == [WHITE, [6, 5, 4]]


@pytest.mark.parametrize("size", [40, 108, 124])
def test_the_fourth_byte_of_a_plain_bmp_is_no_alpha(size: int) -> None:
    data = bmp(32, bytes([1, 2, 3, 0, 4, 5, 6, 128]), 0, MASKS if size > 40 else b"", size)
    assert decode(data, LIMITS)[0].tolist() == [[3, 2, 1], [6, 5, 4]]


def test_fifteen_and_sixteen_bits_of_a_bmp() -> None:
    assert decode(bmp(16, struct.pack("<2H", 0x7FFF, 0x3DEF)), LIMITS)[0].tolist() == [WHITE, [123, 123, 123]]
    masks = struct.pack("<3I", 0xF800, 0x7E0, 0x1F)
    assert decode(bmp(16, struct.pack("<2H", 0xFFFF, 0x8410), 3, masks), LIMITS)[0, 1].tolist() == [
        131,
        129,
        131,
    ]  # rounded down from .6 and .5


def test_rows_of_a_bmp_from_the_top() -> None:
    rows = bytes([1, 1, 1, 1, 1, 1, 0, 0, 9, 9, 9, 9, 9, 9, 0, 0])
    assert decode(bmp(24, rows, high=-2), LIMITS)[0, 0].tolist() == [1, 1, 1]
    assert decode(bmp(24, rows, high=2), LIMITS)[0, 0].tolist() == [9, 9, 9]


@pytest.mark.parametrize("bits", [1, 2, 4, 6, 7])
def test_a_jpeg_2000_of_few_bits_reaches_white(bits: int) -> None:
    """Samples are stored with half of their range taken off: those of 8 bits become others by their header alone."""
    values = np.arange(32 * 32).reshape(32, 32) % (1 << bits)
    shifted = (values + 128 - (1 << bits - 1)).astype(np.uint8)
    data = bytearray(encode(Image.fromarray(shifted), "JPEG2000"))
    data[data.index(b"ihdr") + 14] = data[data.index(b"\xff\x4f\xff\x51") + 42] = bits - 1
    expected = np.rint(values * 255 / ((1 << bits) - 1))
    assert np.array_equal(decode(bytes(data), LIMITS)[..., 0], expected)


def test_sixteen_bits_of_a_jpeg_2000() -> None:
    values = (np.arange(64 * 64).reshape(64, 64) * 16).astype(np.uint16)
    pixels = decode(encode(Image.fromarray(values), "JPEG2000"), LIMITS)
    assert np.array_equal(pixels[..., 0], np.rint(values / 257))


def test_deep_colors_of_a_jpeg_2000_are_refused() -> None:
    """Pillow 13.0 gives 0 for the white ones among them; when this fails because it no longer does, let them in."""
    colors = np.full((64, 64, 3), 65535, dtype=np.uint16)
    encoded = cv2.imencode(".jp2", colors, [cv2.IMWRITE_JPEG2000_COMPRESSION_X1000, 1000])[1].tobytes()
    assert (np.asarray(Image.open(io.BytesIO(encoded))) == 0).all()
    with pytest.raises(DecodeError, match="16-bit colors"):
        decode(encoded, LIMITS)


MAPS = {
    b"P1 3 1 1 0 1\n": [0, 255, 0],
    b"P4 3 1 " + bytes([0b1010_0000]): [0, 255, 0],
    b"P2 3 1 1000\n0 500 1000\n": [0, 128, 255],
    b"P5 3 1 15 " + bytes([0, 7, 15]): [0, 119, 255],
    b"P5 3 1 1023 " + struct.pack(">3H", 0, 512, 1023): [0, 128, 255],
    b"P5 3 1 65535 " + struct.pack(">3H", 0, 100, 257): [0, 0, 1],
    b"P6 1 1 100 " + bytes([0, 50, 100]): [0, 128, 255],
    b"P6 1 1 65535 " + struct.pack(">3H", 0, 32768, 65535): [0, 128, 255],
    b"Pf\n3 1\n-1.0\n" + np.array([0, 0.5, 1], "<f4").tobytes(): [0, 128, 255],
}


@pytest.mark.parametrize("data", MAPS, ids=lambda data: data[:12].decode("latin-1").split("\n")[0])
def test_portable_maps_scale_by_their_maximum(data: bytes) -> None:
    pixels = decode(data, LIMITS)
    assert (pixels[0, :, 0] if pixels.shape[1] == 3 else pixels[0, 0]).tolist() == MAPS[data]


NAMED = {
    "Photoshop PSD": b"8BPS\0\1" + b"\0" * 40,
    "PostScript": b"%!PS-Adobe-3.0 EPSF-3.0\n",
    "PDF": b"%PDF-1.7\n",
    "an icon": b"\0\0\1\0\1\0\x10\x10",
    "OpenEXR": b"v/1\x01\2\0\0\0",
    "Radiance HDR": b"#?RADIANCE\n",
    "a Canon CR3 raw": b"\0\0\0\x18ftypcrx \0\0\0\1",
    "a Fujifilm raw": b"FUJIFILMCCD-RAW 0201",
    "JPEG XR": b"II\xbc\x01\x08\0\0\0",
    "video": b"\0\0\0\x18ftypisom\0\0\2\0",
    "SVG": b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'/>",
    "HTML or XML": b"<!DOCTYPE html><html><body>404</body></html>",
    "gzip": b"\x1f\x8b\x08\0\0\0\0\0",
    "a Git LFS pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
}


@pytest.mark.parametrize("name", NAMED)
def test_what_is_not_read_is_named(name: str) -> None:
    with pytest.raises(DecodeError, match=name):
        decode(NAMED[name], LIMITS)
