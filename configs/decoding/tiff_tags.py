"""The tags of the first page of a TIFF or BigTIFF that its pixels need. TIFF 6.0 and its supplements define them.

Other tags are metadata: what is wrong with them is never looked at. A profile whose value lies outside of the file
counts as absent; any other tag of these would change the pixels.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from configs.decoding.opened import DecodeError

WIDTH, HEIGHT, BITS, COMPRESSION, PHOTOMETRIC, FILL_ORDER, ORIENTATION = 256, 257, 258, 259, 262, 266, 274
STRIP_OFFSETS, SAMPLES, ROWS_PER_STRIP, STRIP_COUNTS, PLANAR = 273, 277, 278, 279, 284
T4_OPTIONS, T6_OPTIONS, PREDICTOR, COLOR_MAP = 292, 293, 317, 320
TILE_WIDTH, TILE_HEIGHT, TILE_OFFSETS, TILE_COUNTS = 322, 323, 324, 325
INK_SET, EXTRA_SAMPLES, SAMPLE_FORMAT, SAMPLE_MIN, SAMPLE_MAX, JPEG_TABLES = 332, 338, 339, 340, 341, 347
YCBCR_COEFFICIENTS, SUBSAMPLING, REFERENCE_BLACK_WHITE, PROFILE = 529, 530, 532, 34675
_SUBFILE, _DNG = 254, 50706
_TAGS = frozenset(value for name, value in globals().items() if name.lstrip("_").isupper() and isinstance(value, int))

_FORMS = {1: "B", 2: "s", 3: "H", 4: "I", 5: "II", 6: "b", 7: "s", 8: "h", 9: "i", 10: "ii", 11: "f", 12: "d"}
_FORMS |= {13: "I", 16: "Q", 17: "q", 18: "Q"}
"""Type of a tag -> form of one value, as struct has it."""

BEGINNINGS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@dataclass(frozen=True)
class Page:
    """The tags of a page. ``order``: ``<`` or ``>``, of all numbers in the file, samples included."""

    order: str
    tags: Mapping[int, Any]

    def one(self, tag: int, default: int | None = None) -> int:
        """The first value. Raises DecodeError where there is none and no ``default``."""
        values = self.all(tag)
        if values:
            return int(values[0])
        if default is None:
            raise DecodeError(f"a TIFF without its tag {tag}")
        return default

    def all(self, tag: int) -> tuple[Any, ...]:
        """All values of a tag of numbers, none where it is absent."""
        found = self.tags.get(tag, ())
        return found if isinstance(found, tuple) else ()

    def raw(self, tag: int) -> bytes | None:
        """The value of a tag of bytes."""
        found = self.tags.get(tag)
        return found if isinstance(found, bytes) else bytes(found) if found and max(found) < 256 else None


def read_page(data: bytes) -> Page:
    """The first page. Raises DecodeError."""
    try:
        order = "<" if data[:2] == b"II" else ">"
        big = data[2:4] in (b"+\0", b"\0+")
        (start,) = struct.unpack_from(order + ("Q" if big else "I"), data, 8 if big else 4)
        (count,) = struct.unpack_from(order + ("Q" if big else "H"), data, start)
    except struct.error:
        raise DecodeError("a TIFF without its first page: the file ends before it") from None
    size = 20 if big else 12
    start += 8 if big else 2
    if start + count * size > len(data):
        raise DecodeError(f"truncated: a TIFF whose page says {count} tags")
    tags: dict[int, Any] = {}
    for entry in range(start, start + count * size, size):
        tag, value = _read(data, order, big, entry)
        if tag in _TAGS and value is not None:
            tags.setdefault(tag, value)
    page = Page(order, tags)
    if _DNG in page.tags:
        raise DecodeError("a camera raw (DNG): its first page is but a preview")
    if page.one(_SUBFILE, 0) & 1:
        raise DecodeError("a TIFF whose first page is a reduced copy of another")
    return page


def _read(data: bytes, order: str, big: bool, entry: int) -> tuple[int, Any]:
    tag, kind, count = struct.unpack_from(order + ("HHQ" if big else "HHI"), data, entry)
    form, place = _FORMS.get(kind), entry + (12 if big else 8)
    if form is None or tag not in _TAGS:
        return tag, None
    size = struct.calcsize(order + form) * count
    if size > (8 if big else 4):
        (place,) = struct.unpack_from(order + ("Q" if big else "I"), data, place)
    if place + size > len(data) and tag != PROFILE:
        raise DecodeError(f"truncated: a TIFF whose tag {tag} lies behind its end")
    if count == 0 or place + size > len(data):
        return tag, None
    if form == "s":
        return tag, data[place : place + size]
    values = struct.unpack_from(f"{order}{count * len(form)}{form[0]}", data, place)
    if len(form) == 2:
        values = tuple(n / d if d else 0.0 for n, d in zip(values[::2], values[1::2], strict=True))
    return tag, values
