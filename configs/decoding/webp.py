"""WebP: its pixels in a container of their own, without the metadata that may have been cut or written wrong.

libwebp refuses a file whose container does not add up, even where all pixels are there. Google, "WebP Container
Specification" (RFC 9649).
"""

from __future__ import annotations

import io
import struct

from PIL import Image

from configs.decoding.colors import to_rgb
from configs.decoding.exif import orientation_of
from configs.decoding.opened import DecodeError, Opened

_PIXELS = (b"VP8X", b"ICCP", b"ANIM", b"ANMF", b"ALPH", b"VP8 ", b"VP8L")
_NO_EXIF_NO_XMP = 0xFF & ~0x0C
"""Flags of VP8X without those of the chunks that are left out."""


def open_webp(data: bytes) -> Opened:
    """A WebP, or the first frame of an animated one. Raises DecodeError."""
    clean, exif = _stripped(data)
    image = Image.open(io.BytesIO(clean), formats=("WEBP",))
    return Opened("WEBP", *image.size, orientation_of(exif), lambda: _loaded(image))


def _loaded(image: Image.Image) -> Image.Image:
    image.load()
    return to_rgb(image)


def _stripped(data: bytes) -> tuple[bytes, bytes | None]:
    """The file without chunks that no pixel needs, and its EXIF."""
    parts, exif, position = [], None, 12
    while position + 8 <= len(data):
        name, length = struct.unpack_from("<4sI", data, position)
        body = data[position + 8 : position + 8 + length]
        if name in _PIXELS:
            if len(body) < length:
                raise DecodeError("truncated: the data end before the last row")
            if name == b"VP8X":
                body = bytes((body[0] & _NO_EXIF_NO_XMP,)) + body[1:] if body else body
            parts.append(struct.pack("<4sI", name, length) + body + b"\0" * (length & 1))
        elif name == b"EXIF" and exif is None:
            exif = body
        position += 8 + length + (length & 1)
    whole = b"".join(parts)
    return b"RIFF" + struct.pack("<I", 4 + len(whole)) + b"WEBP" + whole, exif
