"""The one EXIF tag that pixels need. Broken EXIF is common in the wild and costs the orientation, not the picture."""

from __future__ import annotations

import struct

_ORIENTATION_TAG = 0x0112
_SHORT, _LONG = 3, 4


def orientation_of(exif: bytes | None) -> int:
    """1..8 out of an EXIF block (with or without ``Exif\\0\\0`` in front); 1 where there is none or it is broken."""
    try:
        return _orientation((exif or b"").removeprefix(b"Exif\0\0"))
    except (struct.error, KeyError):
        return 1


def _orientation(tiff: bytes) -> int:
    order = {b"II*\0": "<", b"MM\0*": ">"}[tiff[:4]]
    (directory,) = struct.unpack_from(order + "I", tiff, 4)
    (count,) = struct.unpack_from(order + "H", tiff, directory)
    for index in range(count):
        entry = directory + 2 + 12 * index
        tag, kind, _ = struct.unpack_from(order + "HHI", tiff, entry)
        if tag == _ORIENTATION_TAG:
            form = {_SHORT: "H", _LONG: "I"}[kind]
            (value,) = struct.unpack_from(order + form, tiff, entry + 8)
            return value if 1 <= value <= 8 else 1
    return 1
