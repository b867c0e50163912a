"""How a text is set on its place, chosen once: what stands in its stead later is set the same way."""

from __future__ import annotations

import math
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
    at: tuple[float, float] | None = None  # of the free room, 0..1 across and down, where it stands anywhere
    cap: float = math.inf  # px: no larger type


def pick_setting(config: LayoutConfig, canvas: tuple[int, int], rng: np.random.Generator) -> Setting:
    """A setting within a recipe's ranges."""
    j = config.jitter
    anywhere = config.anywhere and rng.random() < config.anywhere
    return Setting(
        rng.uniform(*config.line_spacing),
        rng.uniform(*config.letter_spacing),
        choose_key(rng, config.align),
        choose_key(rng, config.valign),
        rng.uniform(*config.rotate) if any(config.rotate) else 0.0,
        (rng.uniform(-j, j), rng.uniform(-j, j)) if j else (0.0, 0.0),
        (float(rng.random()), float(rng.random())) if anywhere else None,
        _cap(config, canvas, rng),
    )


def _cap(config: LayoutConfig, canvas: tuple[int, int], rng: np.random.Generator) -> float:
    """The largest size that one picture may take: small print comes as often as posters do."""
    if config.relative is None:
        return math.inf
    low, high = config.relative
    return min(canvas) * low * (high / low) ** rng.random()
