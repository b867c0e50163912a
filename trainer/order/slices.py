"""A slice of the manifest while it is sorted: what all phases ask about its rows, each answer worked out once.

predicates ──> masks
task, texts, references ──> why a row cannot be trained as a task ──┐
sizes ──bucket.py──> buckets at a resolution ───────────────────────┴──> a choice for each row, or a reason
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from threading import RLock
from typing import cast

import numpy as np
import pyarrow as pa

from model.templates import PICTURE_TOKENS
from pipeline.predicate import parse
from trainer.order.bucket import CUT, FITS, SMALL, THIN, Bucket, fit_buckets, windows
from trainer.order.conditions import Conditioning, fits_encoders
from trainer.order.rows import Rows, column

TASKS = ("i2i", "t2i", "ti2i")
_I2I, _T2I, _TI2I = range(3)
UNKNOWN_TASK = -1
REASONS = (
    *("small", "thin", "cut", "undrawn", "no_caption", "no_instruction"),
    *("no_reference", "many_references", "thin_reference"),
)
"""Fields of LeftOut; a row's code is -1 - the place of its reason."""
_OUTCOMES = {SMALL: "small", THIN: "thin", CUT: "cut"}


@dataclass(frozen=True)
class Choices:
    """What the rows of a slice are trained at: ``of`` (c,) a bucket and a number of references each, and ``code`` (n,) int32
    places in it, below 0 the reason why a row is not trained."""

    of: list[tuple[Bucket, int]]
    code: np.ndarray


def _code_of(reason: str) -> int:
    return -1 - REASONS.index(reason)


