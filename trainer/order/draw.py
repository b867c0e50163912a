"""Drawing without replacement, by number: pure functions of (key, draw number).

    draw k of a stratum of n rows -> epoch k // n, place k % n
    place --keyed permutation of the epoch--> point in [0, n) --cumulated repeats--> row

In an epoch every row is drawn floor(repeats) or ceil(repeats) times, and every row once where repeats
are equal. No state: draw 10^9 costs what draw 0 costs. All draws of a batch are made in one call, whatever
strata they are of.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from trainer.order.row_sets import RowSets

_ROUNDS = 4
_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
_BLOCK = 16
"""Rows between two sums that are kept of unequal repeats: a draw adds up that many again (chosen)."""
_PIECE = 1 << 22
"""Rows whose repeats are added up at once."""


def mix(*parts: np.ndarray | int) -> np.ndarray:
    """uint64 hash of integers, broadcast against each other (splitmix64's finaliser over a running sum)."""
    state: np.ndarray = np.asarray(_MULTIPLIER)
    with np.errstate(over="ignore"):
        for part in parts:
            state = _mixed(state, np.asarray(part).astype(np.uint64))
    return state


def permute(index: np.ndarray, n: np.ndarray | int, key: np.ndarray | int) -> np.ndarray:
    """Image of ``index`` (each in 0..n-1) under a permutation of n numbers chosen by ``key``; the three broadcast.

    A balanced Feistel network over the next even number of bits; results beyond n walk on until they
    fall inside, at most four times as many steps on average.
    """
    index, n, key = np.broadcast_arrays(np.asarray(index), np.asarray(n), np.asarray(key, dtype=np.uint64))
    bits = np.frexp(np.maximum(n - 1, 1).astype(np.float64))[1]  # exact below 2^53
    half = np.maximum(1, (bits + 1) // 2).astype(np.uint64)
    mask = (np.uint64(1) << half) - np.uint64(1)
    keys = np.stack([mix(key, number) for number in range(_ROUNDS)])
    limit = n.astype(np.uint64)
    value = _feistel(index.astype(np.uint64), keys, half, mask)
    outside = np.flatnonzero(value >= limit)
    while len(outside):
        value[outside] = _feistel(value[outside], keys[:, outside], half[outside], mask[outside])
        outside = outside[value[outside] >= limit[outside]]
    return value.astype(np.int64)


class Weights:
    """Repeats of the rows of several strata, and which row a draw gives.

    Equal repeats need no memory; of unequal ones every 16th running sum is kept, scaled so that a stratum's end at its
    number of rows. ``totals``: (strata,) sums of repeats.
    """

    def __init__(self, strata: RowSets, repeats: np.ndarray | None) -> None:
        """``repeats``: (manifest rows,) float32, above 0 where a stratum has a row, None: all are 1."""
        self._rows, self._repeats = strata, repeats
        sums = [_sums(strata, index, repeats) for index in range(len(strata.counts))]
        self.totals = np.array([total for total, _ in sums])
        self._equal = np.array([blocks is None for _, blocks in sums])
        blocks = [np.zeros(0) if found is None else found for _, found in sums]
        self._blocks = np.concatenate(blocks)
        self._block_counts = np.array([len(found) for found in blocks])
        self._first_block = np.cumsum(self._block_counts) - self._block_counts

    def draw(self, strata: np.ndarray, numbers: np.ndarray, keys: np.ndarray) -> np.ndarray:
        """(k,) manifest rows of the draws ``numbers`` (k,) of ``strata`` (k,), each with the key of its stratum (k,)."""
        n = self._rows.counts[strata]
        epoch, place = np.divmod(np.asarray(numbers, dtype=np.int64), n)
        epoch_keys = mix(keys, epoch)
        inside = permute(place, n, epoch_keys)
        uneven = np.flatnonzero(~self._equal[strata])
        if len(uneven):
            # one offset for the epoch: equal spacing makes the counts exact
            offset = mix(epoch_keys[uneven], 1).astype(np.float64) / 2.0**64
            inside[uneven] = self._at(strata[uneven], inside[uneven] + offset)
        return self._rows.rows(self._rows.starts[strata] + inside)

    def _at(self, strata: np.ndarray, points: np.ndarray) -> np.ndarray:
        """(k,) places in their strata at which the scaled running sums first exceed ``points``."""
        assert self._repeats is not None
        n = self._rows.counts[strata]
        scale = n / self.totals[strata]
        first = self._first_block[strata]
        block = self._block_of(first, self._block_counts[strata], points, scale)
        places = block[:, None] * _BLOCK + np.arange(_BLOCK)
        there = places < n[:, None]
        rows = self._rows.rows(self._rows.starts[strata][:, None] + np.where(there, places, 0))
        added = np.where(there, self._repeats[rows].astype(np.float64), 0.0)
        before = np.where(block > 0, self._blocks[np.maximum(first + block - 1, 0)], 0.0)
        running = np.cumsum(np.hstack([before[:, None], added]), axis=1)[:, 1:] * scale[:, None]
        return np.minimum(block * _BLOCK + (running <= points[:, None]).sum(axis=1), n - 1)

    def _block_of(self, first: np.ndarray, count: np.ndarray, points: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """(k,) the first of each stratum's blocks whose end exceeds the point, by bisection; at most the last one."""
        low, high = np.zeros_like(first), count - 1
        while (low < high).any():
            middle = (low + high) // 2
            beyond = self._blocks[first + middle] * scale > points
            low, high = np.where(beyond, low, middle + 1), np.where(beyond, middle, high)
            low = np.minimum(low, high)
        return low


def _sums(strata: RowSets, index: int, repeats: np.ndarray | None) -> tuple[float, np.ndarray | None]:
    """Sum of the repeats of a stratum's rows, and the running sum at every 16th; None where all repeats are equal."""
    count, start = int(strata.counts[index]), int(strata.starts[index])
    if repeats is None:
        return float(count), None

    def pieces() -> Iterator[np.ndarray]:
        for first in range(start, start + count, _PIECE):
            yield repeats[strata.span(first, min(first + _PIECE, start + count))].astype(np.float64)

    total, carry, ends = 0.0, 0.0, []
    least, most = np.inf, -np.inf
    for weights in pieces():
        total += weights.sum()
        least, most = min(least, weights.min()), max(most, weights.max())
    if least == most:
        return total, None
    for weights in pieces():
        running = np.cumsum(np.concatenate([[carry], weights]))[1:]
        carry = running[-1]
        ends.append(running[_BLOCK - 1 :: _BLOCK].copy())  # a view would keep all of the sums
    if count % _BLOCK:
        ends.append(np.array([carry]))
    return total, np.concatenate(ends)


def _feistel(value: np.ndarray, keys: np.ndarray, half: np.ndarray, mask: np.ndarray) -> np.ndarray:
    left, right = value >> half, value & mask
    with np.errstate(over="ignore"):
        for key in keys:
            left, right = right, left ^ (_mixed(key, right) & mask)
    return (left << half) | right


def _mixed(state: np.ndarray, part: np.ndarray) -> np.ndarray:
    state = (part + state) * _MULTIPLIER
    state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))
