"""Near duplicates among many rows: exact, and without ever holding all pairs.

    rows in rank order ──few close pairs──> pairs ──greedy──> kept, copies
                       ──too many────────> first half ──its kept rows──> second half less their copies   (and so on)

Two 64-bit hashes that differ in at most r bits agree wholly on s of r + s blocks of bits. So for each choice of s blocks
the rows are sorted by them, and only rows that share all of them are compared: 2 blocks mean few sorts, 3 few comparisons
among many rows. Where there are too many pairs, rows are alike by the thousand, and the few that are kept of the first
half take most of the second one away.

The result is that of the plain greedy: rows in order, each a copy of the first kept row that it is near to and agrees
with, else kept itself.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

_BITS = 64
_PAIRS, _PAIRS_PER_ROW = 1 << 23, 48
"""Pairs that are looked at before rows are halved; chosen: a second's work, and what 10 million unlike rows need."""
_FEW = 1024
"""Rows that are compared whatever comes out; chosen."""
_CHUNK = 1 << 21
"""Pairs, and rows that they are looked for of, that stand in memory; chosen."""
_POSITION = np.uint64(0xFFFF)
"""Low bits of a key: the position within a group."""

Agree = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(row numbers, row numbers) -> bool (n,): a check of pairs whose hashes are near."""


@dataclass(frozen=True)
class NearRows:
    """What is compared, in order of rank; all (N,).

    ``hashes``, ``groups``: uint64; rows of unlike groups are never compared. ``at``, ``low``, ``high``: uint16; a row is
    compared with rows whose ``at`` is from its ``low`` to its ``high``: what narrows a search in large groups.
    """

    hashes: np.ndarray
    groups: np.ndarray
    at: np.ndarray
    low: np.ndarray
    high: np.ndarray


def greedy_near(
    rows: NearRows, radius: int, agree: Agree, confirm: Agree | None = None, shared: int | None = None
) -> np.ndarray:
    """int64 (N,): the row that each is a copy of, itself where it is kept. ``radius``: bits, 0 to 61.

    ``confirm``: a further check of those that agree; it costs more and is asked of many pairs at once. ``shared``: the
    blocks that near rows have in common, None for what costs least; the result is the same.
    """
    search = _Search(rows, radius, agree, confirm, shared or _shared(len(rows.hashes), radius))
    search.settle(np.arange(len(rows.hashes)))
    return search.kept_of


def _shared(count: int, radius: int) -> int:
    """How many blocks are to be shared by ``count`` rows: a comparison costs about as much as a row's part in a sort
    (0.16 and 0.12 CPU microseconds, measured at 10 million rows)."""

    def cost(shared: int) -> float:
        return math.comb(radius + shared, shared) * (1 + count * 2.0 ** (-_BITS * shared / (radius + shared)))

    return min((2, 3), key=cost)


class _Search:
    def __init__(self, rows: NearRows, radius: int, agree: Agree, confirm: Agree | None, shared: int) -> None:
        self.rows, self.radius, self.agree, self.confirm = rows, radius, agree, confirm
        self.kept_of = np.arange(len(rows.hashes))
        edges = np.linspace(0, _BITS, radius + shared + 1).astype(int)
        blocks = [((1 << int(high - low)) - 1) << int(low) for low, high in itertools.pairwise(edges)]
        self.masks = [np.uint64(sum(chosen)) for chosen in itertools.combinations(blocks, shared)]

    def settle(self, rows: np.ndarray) -> np.ndarray:
        """Decide ``rows`` (ascending), none of them near to a row that is kept already; gives those that are kept."""
        pairs = self._pairs(rows)
        if pairs is None:
            half = len(rows) // 2
            kept = self.settle(rows[:half])
            return np.concatenate([kept, self.settle(self._without_copies(kept, rows[half:]))])
        copies: dict[int, int] = {}
        for first, second in pairs.tolist():  # by the second, then by the first: all before a row is decided
            if second not in copies and first not in copies:
                copies[second] = first
        self.kept_of[list(copies)] = list(copies.values())
        return rows[self.kept_of[rows] == rows]

    def _pairs(self, rows: np.ndarray) -> np.ndarray | None:
        """int64 (P, 2): pairs of ``rows`` that are near and agree, sorted by the second; None if too many are possible."""
        found = [np.empty((0, 2), np.int64)]
        allowed = _PAIRS + _PAIRS_PER_ROW * len(rows) if len(rows) > _FEW else None
        for number, mask in enumerate(self.masks):
            keys = self._keys(rows, mask) | self.rows.at[rows]
            order = np.argsort(keys)
            keys, ordered = keys[order], rows[order]
            del order
            for start in range(0, len(rows), _CHUNK):
                here = slice(start, start + _CHUNK)
                starts = np.arange(start, start + len(keys[here])) + 1
                ends = np.searchsorted(keys, keys[here] & ~_POSITION | self.rows.high[ordered[here]], side="right")
                if allowed is not None and (allowed := allowed - int((ends - starts).sum())) < 0:
                    return None
                for one, other in _ranges(starts, ends):
                    a, b = ordered[start + one], ordered[other]
                    found.append(self._true_pairs(np.minimum(a, b), np.maximum(a, b), number))
        pairs = self._confirmed(np.concatenate(found))
        return pairs[np.lexsort((pairs[:, 0], pairs[:, 1]))]

    def _without_copies(self, kept: np.ndarray, rows: np.ndarray) -> np.ndarray:
        """``rows`` less those that are copies of a row in ``kept``, which are noted."""
        nobody = len(self.kept_of)
        first = np.full(nobody, nobody)
        for number, mask in enumerate(self.masks):
            keys = self._keys(kept, mask) | self.rows.at[kept]
            order = np.argsort(keys)
            keys, ordered = keys[order], kept[order]
            asked = rows[np.argsort(self._keys(rows, mask))]  # neighbors in a sorted array are found faster
            wanted = self._keys(asked, mask)
            starts = np.searchsorted(keys, wanted | self.rows.low[asked])
            ends = np.searchsorted(keys, wanted | self.rows.high[asked], side="right")
            for one, other in _ranges(starts, ends):
                pairs = self._confirmed(self._true_pairs(ordered[other], asked[one], number))
                np.minimum.at(first, pairs[:, 1], pairs[:, 0])
        found = first[rows] < nobody
        self.kept_of[rows[found]] = first[rows[found]]
        return rows[~found]

    def _confirmed(self, pairs: np.ndarray) -> np.ndarray:
        return pairs[self.confirm(pairs[:, 0], pairs[:, 1])] if self.confirm and len(pairs) else pairs

    def _keys(self, rows: np.ndarray, mask: np.uint64) -> np.ndarray:
        """uint64: equal for rows of one group with equal bits under ``mask``; room for the position in the low bits."""
        mixed = _mix(_mix(self.rows.hashes[rows] & mask) ^ self.rows.groups[rows])
        return mixed & ~_POSITION

    def _true_pairs(self, first: np.ndarray, second: np.ndarray, number: int) -> np.ndarray:
        """int64 (P, 2): of pairs that share the blocks of mask ``number`` those that are near, agree, and share the blocks
        of no earlier mask, under which they were found before."""
        unlike = self.rows.hashes[first] ^ self.rows.hashes[second]
        near = (np.bitwise_count(unlike) <= self.radius) & (self.rows.groups[first] == self.rows.groups[second])
        first, second, unlike = first[near], second[near], unlike[near]
        new = np.ones(len(first), bool)
        for mask in self.masks[:number]:
            new &= (unlike & mask) != 0
        first, second = first[new], second[new]
        true = self.agree(first, second)
        return np.column_stack((first[true], second[true]))


def _ranges(starts: np.ndarray, ends: np.ndarray) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """All pairs (i, k) with starts[i] <= k < ends[i], as two index arrays, about ``_CHUNK`` pairs at a time."""
    asked = np.flatnonzero(ends > starts)
    counts = (ends - starts)[asked]
    before = np.concatenate([[0], np.cumsum(counts)])
    for low in range(0, int(before[-1]), _CHUNK):
        high = min(low + _CHUNK, int(before[-1]))
        pairs = np.arange(low, high)
        begin, end = np.searchsorted(before, (low, high - 1), side="right") - 1
        part = slice(begin, end + 1)
        inside = np.minimum(before[1:][part], high) - np.maximum(before[:-1][part], low)
        i = np.repeat(np.arange(begin, end + 1), inside)
        yield asked[i], starts[asked[i]] + pairs - before[i]


def _mix(numbers: np.ndarray) -> np.ndarray:
    """Spread uint64 numbers over all bits (the finalizer of SplitMix64; Steele, Lea and Flood 2014)."""
    mixed = (numbers ^ (numbers >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return mixed ^ (mixed >> np.uint64(31))
