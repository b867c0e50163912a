"""What the order keeps of the manifest's rows while a training runs: flat arrays, a few bytes a row, no objects.

table ──> repeats, text level, text tokens   an array each
          boxes of quoted text, references   of the rows that have them, found by bisection
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MAX_REFERENCES = 3
"""References of a sample, as many as the released pipelines are made for."""
_PIECE = 1 << 22
"""Rows whose lists are unpacked at once."""
UNKNOWN_LEVEL = -1
"""``levels`` of a row whose text nobody has read."""


@dataclass(frozen=True)
class Rows:
    """Columns of the manifest by row number; a column that the table lacks is None, and nothing is held against its rows.

    ``same``: bool, the row is one of I2I itself. ``repeats``: float32, 1 where unknown. ``levels``: int8.
    ``text_tokens``: of the longest text, closing ones counted.
    ``quoted``: (q,) ascending rows with ``boxes`` (q, 4) px. ``referring``: (r,) ascending rows with references:
    ``reference_counts`` (r,), and ``reference_sizes`` (r, 3, 2) width, height in px of the first three.
    """

    count: int
    same: np.ndarray | None
    repeats: np.ndarray | None
    levels: np.ndarray | None
    text_tokens: np.ndarray | None
    quoted: np.ndarray
    boxes: np.ndarray
    referring: np.ndarray
    reference_counts: np.ndarray
    reference_sizes: np.ndarray

    @classmethod
    def of(cls, table: pa.Table) -> Rows:
        """From the manifest or the narrow index of it."""
        quoted, _, boxes = _lists(table, "quoted_box", 4)
        referring, lengths, sizes = _lists(table, "ref_sizes", MAX_REFERENCES * 2)
        return cls(
            len(table),
            _equal(table, "task", "i2i"),
            _repeats(table),
            column(table, "text_level", np.int8, UNKNOWN_LEVEL),
            column(table, "text_tokens", None, 0),
            quoted,
            boxes,
            referring,
            lengths // 2,
            sizes.reshape(-1, MAX_REFERENCES, 2),
        )

    def own_instruction(self, rows: np.ndarray) -> np.ndarray:
        """(n,) whether a row that is trained as I2I may bring its own instruction: an edit's asks for something else."""
        return np.ones(len(rows), dtype=bool) if self.same is None else self.same[rows]

    def keeps(self, rows: np.ndarray) -> np.ndarray:
        """(n, 4) int32 boxes of quoted text in px, zeros where there is none."""
        found = np.zeros((len(rows), 4), dtype=np.int32)
        at, there = _places(self.quoted, rows)
        found[there] = self.boxes[at[there]]
        return found

    def references(self, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n,) numbers of references, and (n, 3, 2) int32 sizes in px of the first three, zeros where there are fewer."""
        counts = np.zeros(len(rows), dtype=np.int32)
        sizes = np.zeros((len(rows), MAX_REFERENCES, 2), dtype=np.int32)
        at, there = _places(self.referring, rows)
        counts[there], sizes[there] = self.reference_counts[at[there]], self.reference_sizes[at[there]]
        return counts, sizes


def _repeats(table: pa.Table) -> np.ndarray | None:
    found = column(table, "repeats", np.float32, 1.0)
    return np.nan_to_num(found, nan=1.0) if found is not None and len(found) and np.isnan(found.min()) else found


def column(table: pa.Table, name: str, dtype: type | None, null: float) -> np.ndarray | None:
    """A column as one array of ``dtype`` (None: of its own) with ``null`` for what is null; None where the table lacks it.

    Without a copy where that can be.
    """
    if name not in table.column_names:
        return None
    values = table[name]
    if values.null_count:
        values = pc.fill_null(values, pa.scalar(null).cast(values.type))
    whole = values.chunk(0) if values.num_chunks == 1 else values
    return whole.to_numpy(zero_copy_only=False).astype(dtype, copy=False) if dtype else whole.to_numpy()


def _equal(table: pa.Table, name: str, value: str) -> np.ndarray | None:
    """(rows,) bool; None where the table lacks the column."""
    if name not in table.column_names:
        return None
    found = np.zeros(len(table), dtype=bool)
    start = 0
    for chunk in table[name].chunks:
        found[start : start + len(chunk)] = pc.equal(chunk, value).fill_null(False).to_numpy(zero_copy_only=False)
        start += len(chunk)
    return found


def _lists(table: pa.Table, name: str, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Rows with a list that is not empty, its length, and its first ``width`` values, zeros where it has fewer."""
    rows, lengths, values = [np.zeros(0, np.int32)], [np.zeros(0, np.int32)], [np.zeros((0, width), np.int32)]
    if name in table.column_names and (whole := _unpadded(table[name], width)) is not None:
        return whole
    for start, chunk in _pieces(table[name]) if name in table.column_names else ():
        offsets = chunk.offsets.to_numpy()
        length = np.where(np.asarray(chunk.is_valid()), np.diff(offsets), 0)
        found = np.flatnonzero(length)
        first, length = offsets[found, None], length[found]
        inside = np.arange(width) < length[:, None]
        places = np.where(inside, first + np.arange(width), first)
        values.append(np.where(inside, chunk.values.to_numpy()[places], 0).astype(np.int32))
        rows.append((found + start).astype(np.int32))
        lengths.append(length.astype(np.int32))
    return np.concatenate(rows), np.concatenate(lengths), np.concatenate(values)


def _unpadded(column_: pa.ChunkedArray, width: int) -> tuple[np.ndarray, np.ndarray, np.ndarray] | None:
    """The same without a copy of the values, where there is one chunk and every list has ``width`` of them."""
    if column_.num_chunks != 1:
        return None
    chunk = column_.chunk(0)
    rows = [
        np.flatnonzero(np.diff(chunk.offsets[first : first + _PIECE + 1].to_numpy())).astype(np.int32) + np.int32(first)
        for first in range(0, len(chunk), _PIECE)
    ]
    found = np.concatenate([np.zeros(0, np.int32), *rows])
    first, last = chunk.offsets[0].as_py(), chunk.offsets[len(chunk)].as_py()
    if last - first != width * len(found) or not chunk.is_valid().to_numpy(zero_copy_only=False)[found].all():
        return None
    values = chunk.values.to_numpy()[first:last].reshape(-1, width)
    return found, np.full(len(found), width, dtype=np.int32), values


def _pieces(column_: pa.ChunkedArray) -> Iterator[tuple[int, pa.ListArray]]:
    """(first row, a piece of the column) one after the other."""
    start = 0
    for chunk in column_.chunks:
        for first in range(0, len(chunk), _PIECE):
            yield start + first, chunk.slice(first, _PIECE)
        start += len(chunk)


def _places(sorted_: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each of ``rows`` stands in ``sorted_``, and whether it does."""
    order = np.argsort(rows)  # one after the other they are found in the cache
    at = np.empty(len(rows), dtype=np.int64)
    at[order] = np.searchsorted(sorted_, rows[order].astype(sorted_.dtype))  # of another type it would be copied whole
    at[at == len(sorted_)] = 0
    return at, (sorted_[at] == rows) if len(sorted_) else np.zeros(len(rows), dtype=bool)
