"""How many samples each stratum gives to each step, by number: nothing is counted up from the start.

    weights at step t ──/ tokens of a mean sample──> samples of each share ──running sum──> ──part──> strata

What a stratum has given before step t is its cumulated due, rounded down from a start of its own. Over
any stretch of steps a stratum gives its due to within one sample, and a batch its tokens to within a
sample of each stratum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from configs.errors import UserError
from trainer.order.curriculum import Phase
from trainer.order.strata import Stratum

_GOLDEN = 0.6180339887498949
"""Starts of the strata are multiples of it: together, small ones would all give their sample in the same step."""


class Quota:
    """The quotas of one phase. Memory: a number for each step and share of the mixture."""

    def __init__(self, phase: Phase, strata: Sequence[Stratum]) -> None:
        """Raises UserError for a token budget that does not hold one sample of each size."""
        self.share = np.array([s.share for s in strata])
        self.part = np.array([s.part for s in strata])
        size = np.array([s.tokens for s in strata], dtype=np.float64)
        largest = int(np.argmax(size))
        if phase.tokens < size[largest]:
            stratum = strata[largest]
            what = f"one picture of {stratum.bucket[0]} x {stratum.bucket[1]} px"
            what += (
                f" with {stratum.references} reference{'s' * (stratum.references > 1)}" if stratum.references else ""
            )
            raise UserError(
                f"phase {phase.name}: field 'tokens': a batch of {phase.tokens:,} image tokens does not hold {what}; "
                f"at least {math.ceil(size[largest]):,}"
            )
        shares = max(len(phase.mixture), 1)
        mean = np.bincount(self.share, weights=self.part * size, minlength=shares)  # tokens of a sample of each share
        there = np.bincount(self.share, minlength=shares) > 0  # an optional share may have no rows
        self.due = _cumulated(phase, mean, there)
        self.start = (np.arange(len(strata)) * _GOLDEN) % 1.0

    def given(self, step: int) -> np.ndarray:
        """(strata,) int64: samples given before ``step`` of the phase."""
        return np.floor(self._due(step)).astype(np.int64)

    def waiting(self, step: int) -> int:
        """The stratum that is nearest to giving its next sample at ``step``."""
        due = self._due(step + 1)
        return int(np.argmax(due - np.floor(due)))

    def _due(self, step: int) -> np.ndarray:
        return self.due[step, self.share] * self.part + self.start


def _cumulated(phase: Phase, mean: np.ndarray, there: np.ndarray) -> np.ndarray:
    """(steps + 1, shares) samples that each share is due before each step, so that a step has ``tokens``.

    ``there``: (shares,) whether a share has rows. Raises UserError where a step has no share to draw from.
    """
    at = np.linspace(0.0, 1.0, phase.steps) if phase.steps > 1 else np.zeros(1)
    ends = [(s.weight, s.weight if s.end is None else s.end) for s in phase.mixture] or [(1.0, 1.0)]
    weights = np.stack([first + (last - first) * at for first, last in ends], axis=1)
    weights = _shared_out(weights, [s.task for s in phase.mixture] or [None], there)
    of_a_step = weights @ mean
    if not of_a_step.all():
        step = int(np.flatnonzero(of_a_step == 0)[0])
        raise UserError(
            f"phase {phase.name}: field 'mixture': at step {step} of the phase every share that the dataset has rows for "
            "has weight 0; raise a weight, or take the optional share without rows out"
        )
    samples = weights * (phase.tokens / of_a_step)[:, None]
    return np.vstack([np.zeros(len(ends)), np.cumsum(samples, axis=0)])


def _shared_out(weights: np.ndarray, tasks: Sequence[str | None], there: np.ndarray) -> np.ndarray:
    """``weights`` (steps, shares), those of shares without rows given to the others of their task: tasks keep their parts."""
    if there.all():
        return weights
    result = weights * there
    for task in set(tasks):
        mine = np.array([t == task for t in tasks])
        whole, left = weights[:, mine].sum(axis=1), result[:, mine].sum(axis=1)
        factor = np.divide(whole, left, out=np.ones_like(left), where=left > 0)
        result[:, mine] *= factor[:, None]
    return result
