"""What step t trains on: a pure function of manifest, curriculum, seed and step. NumPy only.

    manifest ──strata.py──> strata of each phase (all samples of one cost about the same tokens)
    step ──> phase ──quota.py──> draws first..last of each stratum ──draw.py──> rows, buckets
                                                     ──conditions.py──> references, text tokens

No ids, no captions: text lengths are told, and never decide what is in a batch. Neither ranks nor workers
nor restarts enter anywhere, and no step is reached by walking to it.
"""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from configs import UserError, load
from model.templates import Style
from pipeline.dataset import Dataset
from trainer.config import FitConfig
from trainer.order.bucket import WHOLE, tokens
from trainer.order.conditions import Conditioning, Conditions
from trainer.order.curriculum import Phase
from trainer.order.draw import Weights, mix
from trainer.order.index import read_index
from trainer.order.left_out import LeftOut, Names
from trainer.order.quota import Quota
from trainer.order.row_sets import RowSets
from trainer.order.rows import UNKNOWN_LEVEL, Rows
from trainer.order.strata import NothingToDraw, Sorted, Stratum, stratify

if TYPE_CHECKING:
    import pyarrow as pa

    from trainer.order.held_out import HeldOut

_EXTRA = 1
"""Key of the draws that fill a step which no stratum is due to give a sample to."""


@dataclass(frozen=True)
class Batch:
    """The global batch of a step.

    ``rows``: (N,) numbers in the manifest; ``buckets``: (N, 2) width, height in px of the targets; ``tasks``: (N,) t2i,
    ti2i or i2i, what each is trained as. ``references``: (N, 3, 2) int32 width, height in px at which the VAE sees each
    reference, zeros where there is none. ``keeps``: (N, 4) int32 left, top, right, bottom in px of what of the picture no
    crop may cut, zeros for nothing. ``fixed``: (N,) bool, I2I's fixed instruction is the prompt. ``levels``: (N,) int8 text_level, -1 unknown. ``text_tokens``: (N,) int32 condition
    tokens at most, vision tokens included.
    """

    step: int
    phase: int
    rows: np.ndarray
    buckets: np.ndarray
    tasks: np.ndarray
    references: np.ndarray
    keeps: np.ndarray
    fixed: np.ndarray
    levels: np.ndarray
    text_tokens: np.ndarray

    @property
    def target_tokens(self) -> np.ndarray:
        """(N,) image tokens of the targets."""
        return tokens(self.buckets)

    @property
    def tokens(self) -> np.ndarray:
        """(N,) image tokens, those of references included."""
        return self.target_tokens + tokens(self.references).sum(axis=1)

    @property
    def loads(self) -> np.ndarray:
        """(N,) tokens that the network sees, at most."""
        return self.tokens + self.text_tokens


@dataclass(frozen=True)
class PhaseOrder:
    """A phase made ready. ``members``: the strata's rows. ``without``: its optional shares that the dataset has no rows for.
    ``long_texts``: rows with a text that will be cut."""

    phase: Phase
    strata: tuple[Stratum, ...]
    members: RowSets
    weights: Weights
    quota: Quota
    conditions: Conditions
    left_out: LeftOut
    without: tuple[str, ...]
    long_texts: int

    @property
    def rows(self) -> int:
        """Distinct rows."""
        return self.distinct(range(len(self.strata)))

    @property
    def draws(self) -> np.ndarray:
        """(strata,) samples that each stratum gives in the whole phase."""
        return self.quota.given(self.phase.steps)

    def distinct(self, strata: Sequence[int]) -> int:
        """Distinct rows of some strata."""
        there = np.zeros(1, dtype=bool)
        for index in strata:
            rows = self.members.of(index)
            if len(there) <= rows[-1]:
                there = np.concatenate([there, np.zeros(int(rows[-1]) + 1 - len(there), dtype=bool)])
            there[rows] = True
        return int(np.count_nonzero(there))


