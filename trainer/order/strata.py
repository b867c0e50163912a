"""The rows of phases sorted into strata: one share of the mixture, one task, one size, as many references each.

    manifest ──where──> rows ──first share that holds──> shares ──task, bucket, references──> strata

Whatever lies in one stratum costs about the same tokens, so a batch is counted in samples of strata. Vectorised over
slices of the manifest, which all phases sort before the next one is looked at: a hundred million rows are sorted in a
minute or two, and beside them one slice's arrays are in memory.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from configs.errors import UserError
from trainer.order.bucket import Bucket, tokens
from trainer.order.conditions import Conditioning, Conditions
from trainer.order.curriculum import Phase
from trainer.order.draw import Weights
from trainer.order.left_out import LeftOut
from trainer.order.row_sets import BLOCK, RowSet, RowSets
from trainer.order.rows import Rows
from trainer.order.slices import REASONS, TASKS, UNKNOWN_TASK, Slice

if TYPE_CHECKING:
    import pyarrow as pa

_SLICE = 32 * BLOCK
"""Rows that are sorted at once (chosen)."""
_THREADS = 2
"""Phases that are sorted side by side; NumPy works without the interpreter's lock, more of them want more memory (chosen)."""
_NOBODY = -1
"""Share of a row that the phase does not take."""
_SAMPLED = 4096
"""Rows of a stratum whose references are looked at for its mean sample (chosen)."""


class NothingToDraw(UserError):
    """No row belongs to a phase."""


@dataclass(frozen=True)
class Stratum:
    """Rows of one share, task, size and number of references.

    ``bucket``: width, height in px. ``count``: of its rows. ``tokens``: of a mean sample, target and references.
    ``part``: of its share's samples.
    """

    share: int
    task: str
    bucket: Bucket
    references: int
    count: int
    tokens: float
    part: float


@dataclass(frozen=True)
class Sorted:
    """A phase's strata in a fixed order, their rows, and what is in none of them.

    ``empty``: numbers of the optional shares without rows. ``long_texts``: rows with a text that will be cut.
    """

    strata: tuple[Stratum, ...]
    rows: RowSets
    weights: Weights
    left_out: LeftOut
    empty: tuple[int, ...]
    long_texts: int


_Key = tuple[int, int, str, Bucket, int]
"""Share, number of the resolution, task, bucket, references."""


def stratify(
    manifest: pa.Table, rows: Rows, phases: Sequence[tuple[Phase, Conditions]], how: Conditioning
) -> list[Sorted | NothingToDraw]:
    """Of each phase its strata, or why there are none. Raises UserError for a share without rows that is not optional."""
    sorters = [_Sorter(phase, how) for phase, _ in phases]
    with ThreadPoolExecutor(_THREADS) as pool:
        for start in range(0, len(manifest), _SLICE):
            part = Slice(manifest.slice(start, _SLICE), start, rows, how)
            for done in [pool.submit(sorter.sort, part) for sorter in sorters]:
                done.result()
    found: list[Sorted | NothingToDraw] = []
    for sorter, (_, conditions) in zip(sorters, phases, strict=True):
        try:
            found.append(sorter.result(rows, conditions, len(manifest)))
        except NothingToDraw as error:
            found.append(error)
    return found


