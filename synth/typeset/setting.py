"""How a text is set on its place, chosen once: what stands in its stead later is set the same way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np

from synth.choice import choose_key

if TYPE_CHECKING:
    from synth.typeset.layout import LayoutConfig

Align = Literal["left", "center", "right", "justify"]
VerticalAlign = Literal["top", "middle", "bottom"]


@dataclass(frozen=True)
class Setting:
    """``spacing`` and ``letter`` in em, ``degrees`` clockwise, ``jitter`` in px off the aligned place."""

    spacing: float
    letter: float
    align: Align
    valign: VerticalAlign
    degrees: float
    jitter: tuple[float, float]


def pick_setting(config: LayoutConfig, rng: np.random.Generator) -> Setting:
    """A setting within a recipe's ranges."""
    j = config.jitter
    return Setting(
        rng.uniform(*config.line_spacing),
        rng.uniform(*config.letter_spacing),
        choose_key(rng, config.align),
        choose_key(rng, config.valign),
        rng.uniform(*config.rotate) if any(config.rotate) else 0.0,
        (rng.uniform(-j, j), rng.uniform(-j, j)) if j else (0.0, 0.0),
    )
