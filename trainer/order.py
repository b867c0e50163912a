"""What step t trains on: a pure function of manifest, curriculum, seed and step. NumPy only.

    manifest ──phase predicate──> rows ──mixture, size──> strata (all samples of one cost the same tokens)
    step ──> phase ──cumulated shares──> draws first..last of each stratum ──draw.py──> rows, buckets

The number of samples that a stratum gives to a step is the growth of its cumulated share, rounded: over
any stretch of steps each stratum gives its share to within one sample, and any step is found without
walking to it. Neither ranks nor workers nor restarts enter anywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from configs.errors import UserError
from pipeline.predicate import parse
from trainer.bucket import Bucket, bucket_of, tokens
from trainer.curriculum import Phase
from trainer.draw import draw, mix

if TYPE_CHECKING:
    import pyarrow as pa

    from pipeline.dataset import Dataset

COLUMNS = ("width", "height", "task", "repeats")
"""What the order reads of the manifest beside the columns of predicates."""


@dataclass(frozen=True)
class Batch:
    """The global batch of a step. ``rows``: (N,) numbers in the manifest; ``buckets``: (N, 2) width, height in px."""

    step: int
    phase: int
    rows: np.ndarray
    buckets: np.ndarray

    @property
    def tokens(self) -> np.ndarray:
        """(N,) image tokens."""
        return (self.buckets[:, 0] // 16) * (self.buckets[:, 1] // 16)


@dataclass(frozen=True)
class Stratum:
    """Rows of one phase, share of the mixture and size. ``cumulated``: running sum of repeats, ending at n."""

    share: int
    bucket: Bucket
    rows: np.ndarray
    cumulated: np.ndarray
    part: float  # of its share's samples


@dataclass(frozen=True)
class PhaseOrder:
    """A phase made ready. ``given``: (steps + 1, strata) samples that each stratum has given before a step."""

    phase: Phase
    strata: tuple[Stratum, ...]
    given: np.ndarray
    left_out: int  # rows of the phase that no share of its mixture takes

    @property
    def rows(self) -> int:
        """Distinct rows."""
        return len(np.unique(np.concatenate([s.rows for s in self.strata])))


class Order:
    """The whole curriculum over a manifest."""

    def __init__(self, manifest: pa.Table, phases: Sequence[Phase], seed: int) -> None:
        """Raises UserError naming the phase for a predicate that keeps nothing or cannot be read."""
        self.seed = seed
        self.phases = tuple(_prepare(manifest, phase) for phase in phases)
        self.starts = np.cumsum([0, *(p.phase.steps for p in self.phases)])

    @classmethod
    def load(cls, config: str | Path, dataset: str | Path | Dataset) -> Order:
        """From a training config and a dataset. Raises UserError when either cannot be read."""
        from configs import load
        from pipeline.dataset import Dataset
        from trainer.config import FitConfig

        fit = load(config, FitConfig)
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
        phase = self.phases[number]
        local = step - int(self.starts[number])
        rows, sizes = [], []
        for index, stratum in enumerate(phase.strata):
            first, last = phase.given[local, index], phase.given[local + 1, index]
            if last > first:
                key = int(mix(self.seed, number, index))
                rows.append(stratum.rows[draw(np.arange(first, last), stratum.cumulated, key)])
                sizes.append(np.broadcast_to(stratum.bucket, (last - first, 2)))
        return Batch(step, number, np.concatenate(rows), np.concatenate(sizes))


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


def _prepare(manifest: pa.Table, phase: Phase) -> PhaseOrder:
    chosen = _true(manifest, phase.where, f"phase {phase.name}, where")
    if not chosen.any():
        raise UserError(
            f"phase {phase.name}: its predicate '{phase.where}' keeps none of {len(manifest):,} rows; widen it, "
            "or add such samples to the dataset"
        )
    share_of = _shares(manifest, phase, chosen)
    strata = _strata(manifest, phase, share_of)
    empty = [s.where for i, s in enumerate(phase.mixture) if not any(t.share == i for t in strata)]
    if empty:
        raise UserError(f"phase {phase.name}: no row of the phase is '{empty[0]}'; take this share out of the mixture")
    left_out = int((chosen & (share_of < 0)).sum())
    return PhaseOrder(phase, strata, _given(phase, strata), left_out)


def _shares(manifest: pa.Table, phase: Phase, chosen: np.ndarray) -> np.ndarray:
    """(rows,) number of the share each row belongs to, -1 for none."""
    if not phase.mixture:
        return np.where(chosen, 0, -1)
    share_of = np.full(len(manifest), -1)
    for index, share in enumerate(phase.mixture):
        where = _true(manifest, share.where, f"phase {phase.name}, mixture.{index}.where")
        share_of[chosen & where & (share_of < 0)] = index
    return share_of


def _strata(manifest: pa.Table, phase: Phase, share_of: np.ndarray) -> tuple[Stratum, ...]:
    """Strata in order of share, resolution, size."""
    width, height = (manifest[n].to_numpy() for n in ("width", "height"))
    repeats = np.nan_to_num(manifest["repeats"].to_numpy().astype(np.float64), nan=1.0)
    strata: list[Stratum] = []
    for share in sorted(set(share_of[share_of >= 0].tolist())):
        rows = np.flatnonzero(share_of == share)
        total = repeats[rows].sum() * len(phase.resolutions)
        for resolution in phase.resolutions:
            sizes = _sizes(width[rows], height[rows], resolution)
            for bucket in sorted(set(sizes)):
                inside = rows[[size == bucket for size in sizes]]
                weights = repeats[inside]
                cumulated = np.cumsum(weights) * (len(inside) / weights.sum())
                strata.append(Stratum(share, bucket, inside, cumulated, float(weights.sum() / total)))
    return tuple(strata)


def _sizes(width: np.ndarray, height: np.ndarray, resolution: int) -> list[Bucket]:
    """Buckets of many pictures; distinct sizes are few."""
    found = {size: bucket_of(*size, resolution) for size in set(zip(width.tolist(), height.tolist(), strict=True))}
    return [found[size] for size in zip(width.tolist(), height.tolist(), strict=True)]


def _given(phase: Phase, strata: Sequence[Stratum]) -> np.ndarray:
    """(steps + 1, strata) int64: cumulated samples of each stratum before each step, so that a step has ``tokens``."""
    at = np.linspace(0.0, 1.0, phase.steps) if phase.steps > 1 else np.zeros(1)
    shares = [(s.weight, s.weight if s.end is None else s.end) for s in phase.mixture] or [(1.0, 1.0)]
    weights = np.stack([a + (b - a) * at for a, b in shares], axis=1)  # (steps, shares)
    parts = np.stack([weights[:, s.share] * s.part for s in strata], axis=1)
    parts /= parts.sum(axis=1, keepdims=True)
    samples = phase.tokens / (parts @ np.array([tokens(s.bucket) for s in strata], dtype=np.float64))
    wanted = np.cumsum(np.vstack([np.zeros(len(strata)), parts * samples[:, None]]), axis=0)
    # each stratum starts at its own fraction, or small ones would all give their sample in the same step
    phases = (np.arange(len(strata)) * 0.6180339887498949) % 1.0
    given = np.floor(wanted + phases).astype(np.int64)
    return _never_empty(given, wanted + phases)


def _never_empty(given: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """A step whose rounded shares are all zero takes one sample of the stratum that waits for it the longest."""
    for step in range(len(given) - 1):
        if (given[step + 1] == given[step]).all():
            index = int(np.argmax(wanted[step + 1] - given[step + 1]))
            given[step + 1 :, index] = np.maximum(given[step + 1 :, index], given[step, index] + 1)
    return given


def _true(manifest: pa.Table, text: str, where: str) -> np.ndarray:
    """Rows for which the expression is true; unknown is not true."""
    return parse(text, where).evaluate(manifest).fill_null(False).to_numpy(zero_copy_only=False)
