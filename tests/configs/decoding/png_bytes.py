"""Writes PNGs of any kind byte by byte: each depth, color type and order of rows, with whatever chunks are wanted."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

import numpy as np

GRAY, RGB, PALETTE, GRAY_ALPHA, RGB_ALPHA = 0, 2, 3, 4, 6
PASSES = ((0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2))
SIGNATURE = b"\x89PNG\r\n\x1a\n"


def png(
    samples: np.ndarray,
    color: int,
    depth: int,
    before: Sequence[bytes] = (),
    after: Sequence[bytes] = (),
    *,
    interlaced: bool = False,
) -> bytes:
    """``samples``: (H, W, channels). ``before``, ``after``: whole chunks in front of the pixels and behind them."""
    high, wide, _ = samples.shape
    passes = PASSES if interlaced else ((0, 0, 1, 1),)
    rows = b"".join(_rows(samples[y::down, x::across], depth) for x, y, across, down in passes)
    parts = [SIGNATURE, header(wide, high, depth, color, interlaced), *before, chunk(b"IDAT", zlib.compress(rows))]
    return b"".join([*parts, *after, chunk(b"IEND", b"")])


def header(wide: int, high: int, depth: int, color: int, interlaced: bool = False) -> bytes:
    return chunk(b"IHDR", struct.pack(">IIBBBBB", wide, high, depth, color, 0, 0, interlaced))


def chunk(name: bytes, body: bytes, *, checksum: int | None = None) -> bytes:
    """``checksum``: a wrong one, where the right one is not wanted."""
    right = zlib.crc32(name + body)
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", right if checksum is None else checksum)


def _rows(samples: np.ndarray, depth: int) -> bytes:
    """Each row with filter 0 in front; none for a pass without pixels."""
    high, wide, _ = samples.shape
    if not wide or not high:
        return b""
    if depth == 16:
        raw = samples.astype(">u2").reshape(high, -1).view(np.uint8)
    elif depth == 8:
        raw = samples.astype(np.uint8).reshape(high, -1)
    else:
        bits = (samples.reshape(high, -1, 1) >> np.arange(depth - 1, -1, -1)) & 1
        raw = np.packbits(bits.reshape(high, -1).astype(np.uint8), axis=1)
    return b"".join(b"\0" + row.tobytes() for row in raw)
