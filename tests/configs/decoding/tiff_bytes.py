"""Writes TIFFs of any kind byte by byte, so that the file says what its samples mean and no library does."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR, CIE_LAB, ICC_LAB = 0, 1, 2, 3, 5, 6, 8, 9
_KINDS = {"u": 1, "i": 2, "f": 3}


def tiff(
    samples: np.ndarray,
    photometric: int,
    bits: int,
    kind: str = "u",
    *,
    order: str = "<",
    planar: bool = False,
    predictor: int = 1,
    compression: int = 1,
    rows: int | None = None,
    tile: tuple[int, int] | None = None,
    big: bool = False,
    fill_order: int = 1,
    tags: Mapping[int, Any] | None = None,
) -> bytes:
    """``samples``: (H, W, S). ``rows``: of a strip; ``tile``: columns and rows instead. ``compression``: 1 or 8.

    ``tags``: number -> integers, floats or bytes, besides or instead of those written here; None leaves one out.
    """
    high, wide, count = samples.shape
    blocks = [
        _block(part, bits, kind, order, predictor, compression, fill_order)
        for plane in (np.split(samples, count, axis=2) if planar else [samples])
        for part in _parts(plane, rows or high, tile)
    ]
    found: dict[int, Any] = {
        256: wide, 257: high, 258: [bits] * count, 259: compression, 262: photometric, 266: fill_order, 277: count,
        284: 2 if planar else 1, 317: predictor, 339: [_KINDS[kind]] * count,
    }  # fmt: skip
    found |= {322: tile[0], 323: tile[1]} if tile else {278: rows or high}
    found |= dict(tags or {})
    return assembled(found, blocks, order, big, tiled=tile is not None)


def assembled(tags: Mapping[int, Any], blocks: list[bytes], order: str, big: bool, tiled: bool = False) -> bytes:
    """A file of these tags and of blocks whose places are added to them."""
    offsets, counts = (324, 325) if tiled else (273, 279)
    start = 16 if big else 8
    places = [start + sum(map(len, blocks[:i])) for i in range(len(blocks))]
    found = {offsets: places, counts: [len(b) for b in blocks]} | {k: v for k, v in tags.items() if v is not None}
    body = b"".join(blocks)
    entries, beyond = b"", b""
    size, pointer, room = (20, "Q", 8) if big else (12, "I", 4)
    after = start + len(body) + (8 if big else 2) + size * len(found) + room
    for number, value in sorted(found.items()):
        kind, length, raw = _value(value, order)
        if len(raw) > room:
            beyond_at = after + len(beyond)
            beyond += raw
            raw = struct.pack(order + pointer, beyond_at)
        entries += struct.pack(order + "HH" + pointer, number, kind, length) + raw.ljust(room, b"\0")
    header = (b"II" if order == "<" else b"MM") + struct.pack(order + "H", 43 if big else 42)
    header += struct.pack(order + "HHQ", 8, 0, start + len(body)) if big else struct.pack(order + "I", 8 + len(body))
    number_of = struct.pack(order + ("Q" if big else "H"), len(found))
    return header + body + number_of + entries + b"\0" * room + beyond


def _value(value: Any, order: str) -> tuple[int, int, bytes]:
    """Type, number of values and bytes."""
    if isinstance(value, bytes):
        return 7, len(value), value
    values = list(value) if isinstance(value, Iterable) else [value]
    if any(isinstance(v, float) for v in values):
        return 12, len(values), struct.pack(f"{order}{len(values)}d", *values)
    kind, form = (9, "i") if min(values) < 0 else (3, "H") if max(values) < 65536 else (4, "I")
    return kind, len(values), struct.pack(f"{order}{len(values)}{form}", *values)


def _parts(plane: np.ndarray, rows: int, tile: tuple[int, int] | None) -> list[np.ndarray]:
    """Strips, or tiles that are filled up at the edges."""
    high, wide, _ = plane.shape
    if tile is None:
        return [plane[top : top + rows] for top in range(0, high, rows)]
    across, down = tile
    full = np.pad(plane, ((0, -high % down), (0, -wide % across), (0, 0)))
    tops, lefts = range(0, high, down), range(0, wide, across)
    return [full[top : top + down, left : left + across] for top in tops for left in lefts]


def _block(
    part: np.ndarray, bits: int, kind: str, order: str, predictor: int, compression: int, fill_order: int
) -> bytes:
    raw = packed(part, bits, kind, order, predictor)
    raw = zlib.compress(raw) if compression == 8 else raw
    return raw.translate(bytes(int(f"{b:08b}"[::-1], 2) for b in range(256))) if fill_order == 2 else raw


def packed(part: np.ndarray, bits: int, kind: str, order: str, predictor: int = 1) -> bytes:
    """Rows that begin on a whole byte."""
    if predictor == 3:
        high, wide, count = part.shape
        big = np.ascontiguousarray(part.astype(f">f{bits // 8}"))
        bytewise = big.view(np.uint8).reshape(high, wide * count, bits // 8).transpose(0, 2, 1).reshape(high, -1, count)
        steps = np.diff(bytewise, axis=1, prepend=np.zeros((high, 1, count), np.uint8))
        return steps.astype(np.uint8).tobytes()
    if bits in (8, 16, 32, 64):
        values = part.astype(f"{kind}{bits // 8}")
        if predictor == 2:
            values = values.view(f"u{bits // 8}")
            values = np.diff(values, axis=1, prepend=np.zeros_like(values[:, :1]))
        return values.astype(f"{order}{values.dtype.kind}{bits // 8}").tobytes()
    if bits == 24:
        four = part.astype(f"{order}u4").view(np.uint8).reshape(-1, 4)
        return (four[:, :3] if order == "<" else four[:, 1:]).tobytes()
    lines = []
    for row in part.reshape(len(part), -1):
        text = "".join(f"{int(v):0{bits}b}" for v in row)
        text += "0" * (-len(text) % 8)
        lines.append(int(text, 2).to_bytes(len(text) // 8, "big"))
    return b"".join(lines)
