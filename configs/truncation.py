"""Whether the data of a picture reach to its last row, where Pillow does not say.

Pillow tells when a file is cut off. Where the pixel stream ends properly, but before the last row
(a header that lies, a broken copy that was closed afterwards), it leaves the rest black in a PNG
and mid-gray in a JPEG. Looking closer costs a second pass, so it is done only for pictures whose
last row is exactly that.
"""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Iterator

import numpy as np
from PIL import Image

_INFLATE_STEP = 1 << 20
"""Bytes inflated at a time where only their number matters."""

_END = b"\xff\xd9"
"""The marker that ends a JPEG."""

_FILLING = b"\x55" * 4096
"""Entropy-coded nonsense: a decoder that wants more data makes anything but flat gray of the first of it."""


def is_truncated(data: bytes, image: Image.Image) -> bool:
    """Whether rows of the loaded ``image`` have no data. PNG and JPEG only; False for all others."""
    if image.format == "PNG":
        return _last_row_is(image, 0) and _png_is_short(data)
    if image.format in ("JPEG", "MPO") and image.mode in ("L", "RGB"):
        return _last_row_is(image, 128) and _jpeg_is_short(data, image)
    return False


def png_chunks(data: bytes, wanted: bytes) -> Iterator[bytes]:
    """The contents of all chunks of one kind, unchecked."""
    position = 8
    while position + 8 <= len(data):
        length, kind = struct.unpack_from(">I4s", data, position)
        if kind == wanted:
            yield data[position + 8 : position + 8 + length]
        position += 12 + length


def _last_row_is(image: Image.Image, value: int) -> bool:
    return bool((np.asarray(image.crop((0, image.height - 1, image.width, image.height))) == value).all())


def _png_is_short(data: bytes) -> bool:
    """Interlaced ones are not looked at: what they lack is detail, not a part."""
    width, height, depth, color, _, _, interlaced = struct.unpack(">IIBBBBB", next(png_chunks(data, b"IHDR"))[:13])
    if interlaced:
        return False
    row = 1 + (width * depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[color] + 7) // 8
    inflate, length = zlib.decompressobj(), 0
    for body in png_chunks(data, b"IDAT"):
        part = inflate.decompress(body, _INFLATE_STEP)
        while part:
            length += len(part)
            part = inflate.decompress(inflate.unconsumed_tail, _INFLATE_STEP)
    return length < row * height


def _jpeg_is_short(data: bytes, image: Image.Image) -> bool:
    """Decode again with nonsense before the end: a decoder that has all rows does not look at it."""
    end = data.rfind(_END)
    if end < 0:
        return False
    again = Image.open(io.BytesIO(data[:end] + _FILLING + _END), formats=("JPEG",))
    return not np.array_equal(np.asarray(again), np.asarray(image))
