"""A slice of the manifest while it is sorted: what all phases ask about its rows, each answer worked out once.

predicates ──> masks;  task, texts, references ──> small arrays
sizes ──> distinct ones ──bucket.py──> buckets at a resolution, looked up by row
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, cast

import numpy as np
import pyarrow as pa

from pipeline.predicate import parse
from trainer.order.bucket import FITS, fit_buckets, windows
from trainer.order.conditions import fits_encoders
from trainer.order.rows import Rows, column

if TYPE_CHECKING:
    from trainer.order.bucket import Bucket

TASKS = ("i2i", "t2i", "ti2i")
I2I, T2I, TI2I = range(3)
UNKNOWN_TASK = -1


@dataclass(frozen=True)
class _Fits:
    """Buckets of the distinct sizes of a slice: ``code`` (2, d) numbers in ``buckets`` (b, 2) px, ``outcome`` (2, d); first
    for pictures that may be cut, then for those that may not."""

    buckets: np.ndarray
    code: np.ndarray
    outcome: np.ndarray


class Slice:
    """The rows ``start`` to ``start`` + len(table) - 1; all arrays are by place in the slice."""

    def __init__(self, table: pa.Table, start: int, rows: Rows) -> None:
        self.table, self.start, self._rows = table, start, rows
        self._masks: dict[str, tuple[np.ndarray, int]] = {}
        self._fits: dict[tuple[int, float], _Fits] = {}

    def __len__(self) -> int:
        return len(self.table)

    def holds(self, text: str, where: str) -> tuple[np.ndarray, int]:
        """(n,) bool whether a predicate is true, and for how many rows it is unknown. ``where`` names it in errors."""
        if text not in self._masks:
            found = parse(text, where).evaluate(self.table)
            self._masks[text] = (found.fill_null(False).to_numpy(zero_copy_only=False), found.null_count)
        return self._masks[text]

    @cached_property
    def tasks(self) -> np.ndarray:
        """(n,) int8 places in TASKS, UNKNOWN_TASK for anything else."""
        encoded = self.table["task"].combine_chunks()
        encoded = encoded.chunk(0) if isinstance(encoded, pa.ChunkedArray) else encoded
        encoded = encoded if pa.types.is_dictionary(encoded.type) else encoded.dictionary_encode()
        names = encoded.dictionary.to_pylist()
        known = [TASKS.index(name) if name in TASKS else UNKNOWN_TASK for name in names]
        indices = encoded.indices.cast(pa.int32()).fill_null(len(known)).to_numpy(zero_copy_only=False)
        return np.array([*known, UNKNOWN_TASK], dtype=np.int8)[indices]

    @cached_property
    def undrawn(self) -> np.ndarray:
        """(n,) bool: repeats are 0."""
        repeats = self._rows.repeats
        return np.zeros(len(self), bool) if repeats is None else repeats[self.start : self.start + len(self)] <= 0

    def lacks(self, name: str) -> np.ndarray:
        """(n,) bool: the column ``name`` counts no valid text."""
        counts = column(self.table, name, np.int32, 0)
        return np.zeros(len(self), dtype=bool) if counts is None else counts == 0

    @cached_property
    def no_caption(self) -> np.ndarray:
        return self.lacks("n_captions")

    @cached_property
    def no_instruction(self) -> np.ndarray:
        return self.lacks("n_instructions")

    @cached_property
    def references(self) -> np.ndarray:
        """(n,) int32 numbers of references."""
        return self._referring[0]

    @cached_property
    def thin_reference(self) -> np.ndarray:
        """(n,) bool: one that the encoders do not take."""
        return self._referring[1]

    @property
    def tells_references(self) -> bool:
        return "ref_sizes" in self.table.column_names

    @cached_property
    def _referring(self) -> tuple[np.ndarray, np.ndarray]:
        counts, thin = np.zeros(len(self), dtype=np.int32), np.zeros(len(self), dtype=bool)
        rows = self._rows
        some = slice(*np.searchsorted(rows.referring, np.array([self.start, self.start + len(self)], np.int32)))
        places = rows.referring[some] - self.start
        counts[places], thin[places] = rows.reference_counts[some], ~fits_encoders(rows.reference_sizes[some])
        return counts, thin

    @cached_property
    def _quoted(self) -> np.ndarray:
        """(n,) int32 places in ``Rows.boxes``, -1 for none."""
        found = np.full(len(self), -1, dtype=np.int32)
        first, last = np.searchsorted(self._rows.quoted, np.array([self.start, self.start + len(self)], np.int32))
        found[self._rows.quoted[first:last] - self.start] = np.arange(first, last)
        return found

    @cached_property
    def _sizes(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(n,) numbers of the rows' sizes, (d, 2) distinct sizes in px, and (d,) whether pictures of them were drawn."""
        width, height = (cast(np.ndarray, column(self.table, name, np.int64, 1)) for name in ("width", "height"))
        drawn = np.zeros(len(self), np.int64)
        if "recipe" in self.table.column_names:
            drawn = self.table["recipe"].is_valid().to_numpy().astype(np.int64)
        encoded = pa.array(width << 32 | height << 1 | drawn).dictionary_encode()
        distinct = encoded.dictionary.to_numpy()
        size = np.stack([distinct >> 32, distinct >> 1 & 0x7FFFFFFF], axis=1)
        return encoded.indices.to_numpy(), size, (distinct & 1).astype(bool)

    def fit(
        self, inside: np.ndarray, tasks: np.ndarray, resolution: int, upscale: float
    ) -> tuple[list[Bucket], np.ndarray, np.ndarray]:
        """Buckets of the rows at ``inside`` (m,) trained as ``tasks`` (m,): distinct buckets, (m,) int32 numbers in them,
        and (m,) int8 outcomes of ``fit_buckets``. Text that a caption quotes is not cut where a row is trained on it."""
        code_of, size, drawn = self._sizes
        fits = self._fits_at(resolution, upscale)
        whole = tasks == TI2I
        distinct = code_of[inside]
        code, outcome = fits.code[whole.astype(np.int8), distinct], fits.outcome[whole.astype(np.int8), distinct]
        buckets = fits.buckets
        at_risk = (self._quoted[inside] >= 0) & (tasks == T2I)
        at_risk[at_risk] = (buckets[code[at_risk]] != size[distinct[at_risk]]).any(axis=1)
        risk = np.flatnonzero(at_risk)
        if len(risk):
            keep = self._rows.boxes[self._quoted[inside[risk]]]
            _, holds = windows(size[distinct[risk]], buckets[code[risk]], keep)
            again = ~(holds & (outcome[risk] == FITS))
            risk, keep = risk[again], keep[again]
        if len(risk):
            which = distinct[risk]
            further, outcome[risk] = fit_buckets(
                size[which], resolution, upscale, keep, np.zeros(len(risk), dtype=bool), drawn[which]
            )
            own, places = np.unique(further, axis=0, return_inverse=True)
            code[risk] = len(buckets) + places.reshape(-1)
            buckets = np.concatenate([buckets, own])
        return [(int(w), int(h)) for w, h in buckets], code, outcome

    def _fits_at(self, resolution: int, upscale: float) -> _Fits:
        """Of all distinct sizes, nothing quoted."""
        key = (resolution, upscale)
        if key not in self._fits:
            _, size, drawn = self._sizes
            nothing = np.zeros((len(size), 4), dtype=np.int64)
            found = [
                fit_buckets(size, resolution, upscale, nothing, np.full(len(size), whole), drawn)
                for whole in (False, True)
            ]
            both = np.concatenate([bucket for bucket, _ in found])
            packed, code = np.unique(both[:, 0] << 32 | both[:, 1], return_inverse=True)
            buckets = np.stack([packed >> 32, packed & 0xFFFFFFFF], axis=1)
            outcome = np.stack([outcome for _, outcome in found])
            self._fits[key] = _Fits(buckets, code.reshape(2, -1).astype(np.int32), outcome)
        return self._fits[key]