class _Sorter:
    """Sorts slices of the manifest into the strata of a phase, and counts what does not fit."""

    def __init__(self, phase: Phase, how: Conditioning) -> None:
        self.phase, self.how, self.left = phase, how, LeftOut()
        self.found: dict[_Key, RowSet] = {}
        self.chosen = self.long_texts = 0
        self.shares: dict[str | None, list[int]] = {}  # shares that want the same task do not share rows
        for index, share in enumerate(phase.mixture):
            self.shares.setdefault(share.task, []).append(index)

    def sort(self, part: Slice) -> None:
        """Take what belongs to the phase from the next slice."""
        mine, unknown = part.holds(self.phase.where, f"phase {self.phase.name}, where")
        self.left.unknown += unknown
        self.chosen += int(np.count_nonzero(mine))
        shared = np.zeros(len(part), dtype=bool)
        for task, share_of in self._share_of(part, mine):
            there = share_of != _NOBODY
            shared |= there
            for as_, those in _by_task(part, there, task):
                self._sort_share(part, those, share_of, as_)
            if task is None:
                self.left.count("other_task", there & (part.tasks == UNKNOWN_TASK), part.start)
        self.left.count("unshared", mine & ~shared, part.start)

    def _share_of(self, part: Slice, mine: np.ndarray) -> Iterator[tuple[str | None, np.ndarray]]:
        """Of each task that shares want: (n,) number of the share that takes a row, or _NOBODY."""
        if not self.phase.mixture:
            yield None, np.where(mine, 0, _NOBODY).astype(np.int16)
        for task, indices in self.shares.items():
            share_of = np.full(len(part), _NOBODY, dtype=np.int16)
            free = mine.copy()
            for index in indices:
                where = f"phase {self.phase.name}, mixture.{index}.where"
                holds = free & part.holds(self.phase.mixture[index].where, where)[0]
                share_of[holds] = index
                free &= ~holds
            yield task, share_of

    def _sort_share(self, part: Slice, those: np.ndarray, share_of: np.ndarray, task: int) -> None:
        """``those`` (n,) rows of the slice, trained as ``task``, a place in TASKS."""
        untaken, worst = those, np.zeros(len(part), dtype=np.int32)
        for number, resolution in enumerate(self.phase.resolutions):
            choices = part.choices(task, resolution, self.phase.upscale)
            able = those & (choices.code >= 0)
            untaken = untaken & ~able
            worst = np.minimum(worst, choices.code)
            fits = np.flatnonzero(able)
            count = len(choices.of)
            alike: dict[_Key, list[np.ndarray]] = {}  # several choices may end in one bucket
            for value, places in _groups(share_of[fits].astype(np.int32) * count + choices.code[fits]):
                share, choice = divmod(value, count)
                bucket, references = choices.of[choice]
                key = (share, number, TASKS[task], bucket, references)
                alike.setdefault(key, []).append(fits[places])
            for key, pieces in alike.items():
                rows = pieces[0] if len(pieces) == 1 else np.sort(np.concatenate(pieces))
                self.found.setdefault(key, RowSet()).add(rows + part.start)
        self.long_texts += int(np.count_nonzero(those & ~untaken & part.too_long(task)))
        for place in np.flatnonzero(np.bincount(-1 - worst[untaken], minlength=len(REASONS))).tolist():
            self.left.count(REASONS[place], untaken & (worst == -1 - place), part.start)

    def result(self, rows: Rows, conditions: Conditions, count: int) -> Sorted:
        """The strata, once all ``count`` rows of the manifest are sorted."""
        if not self.chosen:
            raise NothingToDraw(
                f"phase {self.phase.name}: its predicate '{self.phase.where}' keeps none of {count:,} rows; widen it, "
                "or add such samples to the dataset"
            )
        empty = self._empty_shares()
        keys = sorted(self.found)
        sets = RowSets(self.found.pop(key) for key in keys)
        weights = Weights(sets, rows.repeats)
        return Sorted(_strata(keys, sets, weights, conditions), sets, weights, self.left, empty, self.long_texts)

    def _empty_shares(self) -> tuple[int, ...]:
        """Numbers of the optional shares without rows. Raises where a phase or another share has none."""
        phase, there = self.phase, {key[0] for key in self.found}
        why = "; ".join(f"{n:,} rows: {reason}" for n, reason in self.left.reasons(phase, self.how.most_references))
        if not there:
            lead = "none of its rows can be trained"
            if self.left.small:
                lead = f"none of its pictures reaches {min(phase.resolutions)} px without growing more than {phase.upscale}-fold"
            raise NothingToDraw(
                f"phase {phase.name}: {lead} ({why}); train at less, raise 'upscale', or mend the dataset"
            )
        empty = tuple(index for index in range(len(phase.mixture)) if index not in there)
        for index in empty:
            share = phase.mixture[index]
            if not share.optional:
                raise UserError(
                    f"phase {phase.name}: no row of the phase is '{share.where}' (large enough, repeats above 0, in no "
                    "earlier share of its task); take this share out of the mixture, or make it optional"
                    + (f"; left out in this phase: {why}" if why else "")
                )
        return empty


def _by_task(part: Slice, there: np.ndarray, task: str | None) -> Iterator[tuple[int, np.ndarray]]:
    """(task, its rows) of the rows that are ``there`` by what they are trained as: all as ``task``, or each as it is."""
    if task is not None:
        yield TASKS.index(task), there
    else:
        for number in range(len(TASKS)):
            those = there & (part.tasks == number)
            if those.any():
                yield number, those


def _strata(keys: list[_Key], sets: RowSets, weights: Weights, conditions: Conditions) -> tuple[Stratum, ...]:
    whole = {
        share: sum(t for key, t in zip(keys, weights.totals.tolist(), strict=True) if key[0] == share)
        for share in {key[0] for key in keys}
    }
    strata = []
    for number, (share, _, task, bucket, references) in enumerate(keys):
        cost = _mean_tokens(sets, number, task, bucket, conditions)
        part = float(weights.totals[number] / whole[share])
        strata.append(Stratum(share, task, bucket, references, int(sets.counts[number]), cost, part))
    return tuple(strata)


def _mean_tokens(sets: RowSets, number: int, task: str, bucket: Bucket, conditions: Conditions) -> float:
    """Of a sample of a stratum. References of an edit differ by a few tokens."""
    target = float(tokens(np.array(bucket)))
    if task == "t2i":
        return target
    if task == "i2i":
        return 2 * target
    start, count = int(sets.starts[number]), int(sets.counts[number])
    some = sets.rows(start + np.arange(0, count, max(1, count // _SAMPLED)))
    buckets, tasks = np.tile(bucket, (len(some), 1)), np.full(len(some), task)
    return target + float(tokens(conditions.references(some, buckets, tasks)).sum()) / len(some)


def _groups(code: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """(value, ascending places) of every distinct value."""
    if not len(code):
        return
    narrow = code.astype(np.uint16) if code.max() < 1 << 16 else code  # of 16 bits: numpy sorts them by radix
    order = np.argsort(narrow, kind="stable")
    counts = np.bincount(code)
    values = np.flatnonzero(counts)
    yield from zip(values.tolist(), np.split(order, np.cumsum(counts[values])[:-1]), strict=True)
