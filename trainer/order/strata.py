"""The rows of a phase sorted into strata: one share of the mixture, one task, one size, as many references each.

    manifest ──where──> rows ──first share that holds──> shares ──task, bucket, references──> strata

Whatever lies in one stratum costs about the same tokens, so a batch is counted in samples of strata. Vectorised over
slices of the manifest: a hundred million rows are sorted in a minute, and what is in memory beside them is one slice's.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from configs.errors import UserError
from pipeline.predicate import parse
from trainer.order.bucket import CUT, FITS, SMALL, THIN, Bucket, fit_buckets, tokens
from trainer.order.conditions import Conditioning, Conditions, fits_encoders
from trainer.order.curriculum import Phase
from trainer.order.draw import Weights
from trainer.order.left_out import LeftOut
from trainer.order.rows import Rows, column

if TYPE_CHECKING:
    import pyarrow as pa

_SLICE = 1 << 21
"""Rows that are sorted at once (chosen)."""
_NOBODY = -1
"""Share of a row that the phase does not take."""
_TASKS = ("i2i", "t2i", "ti2i")
_I2I, _T2I, _TI2I = range(3)


class NothingToDraw(UserError):
    """No row belongs to a phase."""


@dataclass(frozen=True)
class Stratum:
    """Rows of one share, task, size and number of references.

    ``part``: of its share's samples. ``bucket``: width, height in px. ``tokens``: of a mean sample, target and references.
    """

    share: int
    task: str
    bucket: Bucket
    references: int
    rows: np.ndarray
    tokens: float
    part: float


@dataclass(frozen=True)
class Sorted:
    """A phase's strata in a fixed order, the weights their rows are drawn by, and what is in none of them.

    ``empty``: the optional shares without rows.
    """

    strata: tuple[Stratum, ...]
    weights: Weights
    left_out: LeftOut
    empty: tuple[int, ...]


_Key = tuple[int, int, str, Bucket, int]
"""Share, number of the resolution, task, bucket, references."""


def stratify(manifest: pa.Table, rows: Rows, phase: Phase, conditions: Conditions, how: Conditioning) -> Sorted:
    """Raises NothingToDraw for a phase that no row belongs to, UserError for such a share."""
    left = LeftOut()
    found: dict[_Key, list[np.ndarray]] = {}
    chosen = 0
    sorter = _Sorter(phase, rows, how, left)
    for start in range(0, len(manifest), _SLICE):
        part = manifest.slice(start, _SLICE)
        where = parse(phase.where, f"phase {phase.name}, where").evaluate(part)
        mine = where.fill_null(False).to_numpy(zero_copy_only=False)
        left.unknown += where.null_count
        chosen += int(mine.sum())
        if mine.any():
            for key, members in sorter.sort(part, start, mine):
                found.setdefault(key, []).append(members)
    if not chosen:
        raise NothingToDraw(
            f"phase {phase.name}: its predicate '{phase.where}' keeps none of {len(manifest):,} rows; widen it, "
            "or add such samples to the dataset"
        )
    empty = _check_shares(phase, {key[0] for key in found}, left, how)
    keys = sorted(found)
    weights = Weights([np.concatenate(found.pop(key)) for key in keys], rows.repeats)
    return Sorted(_strata(keys, weights, conditions, rows), weights, left, empty)


def _strata(keys: list[_Key], weights: Weights, conditions: Conditions, rows: Rows) -> tuple[Stratum, ...]:
    totals = {
        share: sum(t for k, t in zip(keys, weights.totals.tolist(), strict=True) if k[0] == share)
        for share in {k[0] for k in keys}
    }
    strata = []
    for number, (share, _, task, bucket, references) in enumerate(keys):
        members = weights.rows(number)
        cost = _mean_tokens(members, task, bucket, conditions)
        part = float(weights.totals[number] / totals[share])
        strata.append(Stratum(share, task, bucket, references, members, cost, part))
    return tuple(strata)


def _mean_tokens(members: np.ndarray, task: str, bucket: Bucket, conditions: Conditions) -> float:
    """Of a sample of a stratum. References of an edit differ by a few tokens."""
    target = float(tokens(np.array(bucket)))
    if task == "t2i":
        return target
    if task == "i2i":
        return 2 * target
    some = members[:: max(1, len(members) // 4096)]
    buckets, tasks = np.tile(bucket, (len(some), 1)), np.full(len(some), task)
    return target + float(tokens(conditions.references(some, buckets, tasks)).sum()) / len(some)


def _check_shares(phase: Phase, there: set[int], left: LeftOut, how: Conditioning) -> tuple[int, ...]:
    """Numbers of the optional shares without rows."""
    if not there:
        why = "; ".join(f"{n:,} rows: {reason}" for n, reason in left.reasons(phase, how.most_references))
        small = (
            f"none of its pictures reaches {min(phase.resolutions)} px without growing more than {phase.upscale}-fold"
        )
        lead = small if left.small else "none of its rows can be trained"
        raise NothingToDraw(
            f"phase {phase.name}: {lead} ({why}); train at less, or raise 'upscale', or mend the dataset"
        )
    empty = [index for index in range(len(phase.mixture)) if index not in there]
    for index in empty:
        share = phase.mixture[index]
        if not share.optional:
            why = "; ".join(f"{n:,} rows: {reason}" for n, reason in left.reasons(phase, how.most_references))
            raise UserError(
                f"phase {phase.name}: no row of the phase is '{share.where}' (large enough, repeats above 0, in no earlier "
                f"share of its task); take this share out of the mixture, or make it optional"
                + (f"; left out in this phase: {why}" if why else "")
            )
    return tuple(empty)


class _Sorter:
    """Sorts slices of the manifest into strata, and counts what does not fit."""

    def __init__(self, phase: Phase, rows: Rows, how: Conditioning, left: LeftOut) -> None:
        self.phase, self.rows, self.how, self.left = phase, rows, how, left
        self.shares: dict[str | None, list[int]] = {}  # shares that want the same task do not share rows
        for index, share in enumerate(phase.mixture):
            self.shares.setdefault(share.task, []).append(index)

    def sort(self, part: pa.Table, start: int, mine: np.ndarray) -> Iterator[tuple[_Key, np.ndarray]]:
        """(stratum, its ascending rows) of the slice that begins at row ``start``; ``mine``: the phase's rows."""
        shared = np.zeros(len(part), dtype=bool)
        for task, share_of in self._share_of(part, mine):
            shared |= share_of != _NOBODY
            inside = np.flatnonzero(share_of != _NOBODY)
            if len(inside):
                yield from self._sort_share(part, start, inside, share_of[inside], task)
        self.left.unshared += int((mine & ~shared).sum())

    def _share_of(self, part: pa.Table, mine: np.ndarray) -> Iterator[tuple[str | None, np.ndarray]]:
        if not self.phase.mixture:
            yield None, np.where(mine, 0, _NOBODY)
        for task, indices in self.shares.items():
            share_of = np.full(len(part), _NOBODY, dtype=np.int16)
            for index in indices:
                text = self.phase.mixture[index].where
                where = parse(text, f"phase {self.phase.name}, mixture.{index}.where").evaluate(part)
                holds = where.fill_null(False).to_numpy(zero_copy_only=False)
                share_of[mine & holds & (share_of == _NOBODY)] = index
            yield task, share_of

    def _sort_share(
        self, part: pa.Table, start: int, inside: np.ndarray, share_of: np.ndarray, task: str | None
    ) -> Iterator[tuple[_Key, np.ndarray]]:
        tasks = _tasks(part)[inside] if task is None else np.full(len(inside), _TASKS.index(task), dtype=np.int8)
        able, references = self._able(part, start + inside, inside, tasks)
        inside, share_of, tasks, references = (a[able] for a in (inside, share_of, tasks, references))
        rows = (start + inside).astype(np.int32)
        size = np.stack([part[name].to_numpy()[inside].astype(np.int64) for name in ("width", "height")], axis=1)
        keep = np.zeros((len(rows), 4), dtype=np.int64)
        worded = np.flatnonzero(tasks == _T2I)
        keep[worded] = self.rows.keeps(rows[worded])
        drawn = _drawn(part)[inside]
        worst = np.full(len(rows), FITS, dtype=np.int8)
        taken = np.zeros(len(rows), dtype=bool)
        for number, resolution in enumerate(self.phase.resolutions):
            bucket, outcome = _fit(size, resolution, self.phase.upscale, keep, tasks == _TI2I, drawn)
            fits = np.flatnonzero(outcome == FITS)
            taken[fits] = True
            np.maximum(worst, outcome, out=worst)
            code = (share_of[fits].astype(np.int64) << 8 | tasks[fits].astype(np.int64) << 4 | references[fits]) << 32
            code |= bucket[fits, 0] // 16 << 16 | bucket[fits, 1] // 16
            for value, places in _groups(code):
                high, w, h = value >> 32, value >> 16 & 0xFFFF, value & 0xFFFF
                name = _TASKS[high >> 4 & 0xF]
                yield (high >> 8, number, name, (w * 16, h * 16), high & 0xF), rows[fits[places]]
        for name, outcome_ in (("small", SMALL), ("thin", THIN), ("cut", CUT)):
            self._count(name, ~taken & (worst == outcome_))

    def _able(
        self, part: pa.Table, rows: np.ndarray, inside: np.ndarray, tasks: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """(n,) whether a row can be trained as ``tasks`` says, and (n,) its references as such."""
        able = np.ones(len(rows), dtype=bool)

        def refuse(name: str, those: np.ndarray) -> None:
            self._count(name, able & those)
            able[those] = False

        if self.rows.repeats is not None:
            refuse("undrawn", self.rows.repeats[rows] <= 0)
        refuse("other_task", tasks < 0)
        for task, name, reason in ((_T2I, "n_captions", "no_caption"), (_TI2I, "n_instructions", "no_instruction")):
            texts = column(part, name, np.int32, 0)
            if texts is not None:
                refuse(reason, (tasks == task) & (texts[inside] == 0))
        references = np.where(tasks == _I2I, 1, 0)
        edits = np.flatnonzero(tasks == _TI2I)
        if len(edits):
            references[edits], sizes = self.rows.references(rows[edits])
            fitting = np.ones(len(rows), dtype=bool)
            fitting[edits] = fits_encoders(sizes)
            if "ref_sizes" in part.column_names:
                refuse("no_reference", (tasks == _TI2I) & (references == 0))
            refuse("many_references", references > self.how.most_references)
            refuse("thin_reference", ~fitting)
        return able, references

    def _count(self, name: str, those: np.ndarray) -> None:
        setattr(self.left, name, getattr(self.left, name) + int(np.count_nonzero(those)))


def _tasks(part: pa.Table) -> np.ndarray:
    """(rows,) int8 places in _TASKS, -1 for anything else."""
    encoded = part["task"].combine_chunks().dictionary_encode()
    encoded = encoded.combine_chunks() if hasattr(encoded, "combine_chunks") else encoded
    known = [_TASKS.index(name) if name in _TASKS else -1 for name in encoded.dictionary.to_pylist()]
    return np.array([*known, -1], dtype=np.int8)[encoded.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)]


