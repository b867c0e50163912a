"""The pure strategy (report, section on text-aware synthesis, "pure rendering"): text on a clean ground."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from synth.drawing.colors import Ground, pick
from synth.drawing.layers import Drawing, GroundLayer, Layer, PictureLayer, TextLayer
from synth.drawing.textures import SIDE, tile
from synth.strategies.base import Composition, RenderContext, ShapedText
from synth.typeset.layout import LayoutConfig, arrange


@dataclass(frozen=True)
class PureStrategy:
    """A colour, a gradient or paper, as ``colors.backgrounds`` says."""

    kind: Literal["pure"]


def draw(
    tools: RenderContext, words: ShapedText, canvas: tuple[int, int], layout: LayoutConfig, rng: np.random.Generator
) -> Composition:
    """One block of text. Raises Undrawable where it does not fit."""
    block, matrix = arrange(
        words.shaped, canvas, layout, rng, words.text.wrap, words.curved, tools.effects.stroke_margin
    )
    ground, color = pick(tools.colors, rng)
    layer = TextLayer(block, tools.style(block, color, ground.colors, rng), matrix, one_word=words.one)
    drawing = Drawing(canvas, (*ground_layers(ground, canvas, rng), layer))
    return Composition(words.text, (words.font,), drawing, ground=ground)


def ground_layers(ground: Ground, canvas: tuple[int, int], rng: np.random.Generator) -> tuple[Layer, ...]:
    """What is painted behind the text; draws from ``rng`` for paper only."""
    plain = GroundLayer(ground)
    if not ground.paper:
        return (plain,)
    scale = max(canvas) / SIDE
    fibres = PictureLayer(tile("paper", int(rng.integers(64))), np.diag([scale, scale, 1.0]), blend="multiply")
    return (plain, fibres)
