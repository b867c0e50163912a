"""The rows of a phase sorted into strata: one share of the mixture, one task, one size each.

    manifest ──where──> rows ──first share that holds──> shares ──task, bucket──> strata

Whatever lies in one stratum costs the same tokens, so a batch is counted in samples of strata. Vectorised
over rows: a manifest of ten million is sorted in seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from configs.errors import UserError
from pipeline.predicate import parse
from trainer.order.bucket import Bucket, bucket_of, growth, tokens
from trainer.order.curriculum import Phase

if TYPE_CHECKING:
    import pyarrow as pa

_NOBODY = -1
"""Share of a row that the phase does not take."""


class NothingToDraw(UserError):
    """No row belongs to a phase."""


@dataclass(frozen=True)
class Stratum:
    """Rows of one share, task and size. ``cumulated``: running sum of repeats, scaled to end at n.

    ``part``: of its share's samples. ``bucket``: width, height in px.
    """

    share: int
    task: str
    bucket: Bucket
    rows: np.ndarray
    cumulated: np.ndarray
    part: float

    @property
    def tokens(self) -> int:
        """Image tokens of a sample."""
        return tokens(self.bucket)


@dataclass(frozen=True)
class LeftOut:
    """Rows that a phase does not take, and why. ``unknown``: its predicate meets a null; ``unshared``: no share of the
    mixture takes them; ``small``: they would have to grow by more than ``upscale`` at every resolution."""

    unknown: int
    unshared: int
    small: int


def stratify(manifest: pa.Table, phase: Phase) -> tuple[tuple[Stratum, ...], LeftOut]:
    """The strata of ``phase`` in a fixed order. Raises NothingToDraw for a phase that no row belongs to, UserError for
    such a share."""
    where = parse(phase.where, f"phase {phase.name}, where").evaluate(manifest)
    chosen = where.fill_null(False).to_numpy(zero_copy_only=False)
    if not chosen.any():
        raise NothingToDraw(
            f"phase {phase.name}: its predicate '{phase.where}' keeps none of {len(manifest):,} rows; widen it, "
            "or add such samples to the dataset"
        )
    share_of = _shares(manifest, phase, chosen)
    strata, taken = _strata(manifest, phase, share_of)
    _check_shares(phase, strata, taken)
    small = int(np.count_nonzero(share_of != _NOBODY)) - taken
    return strata, LeftOut(where.null_count, int((chosen & (share_of == _NOBODY)).sum()), small)


def _check_shares(phase: Phase, strata: Sequence[Stratum], taken: int) -> None:
    if not taken:
        raise NothingToDraw(
            f"phase {phase.name}: none of its pictures reaches {min(phase.resolutions)} px without growing more than "
            f"{phase.upscale}-fold; train at less, or raise 'upscale'"
        )
    there = {s.share for s in strata}
    empty = [share.where for index, share in enumerate(phase.mixture) if index not in there]
    if empty:
        raise UserError(
            f"phase {phase.name}: no row of the phase is '{empty[0]}' (large enough, repeats above 0, in no earlier "
            "share); take this share out of the mixture"
        )


def _shares(manifest: pa.Table, phase: Phase, chosen: np.ndarray) -> np.ndarray:
    """(rows,) number of the share that each row belongs to, or NOBODY."""
    if not phase.mixture:
        return np.where(chosen, 0, _NOBODY)
    share_of = np.full(len(manifest), _NOBODY)
    for index, share in enumerate(phase.mixture):
        where = parse(share.where, f"phase {phase.name}, mixture.{index}.where").evaluate(manifest)
        holds = where.fill_null(False).to_numpy(zero_copy_only=False)
        share_of[chosen & holds & (share_of == _NOBODY)] = index
    return share_of


def _strata(manifest: pa.Table, phase: Phase, share_of: np.ndarray) -> tuple[tuple[Stratum, ...], int]:
    """Strata in order of share, resolution, task, size; and the number of distinct rows in them."""
    rows = np.flatnonzero(share_of != _NOBODY)
    repeats = np.nan_to_num(manifest["repeats"].to_numpy()[rows].astype(np.float64), nan=1.0)
    tasks, task_of = np.unique(manifest["task"].to_numpy()[rows].astype(str), return_inverse=True)
    sizes, size_of = _sizes(*(manifest[name].to_numpy()[rows] for name in ("width", "height")))
    groups: dict[tuple[int, int, str, Bucket], np.ndarray] = {}
    taken = np.zeros(len(rows), dtype=bool)
    for number, resolution in enumerate(phase.resolutions):
        buckets, bucket_of_size = _buckets(sizes, resolution, phase.upscale)
        bucket = bucket_of_size[size_of]
        inside = np.flatnonzero((bucket >= 0) & (repeats > 0))
        taken[inside] = True
        code = (share_of[rows[inside]] * len(tasks) + task_of[inside]) * len(buckets) + bucket[inside]
        for value, places in _groups(code):
            rest, b = divmod(value, len(buckets))
            share, task = divmod(rest, len(tasks))
            groups[share, number, str(tasks[task]), buckets[b]] = inside[places]
    totals = {s: sum(repeats[m].sum() for key, m in groups.items() if key[0] == s) for s in {k[0] for k in groups}}
    strata = []
    for (share, _, task_name, size), members in sorted(groups.items()):
        weights = repeats[members]
        cumulated = np.cumsum(weights) * (len(members) / weights.sum())
        part = float(weights.sum() / totals[share])
        strata.append(Stratum(share, task_name, size, rows[members], cumulated, part))
    return tuple(strata), int(taken.sum())


def _sizes(width: np.ndarray, height: np.ndarray) -> tuple[list[Bucket], np.ndarray]:
    """Distinct (width, height), and for every row the number of its own."""
    both = width.astype(np.int64) << 32 | height.astype(np.int64)
    distinct, size_of = np.unique(both, return_inverse=True)
    return [(int(b >> 32), int(b & 0xFFFFFFFF)) for b in distinct], size_of


def _buckets(sizes: Sequence[Bucket], resolution: int, upscale: float) -> tuple[list[Bucket], np.ndarray]:
    """Distinct buckets, and for every size the number of its own, -1 where a picture would have to grow too much."""
    found = [bucket_of(*size, resolution) for size in sizes]
    distinct = sorted(set(found))
    fits = [growth(size, bucket) <= upscale for size, bucket in zip(sizes, found, strict=True)]
    return distinct, np.array([distinct.index(b) if f else -1 for b, f in zip(found, fits, strict=True)])


def _groups(code: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """(value, ascending places) of every distinct value."""
    order = np.argsort(code, kind="stable")
    values, starts = np.unique(code[order], return_index=True)
    return list(zip(values.tolist(), np.split(order, starts)[1:], strict=True))
