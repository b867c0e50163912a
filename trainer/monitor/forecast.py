"""Says early that a training will take long, and what to change."""

from __future__ import annotations

import torch

from configs.numbers import duration

LONG = 3600.0
"""Seconds beyond which a training on a CPU is called long (chosen)."""


class Forecast:
    """Looks at the seconds left after every step until there is an estimate, and tells once if it is long."""

    def __init__(self, device: torch.device) -> None:
        self.silent = device.type != "cpu"

    def look(self, left: float | None) -> str | None:
        """The line to print, or None. ``left``: seconds to the end, None while they are not known."""
        if self.silent or left is None:
            return None
        self.silent = True
        if left <= LONG:
            return None
        return (
            f"train: about {duration(left)} to go on this CPU; for less, stop and take fewer steps (phases.N.steps), "
            "fewer tokens a step (phases.N.tokens), a smaller model (field 'model'), or a machine with a GPU"
        )
