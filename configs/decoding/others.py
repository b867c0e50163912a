"""The containers whose meaning Pillow's own readers keep, and what has to be mended about each.

GIF: what its first frame does not cover is transparent, not the background color.
BMP: an alpha channel that is 0 everywhere was never filled.
JPEG 2000: a profile stands in its header; samples of less than 8 bits come shifted, not spread; colors of more than 8
are refused, because Pillow rounds them up to 256, which it writes as 0 (seen in 13.0: white pixels turn black).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Iterator

import numpy as np
from PIL import Image

from configs.decoding.colors import to_rgb
from configs.decoding.exif import orientation_of
from configs.decoding.names import unread
from configs.decoding.opened import DecodeError, Opened

_FORMATS = ("GIF", "BMP", "AVIF", "JPEG2000", "PPM")
"""Left out on purpose: EPS, which runs Ghostscript, and icons, which hold several sizes."""


def open_other(data: bytes) -> Opened:
    """A picture of any other container. Raises DecodeError, and Pillow's DecompressionBombError above its ceiling."""
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
    except Image.UnidentifiedImageError:
        raise DecodeError(unread(data)) from None
    form = image.format or "unknown"
    return Opened(form, *image.size, _orientation(image), lambda: _READERS.get(form, _plain)(image, data))


def _orientation(image: Image.Image) -> int:
    return orientation_of(image.info.get("exif"))


def _plain(image: Image.Image, data: bytes) -> Image.Image:
    image.load()
    return to_rgb(image)


def _gif(image: Image.Image, data: bytes) -> Image.Image:
    box = image.tile[0][1]  # type: ignore[attr-defined]
    image.load()
    frame = to_rgb(image)
    if box == (0, 0, *frame.size):
        return frame
    canvas = Image.new("RGB", frame.size, (255, 255, 255))
    canvas.paste(frame.crop(box), box[:2])
    return canvas


def _bmp(image: Image.Image, data: bytes) -> Image.Image:
    image.load()
    if image.mode == "RGBA" and image.getchannel("A").getextrema() == (0, 0):
        image = image.convert("RGB")
    return to_rgb(image)


def _jpeg_2000(image: Image.Image, data: bytes) -> Image.Image:
    depth = _depth(data)
    if depth > 8 and image.mode not in ("I;16", "I"):
        raise DecodeError(f"a JPEG 2000 of {depth}-bit colors, which is not read")
    image.load()
    if depth < 8 and image.mode in ("L", "LA", "RGB", "RGBA"):
        spread = np.rint(np.arange(256) // (1 << 8 - depth) * 255 / ((1 << depth) - 1)).astype(np.uint8)
        info, image = image.info, Image.fromarray(spread[np.asarray(image)])
        image.info = info
    profile = next(_profiles(data), None)
    if profile:
        image.info["icc_profile"] = profile
    return to_rgb(image)


def _depth(data: bytes) -> int:
    """Bits of a sample, the most of all components, out of the SIZ marker of the codestream; 8 where it has none."""
    start = data.find(b"\xff\x4f\xff\x51")
    if not 0 <= start < len(data) - 42:
        return 8
    count = int.from_bytes(data[start + 40 : start + 42], "big")
    return max((byte & 0x7F) + 1 for byte in data[start + 42 : start + 42 + 3 * max(count, 1) : 3])


def _profiles(data: bytes) -> Iterator[bytes]:
    """ICC profiles (method 2 or 3) in the colr boxes of the jp2h box."""
    for name, start, end in _boxes(data, 0, len(data)):
        if name == b"jp2h":
            for inner, first, last in _boxes(data, start, end):
                if inner == b"colr" and data[first : first + 1] in (b"\2", b"\3"):
                    yield data[first + 3 : last]


def _boxes(data: bytes, position: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    while position + 8 <= end:
        length, name = struct.unpack_from(">I4s", data, position)
        if length == 0:
            length = end - position
        if length < 8 or position + length > end:
            return
        yield name, position + 8, position + length
        position += length


_READERS = {"GIF": _gif, "BMP": _bmp, "JPEG2000": _jpeg_2000}
