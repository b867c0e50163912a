"""The ground of a pure rendering as layers: a colour, a gradient, paper."""

from __future__ import annotations

import numpy as np

from synth.colors import Ground
from synth.drawing import GroundLayer, Layer, PictureLayer
from synth.textures import SIDE, tile


def ground_layers(ground: Ground, canvas: tuple[int, int], rng: np.random.Generator) -> tuple[Layer, ...]:
    """What is painted behind the text; draws from ``rng`` for paper only."""
    plain = GroundLayer(ground)
    if not ground.paper:
        return (plain,)
    scale = max(canvas) / SIDE
    fibres = PictureLayer(tile("paper", int(rng.integers(64))), np.diag([scale, scale, 1.0]), blend="multiply")
    return (plain, fibres)
