"""ICC profiles of any primaries and curve, written byte by byte, with any name."""

from __future__ import annotations

import struct

SRGB = ((0.4361, 0.2225, 0.0139), (0.3851, 0.7169, 0.0971), (0.1431, 0.0606, 0.7141))
"""Red, green and blue as XYZ at D50."""
ADOBE = ((0.6097, 0.3111, 0.0195), (0.2053, 0.6257, 0.0609), (0.1492, 0.0632, 0.7446))
LINEAR = b"curv" + struct.pack(">II", 0, 0)


def gamma(value: float) -> bytes:
    return b"curv" + struct.pack(">IIH", 0, 1, round(value * 256)) + b"\0\0"


def rgb_profile(name: str, curve: bytes, primaries: tuple[tuple[float, float, float], ...] = SRGB) -> bytes:
    """A version 2 display profile."""
    tags = {b"desc": _text(name), b"wtpt": _xyz((0.9642, 1.0, 0.8249))}
    tags |= {key: _xyz(value) for key, value in zip((b"rXYZ", b"gXYZ", b"bXYZ"), primaries, strict=True)}
    return _profile(b"RGB ", tags | {b"rTRC": curve, b"gTRC": curve, b"bTRC": curve})


def gray_profile(name: str, curve: bytes) -> bytes:
    return _profile(b"GRAY", {b"desc": _text(name), b"wtpt": _xyz((0.9642, 1.0, 0.8249)), b"kTRC": curve})


def _text(name: str) -> bytes:
    raw = name.encode("ascii") + b"\0"
    return (b"desc" + struct.pack(">II", 0, len(raw)) + raw + b"\0" * 78).ljust(-(-(90 + len(raw)) // 4) * 4, b"\0")


def _xyz(values: tuple[float, ...]) -> bytes:
    return b"XYZ " + struct.pack(">I3i", 0, *(round(v * 65536) for v in values))


def _profile(space: bytes, tags: dict[bytes, bytes]) -> bytes:
    table, body = b"", b""
    start = 128 + 4 + 12 * len(tags)
    for key, value in tags.items():
        table += key + struct.pack(">II", start + len(body), len(value))
        body += value.ljust(-(-len(value) // 4) * 4, b"\0")
    whole = struct.pack(">I", len(tags)) + table + body
    header = struct.pack(">I4sI4s4s4s", 128 + len(whole), b"\0\0\0\0", 0x02100000, b"mntr", space, b"XYZ ")
    header += b"\0" * 12 + b"acsp" + b"\0" * 28 + struct.pack(">3i", 0xF6D6, 0x10000, 0xD32D)
    return header.ljust(128, b"\0") + whole
