"""Drawing without replacement, by number: pure functions of (key, draw number).

    draw k of a stratum of n rows -> epoch k // n, place k % n
    place --keyed permutation of the epoch--> point in [0, n) --cumulated repeats--> row

In an epoch every row is drawn floor(repeats) or ceil(repeats) times, and every row once where repeats
are 1. No state: draw 10^9 costs what draw 0 costs.
"""

from __future__ import annotations

import numpy as np

_ROUNDS = 4


def mix(*parts: np.ndarray | int) -> np.ndarray:
    """uint64 hash of integers, broadcast against each other (splitmix64's finaliser over a running sum)."""
    state: np.ndarray = np.asarray(0x9E3779B97F4A7C15, dtype=np.uint64)
    with np.errstate(over="ignore"):
        for part in parts:
            state = (np.asarray(part).astype(np.uint64) + state) * np.uint64(0x9E3779B97F4A7C15)
            state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
            state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
            state = state ^ (state >> np.uint64(31))
    return state


def permute(index: np.ndarray, n: int, key: np.ndarray | int) -> np.ndarray:
    """Image of ``index`` (each in 0..n-1) under a permutation of n numbers chosen by ``key``.

    A balanced Feistel network over the next even number of bits; results beyond n walk on until they
    fall inside, at most four times as many steps on average.
    """
    half = max(1, (int(n - 1).bit_length() + 1) // 2)
    mask = np.uint64((1 << half) - 1)
    value = np.asarray(index).astype(np.uint64)
    keys = np.broadcast_to(np.asarray(key, dtype=np.uint64), value.shape)
    value = _feistel(value, keys, half, mask)
    outside = value >= n
    while outside.any():
        value = np.where(outside, _feistel(value, keys, half, mask), value)
        outside = value >= n
    return value.astype(np.int64)


def draw(numbers: np.ndarray, cumulated: np.ndarray, key: int) -> np.ndarray:
    """Rows (0..n-1) of the draws ``numbers``; ``cumulated``: (n,) running sum of repeats, scaled to end at n."""
    n = len(cumulated)
    epoch, place = np.divmod(np.asarray(numbers, dtype=np.int64), n)
    keys = mix(key, epoch)
    offset = mix(keys, 1).astype(np.float64) / 2.0**64  # one for the epoch: equal spacing makes the counts exact
    points = permute(place, n, keys) + offset
    return np.minimum(np.searchsorted(cumulated, points, side="right"), n - 1)


def _feistel(value: np.ndarray, keys: np.ndarray, half: int, mask: np.uint64) -> np.ndarray:
    left, right = value >> np.uint64(half), value & mask
    for number in range(_ROUNDS):
        left, right = right, left ^ (mix(keys, number, right) & mask)
    return (left << np.uint64(half)) | right
