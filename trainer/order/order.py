"""What step t trains on: a pure function of manifest, curriculum, seed and step. NumPy only.

    manifest ──strata.py──> strata of each phase (all samples of one cost the same tokens)
    step ──> phase ──quota.py──> draws first..last of each stratum ──draw.py──> rows, buckets

The index is narrow: no ids, no captions, and text lengths never decide what is in a batch. Neither
ranks nor workers nor restarts enter anywhere, and no step is reached by walking to it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from configs import UserError, load
from pipeline.dataset import Dataset
from pipeline.predicate import parse
from trainer.config import FitConfig
from trainer.order.curriculum import Phase
from trainer.order.draw import draw, mix
from trainer.order.quota import Quota
from trainer.order.strata import LeftOut, NothingToDraw, Stratum, stratify

if TYPE_CHECKING:
    import pyarrow as pa


COLUMNS = ("width", "height", "task", "repeats")
"""What the order reads of the manifest beside the columns of predicates."""
_EXTRA = 1
"""Key of the draws that fill a step which no stratum is due to give a sample to."""


@dataclass(frozen=True)
class Batch:
    """The global batch of a step. ``rows``: (N,) numbers in the manifest; ``buckets``: (N, 2) width, height in px;
    ``tasks``: (N,) t2i, ti2i or i2i."""

    step: int
    phase: int
    rows: np.ndarray
    buckets: np.ndarray
    tasks: np.ndarray

    @property
    def tokens(self) -> np.ndarray:
        """(N,) image tokens."""
        return (self.buckets[:, 0] // 16) * (self.buckets[:, 1] // 16)


@dataclass(frozen=True)
class PhaseOrder:
    """A phase made ready."""

    phase: Phase
    strata: tuple[Stratum, ...]
    quota: Quota
    left_out: LeftOut

    @property
    def rows(self) -> int:
        """Distinct rows."""
        return len(np.unique(np.concatenate([s.rows for s in self.strata])))

    @property
    def draws(self) -> np.ndarray:
        """(strata,) samples that each stratum gives in the whole phase."""
        return self.quota.given(self.phase.steps)


class Order:
    """The whole curriculum over a manifest."""

    def __init__(self, manifest: pa.Table, phases: Sequence[Phase], seed: int) -> None:
        """Raises UserError naming the phase for a predicate that keeps nothing or cannot be read."""
        self.seed = seed
        prepared = [_prepare(manifest, phase) for phase in phases]
        self.phases = tuple(p for p in prepared if isinstance(p, PhaseOrder))
        self.without = tuple(str(p) for p in prepared if not isinstance(p, PhaseOrder))
        """Why an optional phase is left out, a line each."""
        if not self.phases:
            raise UserError("field 'phases': the dataset has no row for any of them")
        self.starts = np.cumsum([0, *(p.phase.steps for p in self.phases)])

    @classmethod
    def load(cls, config: str | Path, dataset: str | Path | Dataset, overrides: Sequence[str] = ()) -> Order:
        """From a training config and a dataset. Raises UserError when either cannot be read."""
        fit = load(config, FitConfig, overrides)
        opened = dataset if isinstance(dataset, Dataset) else Dataset.open(dataset)
        return cls(read_index(opened, fit.phases), fit.phases, fit.seed)

    @property
    def steps(self) -> int:
        return int(self.starts[-1])

    def phase_of(self, step: int) -> int:
        """Index of the phase that ``step`` belongs to. Raises IndexError outside of the curriculum."""
        if not 0 <= step < self.steps:
            raise IndexError(f"step {step} is not within 0..{self.steps - 1}")
        return int(np.searchsorted(self.starts, step, side="right")) - 1

    def batch(self, step: int) -> Batch:
        """The global batch of ``step``."""
        number = self.phase_of(step)
        phase, local = self.phases[number], step - int(self.starts[number])
        first, last = phase.quota.given(local), phase.quota.given(local + 1)
        drawn = [
            (int(i), self._draw(number, int(i), np.arange(first[i], last[i]))) for i in np.flatnonzero(last > first)
        ]
        if not drawn:
            index = phase.quota.waiting(local)
            drawn = [(index, self._draw(number, index, np.array([local]), _EXTRA))]
        counts = [len(rows) for _, rows in drawn]
        strata = [phase.strata[index] for index, _ in drawn]
        return Batch(
            step,
            number,
            rows=np.concatenate([rows for _, rows in drawn]),
            buckets=np.repeat(np.array([s.bucket for s in strata]), counts, axis=0),
            tasks=np.repeat(np.array([s.task for s in strata]), counts),
        )

    def _draw(self, phase: int, index: int, numbers: np.ndarray, *kind: int) -> np.ndarray:
        """Manifest rows of the draws ``numbers`` of a stratum."""
        stratum = self.phases[phase].strata[index]
        return stratum.rows[draw(numbers, stratum.cumulated, int(mix(self.seed, phase, index, *kind)))]


def read_index(dataset: Dataset, phases: Sequence[Phase]) -> pa.Table:
    """The narrow index: columns of COLUMNS and of every predicate. Raises UserError for an unknown column."""
    names = dict.fromkeys(COLUMNS)
    known = dataset.manifest_schema.names
    for phase in phases:
        texts = [(phase.where, "where"), *((s.where, f"mixture.{i}.where") for i, s in enumerate(phase.mixture))]
        for text, field in texts:
            predicate = parse(text, f"phase {phase.name}, {field}")
            predicate.arrow(dataset.manifest_schema)  # names the phase when a column is unknown
            names |= dict.fromkeys(c for c in predicate.columns if c in known)
    return dataset.manifest(list(names))


def _prepare(manifest: pa.Table, phase: Phase) -> PhaseOrder | NothingToDraw:
    try:
        strata, left_out = stratify(manifest, phase)
    except NothingToDraw as error:
        if phase.optional:
            return error
        raise
    return PhaseOrder(phase, strata, Quota(phase, strata), left_out)
