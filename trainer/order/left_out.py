"""Rows that a phase does not train on, counted by reason."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from trainer.order.curriculum import Phase

Names = Callable[[int], str]
"""What the user calls the row with this number."""
_NAMED = 3  # rows of a reason; chosen


@dataclass
class LeftOut:
    """Numbers of rows. ``unknown``: the phase's predicate meets a null; ``unshared``: no share of the mixture takes
    them; the others are in a share, and cannot be trained as what it wants."""

    unknown: int = 0
    unshared: int = 0
    undrawn: int = 0
    no_caption: int = 0
    no_instruction: int = 0
    no_reference: int = 0
    many_references: int = 0
    thin_reference: int = 0
    other_task: int = 0
    small: int = 0
    thin: int = 0
    cut: int = 0

    def __post_init__(self) -> None:
        self.first: dict[str, list[int]] = {}
        """The first rows by reason, where they were looked for."""

    def count(self, reason: str, those: np.ndarray, start: int) -> None:
        """``those``: (n,) bool of the rows from number ``start`` on that are left out for this."""
        setattr(self, reason, getattr(self, reason) + int(np.count_nonzero(those)))
        known = self.first.setdefault(reason, [])
        if len(known) < _NAMED:
            known += (np.flatnonzero(those)[: _NAMED - len(known)] + start).tolist()

    def reasons(self, phase: Phase, most_references: int, names: Names | None = None) -> list[tuple[int, str]]:
        """(rows, why) for everything that was left out, in words for the terminal; ``names``: told of the first rows."""
        words = {
            "unknown": "the phase's predicate meets a value that is null",
            "unshared": "in no share of the mixture",
            "undrawn": "their 'repeats' is 0",
            "no_caption": "t2i without a valid caption: it would train as the empty prompt",
            "no_instruction": "ti2i without a valid instruction: it would train as the empty prompt",
            "no_reference": "ti2i without a reference",
            "many_references": f"more references than the base model takes ({most_references})",
            "thin_reference": "a reference whose sides differ by a factor of more than 200",
            "other_task": "of a task that is none of t2i, ti2i, i2i",
            "small": f"would grow more than {phase.upscale}-fold at every resolution (field 'upscale')",
            "thin": f"too thin: the short side would grow more than {phase.upscale}-fold at every resolution",
            "cut": "every allowed crop would cut text that the caption quotes",
        }
        counts = dataclasses.asdict(self)
        return [(counts[name], why + self._examples(name, names)) for name, why in words.items() if counts[name]]

    def _examples(self, reason: str, names: Names | None) -> str:
        rows = self.first.get(reason, []) if names else []
        more = ", ..." if getattr(self, reason) > len(rows) else ""
        return f": {', '.join(map(names, rows))}{more}" if names and rows else ""