def _drawn(part: pa.Table) -> np.ndarray:
    """(rows,) whether a recipe drew the picture."""
    if "recipe" not in part.column_names:
        return np.zeros(len(part), dtype=bool)
    return part["recipe"].is_valid().to_numpy()


def _fit(*arguments: Any) -> tuple[np.ndarray, np.ndarray]:
    """``fit_buckets`` of every distinct picture once."""
    size, resolution, upscale, keep, whole, drawn = arguments
    if not len(size):
        return np.zeros((0, 2), np.int64), np.zeros(0, np.int8)
    kept = keep[:, 2] > keep[:, 0]
    bucket, outcome = np.zeros((len(size), 2), np.int64), np.zeros(len(size), np.int8)
    plain = np.flatnonzero(~kept)
    if len(plain):
        code = (size[plain, 0] << 32 | size[plain, 1]) << 2 | whole[plain].astype(np.int64) << 1 | drawn[plain]
        _, first, where = np.unique(code, return_index=True, return_inverse=True)
        some = plain[first]
        b, o = fit_buckets(size[some], resolution, upscale, keep[some], whole[some], drawn[some])
        bucket[plain], outcome[plain] = b[where], o[where]
    rest = np.flatnonzero(kept)
    if len(rest):
        bucket[rest], outcome[rest] = fit_buckets(size[rest], resolution, upscale, keep[rest], whole[rest], drawn[rest])
    return bucket, outcome


def _groups(code: np.ndarray) -> list[tuple[int, np.ndarray]]:
    """(value, ascending places) of every distinct value."""
    if not len(code):
        return []
    values, dense = np.unique(code, return_inverse=True)
    order = np.argsort(
        dense.astype(np.uint16) if len(values) < 1 << 16 else dense, kind="stable"
    )  # 16 bits: a radix sort
    ends = np.cumsum(np.bincount(dense))
    return list(zip(values.tolist(), np.split(order, ends[:-1]), strict=True))
