"""The layers of a clean ground: a color, a gradient, or paper."""

from __future__ import annotations

import numpy as np

from synth.drawing.colors import Ground
from synth.drawing.layers import GroundLayer, Layer, PictureLayer
from synth.drawing.textures import SIDE, tile


def ground_layers(ground: Ground, canvas: tuple[int, int], rng: np.random.Generator) -> tuple[Layer, ...]:
    """What is painted behind the text on a ``canvas`` (px); draws from ``rng`` for paper only."""
    plain = GroundLayer(ground)
    if not ground.paper:
        return (plain,)
    scale = max(canvas) / SIDE
    fibers = PictureLayer(tile("paper", int(rng.integers(64))), np.diag([scale, scale, 1.0]), blend="multiply")
    return (plain, fibers)