class Order:
    """The whole curriculum over a manifest."""

    def __init__(
        self,
        manifest: pa.Table,
        phases: Sequence[Phase],
        seed: int,
        style: Style = "multi",
        max_text_tokens: int = 512,
        instruction_tokens: int = 32,
    ) -> None:
        """``manifest``: all columns, or those of ``read_index``. ``style``: how the base model is told of references;
        ``single`` takes one. ``max_text_tokens``: hidden states of a text that are kept. ``instruction_tokens``: of I2I's
        fixed instruction.

        Raises UserError naming the phase for a predicate that keeps nothing or cannot be read.
        """
        self.seed = seed
        self.conditioning = Conditioning(style, max_text_tokens, instruction_tokens=instruction_tokens)
        known = Rows.of(manifest)
        conditions = [Conditions(known, phase.references, self.conditioning) for phase in phases]
        found = stratify(manifest, known, list(zip(phases, conditions, strict=True)), self.conditioning)
        prepared = [_prepared(*parts) for parts in zip(phases, conditions, found, strict=True)]
        self.phases = tuple(p for p in prepared if isinstance(p, PhaseOrder))
        self.without = tuple(str(p) for p in prepared if not isinstance(p, PhaseOrder))
        """Why an optional phase is left out, a line each."""
        if not self.phases:
            raise UserError(f"field 'phases': the dataset has no row for any of them: {'; '.join(self.without)}")
        self.starts = np.cumsum([0, *(p.phase.steps for p in self.phases)])
        self.held_out: HeldOut | None = None
        """What the validation loss is measured on."""

    @classmethod
    def load(cls, config: str | Path, dataset: str | Path | Dataset, overrides: Sequence[str] = ()) -> Order:
        """From a training config and a dataset. Raises UserError when either cannot be read."""
        fit = load(config, FitConfig, overrides)
        opened = dataset if isinstance(dataset, Dataset) else Dataset.open(dataset)
        return cls(read_index(opened, fit.phases), fit.phases, fit.seed, max_text_tokens=fit.max_text_tokens)

    def grown(self, manifest: pa.Table, first: int) -> Order:
        """The same curriculum; phases from number ``first`` on draw from ``manifest``, those before keep theirs.

        Which phases there are stays as it is. Raises UserError where ``manifest`` has no row for one of them.
        """
        phases = [dataclasses.replace(p.phase, optional=False) for p in self.phases[first:]]
        how = self.conditioning
        later = Order(manifest, phases, self.seed, how.style, how.max_text_tokens, how.instruction_tokens)
        result = copy.copy(self)
        result.phases = (*self.phases[:first], *later.phases)
        return result

    @property
    def steps(self) -> int:
        return int(self.starts[-1])

    def remarks(self, names: Names | None = None) -> list[str]:
        """What the dataset has and the training does not take, a line each: for the start of a training."""
        lines = [f"left out, being optional: {why}" for why in self.without]
        for phase in self.phases:
            lines += [f"left out, being optional: phase {phase.phase.name}: {why}" for why in phase.without]
            lines += [f"phase {phase.phase.name}: {line}" for line in self.losses(phase, names)]
        return lines

    def losses(self, phase: PhaseOrder, names: Names | None = None) -> list[str]:
        """What a phase does not take of its rows, a line each."""
        reasons = phase.left_out.reasons(phase.phase, self.conditioning.most_references, names)
        lines = [f"{rows:,} rows not drawn: {why}" for rows, why in reasons]
        if phase.long_texts:
            limit = self.conditioning.max_text_tokens
            lines.append(
                f"{phase.long_texts:,} rows have a text of more than {limit:,} tokens, which is cut there "
                "(field 'max_text_tokens')"
            )
        return lines

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
        counts = last - first
        if counts.any():
            which = np.repeat(np.arange(len(counts)), counts)
            numbers = np.arange(len(which)) - np.repeat(np.cumsum(counts) - counts, counts) + first[which]
            keys = mix(self.seed, number, which)
        else:
            which, numbers = np.array([phase.quota.waiting(local)]), np.array([local])
            keys = mix(self.seed, number, which, _EXTRA)
        rows = phase.weights.draw(which, numbers, keys)
        return self._batch(step, number, rows, [phase.strata[index] for index in which])

    def _batch(self, step: int, number: int, rows: np.ndarray, strata: Sequence[Stratum]) -> Batch:
        buckets = np.array([s.bucket for s in strata], dtype=np.int64)
        tasks = np.array([s.task for s in strata])
        conditions = self.phases[number].conditions
        about = conditions.rows  # of the dataset that this phase draws from
        levels = about.levels
        keeps = about.keeps(rows)
        keeps[tasks == "i2i"] = 0
        keeps[tasks == "ti2i"] = WHOLE
        return Batch(
            step,
            number,
            rows=rows.astype(np.int64),
            buckets=buckets,
            tasks=tasks,
            references=conditions.references(rows, buckets, tasks),
            keeps=keeps,
            fixed=(tasks == "i2i") & ~about.own_instruction(rows),
            levels=np.full(len(rows), UNKNOWN_LEVEL, np.int8) if levels is None else levels[rows],
            text_tokens=conditions.text_tokens(rows, buckets, tasks),
        )


def _prepared(phase: Phase, conditions: Conditions, found: Sorted | NothingToDraw) -> PhaseOrder | NothingToDraw:
    if isinstance(found, NothingToDraw):
        if phase.optional:
            return found
        raise found
    without = tuple(f"no row is '{phase.mixture[index].where}'" for index in found.empty)
    quota = Quota(phase, found.strata)
    return PhaseOrder(
        phase, found.strata, found.rows, found.weights, quota, conditions, found.left_out, without, found.long_texts
    )
