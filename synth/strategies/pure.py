"""The pure strategy (report, section on text-aware synthesis, "pure rendering"): text on a clean ground."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from synth.content.page import Page
from synth.drawing.colors import pick, shades_of
from synth.drawing.layers import Drawing, TextLayer
from synth.strategies.base import Composition, DrawRequest, Strategy
from synth.strategies.ground import ground_layers
from synth.strategies.page import draw_page


@dataclass(frozen=True)
class PureStrategy(Strategy):
    """A color, a gradient or paper, as ``colors.backgrounds`` says. Pages are laid out as pages."""

    kind: Literal["pure"]

    def draw(self, request: DrawRequest) -> Composition:
        """One block of text, or a page. Raises Undrawable where it does not fit."""
        if isinstance(request.content, Page):
            return draw_page(request, request.content)
        context, rng = request.context, request.rng
        text, canvas = request.text(), request.canvas()
        shaped_text = context.shape(text, request.layout, rng)
        block, matrix = context.arrange(shaped_text, canvas, request.layout, rng)
        ground, color = pick(context.colors, rng)
        layer = TextLayer(
            block, context.style(block, color, shades_of(ground.colors), rng), matrix, one_word=shaped_text.one
        )
        drawing = Drawing(canvas, (*ground_layers(ground, canvas, rng), layer))
        return Composition(text, (shaped_text.font,), drawing, ground=ground)
