"""From the bytes of a row to its samples: any number of bits, either byte order, and the two predictors of TIFF."""

from __future__ import annotations

import numpy as np

Shape = tuple[int, int, int]
_AT_ONCE = 1 << 20
"""Samples whose bits are spread out at a time: each takes a byte a bit then."""


def unpacked(raw: bytes, shape: Shape, bits: int, kind: str, order: str) -> np.ndarray:
    """Rows that begin on a whole byte -> ``shape`` (rows, columns, samples). ``kind``: u, i or f; ``order``: < or >."""
    if bits in (8, 16, 32, 64):
        values = np.frombuffer(raw, dtype=f"{order}{kind}{bits // 8}", count=shape[0] * shape[1] * shape[2])
        return values.astype(values.dtype.newbyteorder("="), copy=False).reshape(shape)
    if bits == 24:
        parts = np.frombuffer(raw, dtype=np.uint8).reshape(-1, 3).astype(np.uint32)
        low, high = (0, 2) if order == "<" else (2, 0)
        return (parts[:, high] << 16 | parts[:, 1] << 8 | parts[:, low]).reshape(shape)
    return _bits(np.frombuffer(raw, dtype=np.uint8).reshape(shape[0], -1), shape, bits)


def accumulated(raw: bytes, shape: Shape, bits: int, kind: str, order: str, predictor: int) -> np.ndarray:
    """Samples that were stored as differences from their left neighbor: 2, of integers; 3, of the bytes of floats."""
    if predictor == 2:
        values = unpacked(raw, shape, bits, "u", order)
        return np.cumsum(values, axis=1, dtype=values.dtype).view(f"{kind}{bits // 8}")
    rows, columns, samples = shape
    steps = np.frombuffer(raw, dtype=np.uint8).reshape(rows, -1, samples)
    parts = np.cumsum(steps, axis=1, dtype=np.uint8).reshape(rows, bits // 8, columns * samples)
    floats = np.ascontiguousarray(parts.transpose(0, 2, 1)).view(f">f{bits // 8}")
    return floats.astype(floats.dtype.newbyteorder("=")).reshape(shape)


def _bits(rows: np.ndarray, shape: Shape, bits: int) -> np.ndarray:
    """Samples that are no whole bytes: one stream of bits, the highest first, whatever the byte order."""
    dtype = np.uint8 if bits < 8 else np.uint16 if bits < 16 else np.uint32
    values = np.empty(shape, dtype=dtype)
    each = shape[1] * shape[2]
    step = max(1, _AT_ONCE // max(each, 1))
    for top in range(0, shape[0], step):
        spread = np.unpackbits(rows[top : top + step], axis=1, count=each * bits).reshape(-1, each, bits)
        sums = np.zeros(spread.shape[:2], dtype=dtype)
        for bit in range(bits):
            sums = sums << 1 | spread[..., bit]
        values[top : top + step] = sums.reshape(-1, *shape[1:])
    return values
