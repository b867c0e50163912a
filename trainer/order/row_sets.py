"""Row numbers of strata in two bytes each: their low 16 bits, under the high ones of each block of 65,536 rows.

strata laid end to end: position ──bisection──> block ──> block * 65536 + low[position] = row
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

BLOCK = 1 << 16
"""Rows of a block; whoever adds rows piece by piece cuts the pieces at its multiples."""


class RowSet:
    """Ascending rows of one stratum, added piece by piece."""

    def __init__(self) -> None:
        self.low: list[np.ndarray] = []
        self.blocks: list[np.ndarray] = []
        self.counts: list[np.ndarray] = []

    def add(self, rows: np.ndarray) -> None:
        """``rows``: ascending, in blocks above those of all rows added before."""
        block = (rows >> 16).astype(np.int32)
        first = np.concatenate([[0], np.flatnonzero(np.diff(block)) + 1])
        self.low.append(rows.astype(np.uint16))  # the low 16 bits
        self.blocks.append(block[first])
        self.counts.append(np.diff([*first, len(rows)]).astype(np.int32))


class RowSets:
    """The rows of several strata, one after the other; a position counts through all of them."""

    def __init__(self, sets: Iterable[RowSet]) -> None:
        """Takes the pieces out of ``sets``: there is no memory for both."""
        low, blocks, counts, lengths = [], [], [], []
        for one in sets:
            lengths.append(sum(map(len, one.low)))
            low += one.low
            blocks += one.blocks
            counts += one.counts
            one.low = []
        self._low = np.empty(sum(lengths), dtype=np.uint16)
        filled = 0
        while low:
            piece = low.pop(0)
            self._low[filled : filled + len(piece)] = piece
            filled += len(piece)
        self._blocks = np.concatenate(blocks)
        self._positions = np.concatenate([[0], np.cumsum(np.concatenate(counts), dtype=np.int64)])
        self.counts = np.array(lengths, dtype=np.int64)
        self.starts = np.cumsum(self.counts) - self.counts

    def rows(self, positions: np.ndarray) -> np.ndarray:
        """int64 rows at these positions, in any order and shape."""
        block = np.searchsorted(self._positions, positions, side="right") - 1
        return (self._blocks[block].astype(np.int64) << 16) | self._low[positions]

    def span(self, first: int, last: int) -> np.ndarray:
        """int32 rows at the positions ``first`` to ``last`` - 1."""
        low, high = np.searchsorted(self._positions, [first, last], side="left")
        low -= int(low == len(self._blocks) or self._positions[low] > first)
        counts = np.diff(np.clip(self._positions[low : high + 1], first, last))
        return (np.repeat(self._blocks[low:high], counts) << 16) | self._low[first:last]

    def of(self, stratum: int) -> np.ndarray:
        """int32 rows of one stratum, ascending."""
        start = int(self.starts[stratum])
        return self.span(start, start + int(self.counts[stratum]))
