"""What the order keeps of the manifest's rows while a training runs: flat arrays, a few bytes a row, no objects.

table ──> repeats, text level, text tokens   an array each
          boxes of quoted text, references   of the rows that have them, found by bisection
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

if TYPE_CHECKING:
    import pyarrow as pa

MAX_REFERENCES = 3
"""References of a sample, as many as the released pipelines are made for."""
UNKNOWN_LEVEL = -1
"""``levels`` of a row whose text nobody has read."""


@dataclass(frozen=True)
class Rows:
    """Columns of the manifest by row number; a column that the table lacks is None, and nothing is held against its rows.

    ``same``: bool, the row is one of I2I itself. ``repeats``: float32, NaN unknown. ``levels``: int8. ``text_tokens``: of the longest text, closing ones counted.
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
            column(table, "repeats", np.float32, np.nan),
            column(table, "text_level", np.int8, UNKNOWN_LEVEL),
            column(table, "text_tokens", np.int32, 0),
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


def column(table: pa.Table, name: str, dtype: type, null: float) -> np.ndarray | None:
    """A column as one array with ``null`` for what is null; None where the table lacks it."""
    if name not in table.column_names:
        return None
    found: np.ndarray = np.empty(len(table), dtype=dtype)
    start = 0
    for chunk in table[name].chunks:
        filled = chunk.fill_null(null) if chunk.null_count else chunk
        found[start : start + len(chunk)] = filled.to_numpy(zero_copy_only=False)
        start += len(chunk)
    return found


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
    start = 0
    for chunk in table[name].chunks if name in table.column_names else ():
        length = np.nan_to_num(chunk.value_lengths().to_numpy(zero_copy_only=False)).astype(np.int32)
        found = np.flatnonzero(length)
        offsets = chunk.offsets.to_numpy()[found]
        places = offsets[:, None] + np.arange(width)
        inside = np.arange(width) < length[found, None]
        flat = chunk.values.to_numpy(zero_copy_only=False)
        values.append(np.where(inside, flat[np.where(inside, places, offsets[:, None])], 0).astype(np.int32))
        rows.append((found + start).astype(np.int32))
        lengths.append(length[found])
        start += len(chunk)
    return np.concatenate(rows), np.concatenate(lengths), np.concatenate(values)


def _places(sorted_: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Where each of ``rows`` stands in ``sorted_``, and whether it does."""
    at = np.searchsorted(sorted_, rows.astype(sorted_.dtype, copy=False))  # of another type it would be copied whole
    at[at == len(sorted_)] = 0
    return at, (sorted_[at] == rows) if len(sorted_) else np.zeros(len(rows), dtype=bool)