class Slice:
    """The rows ``start`` to ``start`` + len(table) - 1; all arrays are by place in the slice."""

    def __init__(self, table: pa.Table, start: int, rows: Rows, how: Conditioning) -> None:
        self.table, self.start, self._rows, self._how = table, start, rows, how
        self._masks: dict[str, tuple[np.ndarray, int]] = {}
        self._choices: dict[tuple[int, int, float], Choices] = {}
        self._lock = RLock()  # phases are sorted side by side

    def __len__(self) -> int:
        return len(self.table)

    def holds(self, text: str, where: str) -> tuple[np.ndarray, int]:
        """(n,) bool whether a predicate is true, and for how many rows it is unknown. ``where`` names it in errors."""
        with self._lock:
            if text not in self._masks:
                found = parse(text, where).evaluate(self.table)
                self._masks[text] = (found.fill_null(False).to_numpy(zero_copy_only=False), found.null_count)
            return self._masks[text]

    @cached_property
    def tasks(self) -> np.ndarray:
        """(n,) int8 places in TASKS, UNKNOWN_TASK for anything else."""
        chunks = self.table["task"].chunks
        encoded = chunks[0] if len(chunks) == 1 else pa.concat_arrays(chunks)
        encoded = encoded if pa.types.is_dictionary(encoded.type) else encoded.dictionary_encode()
        names = encoded.dictionary.to_pylist()
        known = [TASKS.index(name) if name in TASKS else UNKNOWN_TASK for name in names]
        indices = encoded.indices.cast(pa.int32()).fill_null(len(known)).to_numpy(zero_copy_only=False)
        return np.array([*known, UNKNOWN_TASK], dtype=np.int8)[indices]

    def choices(self, task: int, resolution: int, upscale: float) -> Choices:
        """Of all rows trained as ``task``, a place in TASKS. Text that a caption quotes is not cut where a row is trained
        on it."""
        key = (task, resolution, upscale)
        with self._lock:
            if key not in self._choices:
                self._choices[key] = self._choose(*key)
            return self._choices[key]

    def too_long(self, task: int) -> np.ndarray:
        """(n,) bool: trained as ``task``, the longest of a row's texts has more tokens than are kept."""
        if self._rows.text_tokens is None:
            return np.zeros(len(self), dtype=bool)
        rows = np.arange(self.start, self.start + len(self))
        references = self._referring[0] if task == _TI2I else np.full(len(rows), task == _I2I)
        longest = self._rows.text_tokens[rows] + references * PICTURE_TOKENS[self._how.style]
        own = self._rows.own_instruction(rows) if task == _I2I else True
        return own & (longest > self._how.max_text_tokens)

    def _choose(self, task: int, resolution: int, upscale: float) -> Choices:
        which, size, drawn = self._sizes
        nothing, whole = np.zeros((len(size), 4), dtype=np.int64), np.full(len(size), task == _TI2I)
        bucket, outcome = fit_buckets(size, resolution, upscale, nothing, whole, drawn)
        buckets, number = _distinct(bucket)
        code = np.where(outcome == FITS, number, _coded(outcome))[which]
        if task == _T2I:
            code, buckets = self._keep_quoted(code, buckets, bucket, outcome, resolution, upscale)
        references = 1 if task == _I2I else 0
        choices = [((int(w), int(h)), references) for w, h in buckets]
        if task == _TI2I:
            each = self._how.most_references + 1
            code = np.where(code >= 0, code * each + np.minimum(self._referring[0], each - 1), code)
            choices = [(bucket, n) for bucket, _ in choices for n in range(each)]
        refused = self._refusals(task)
        return Choices(choices, np.where(refused < 0, refused, code).astype(np.int32))

    def _keep_quoted(
        self,
        code: np.ndarray,
        buckets: np.ndarray,
        bucket: np.ndarray,
        outcome: np.ndarray,
        resolution: int,
        upscale: float,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Other buckets for those of the rows with quoted text of which theirs would cut some."""
        which, size, drawn = self._sizes
        rows = self._rows
        some = slice(*np.searchsorted(rows.quoted, np.array([self.start, self.start + len(self)], np.int32)))
        place, keep = rows.quoted[some] - self.start, rows.boxes[some]
        distinct = which[place]
        risk = (bucket != size).any(axis=1)[distinct]
        place, keep, distinct = place[risk], keep[risk], distinct[risk]
        _, holds = windows(size[distinct], bucket[distinct], keep)
        again = ~holds | (outcome[distinct] != FITS)
        place, keep, distinct = place[again], keep[again], distinct[again]
        if not len(place):
            return code, buckets
        cut = np.zeros(len(place), dtype=bool)
        further, outcome = fit_buckets(size[distinct], resolution, upscale, keep, cut, drawn[distinct])
        own, number = _distinct(further)
        code[place] = np.where(outcome == FITS, len(buckets) + number, _coded(outcome))
        return code, np.concatenate([buckets, own])

    def _refusals(self, task: int) -> np.ndarray:
        """(n,) int8 code of the reason why a row cannot be trained as ``task``, 0 where it can."""
        found = np.zeros(len(self), dtype=np.int8)
        if task == _TI2I:
            counts, thin = self._referring
            found[thin] = _code_of("thin_reference")
            found[counts > self._how.most_references] = _code_of("many_references")
            if "ref_sizes" in self.table.column_names:
                found[counts == 0] = _code_of("no_reference")
            found[self._lacks("n_instructions")] = _code_of("no_instruction")
        if task == _T2I:
            found[self._lacks("n_captions")] = _code_of("no_caption")
        if self._rows.repeats is not None:
            found[self._rows.repeats[self.start : self.start + len(self)] <= 0] = _code_of("undrawn")
        return found

    def _lacks(self, name: str) -> np.ndarray:
        """(n,) bool: the column ``name`` counts no valid text."""
        counts = column(self.table, name, None, 0)
        return np.zeros(len(self), dtype=bool) if counts is None else counts == 0

    @cached_property
    def _referring(self) -> tuple[np.ndarray, np.ndarray]:
        """(n,) int32 numbers of references, and (n,) bool whether the encoders do not take one."""
        counts, thin = np.zeros(len(self), dtype=np.int32), np.zeros(len(self), dtype=bool)
        rows = self._rows
        some = slice(*np.searchsorted(rows.referring, np.array([self.start, self.start + len(self)], np.int32)))
        places = rows.referring[some] - self.start
        counts[places], thin[places] = rows.reference_counts[some], ~fits_encoders(rows.reference_sizes[some])
        return counts, thin

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


def _distinct(buckets: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(b, 2) different ones of (n, 2), and (n,) the number of each."""
    packed, number = np.unique(buckets[:, 0] << 32 | buckets[:, 1], return_inverse=True)
    return np.stack([packed >> 32, packed & 0xFFFFFFFF], axis=1), number.reshape(-1)


def _coded(outcome: np.ndarray) -> np.ndarray:
    """(n,) codes of the reasons that ``fit_buckets`` gives."""
    table = np.zeros(len(_OUTCOMES) + 1, dtype=np.int64)
    for value, reason in _OUTCOMES.items():
        table[value] = _code_of(reason)
    return table[outcome]
