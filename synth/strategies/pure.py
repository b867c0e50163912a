"""The pure strategy (report, section on text-aware synthesis, "pure rendering"): text on a clean ground."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from synth.content.base import Text
from synth.content.dense import Dense
from synth.content.page import Page
from synth.drawing.colors import pick, shades_of
from synth.drawing.layers import Drawing, TextLayer
from synth.drawing.style import TextStyle
from synth.errors import Undrawable
from synth.fonts.source import FontFile
from synth.geometry import translation
from synth.strategies.base import Composition, DrawRequest, Strategy, joint_text
from synth.strategies.dense.draw import draw_dense
from synth.strategies.ground import ground_layers
from synth.strategies.page import draw_page
from synth.typeset.layout import LayoutConfig

_SMALLER = (0.2, 0.5)  # chosen: size of small print to the size of the text above or below
_GAP = 0.5  # em of the main text, between it and small print
_LOW = 1.5  # chosen: times the smallest size that a band must be high for text to stand in it


@dataclass(frozen=True)
class PureStrategy(Strategy):
    """A color, a gradient or paper, as ``colors.backgrounds`` says. Pages are laid out as pages.

    ``several``: fraction of the pictures with more than one text: above or below the main one, a smaller one each.
    """

    kind: Literal["pure"]
    several: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.several <= 1:
            raise ValueError(f"several must be within 0..1, found {self.several:g}")

    def draw(self, request: DrawRequest) -> Composition:
        """One block of text, a few, or a page. Raises Undrawable where it does not fit."""
        if isinstance(request.content, Page):
            return draw_page(request, request.content)
        if isinstance(request.content, Dense):
            return draw_dense(request, request.content)
        context, rng = request.context, request.rng
        text, canvas = request.text(), request.canvas()
        shaped_text = context.shape(text, request.layout, rng)
        block, matrix = context.arrange(shaped_text, canvas, request.layout, rng)
        ground, color = pick(context.colors, rng)
        style = context.style(block, color, shades_of(ground.colors), rng)
        main = _Set(TextLayer(block, style, matrix, one_word=shaped_text.one), text, shaped_text.font)
        more = bool(self.several) and rng.random() < self.several and not style.to  # captions name one color for all
        placed = _with_small_print(request, main, canvas) if more else [main]
        drawing = Drawing(canvas, (*ground_layers(ground, canvas, rng), *(each.layer for each in placed)))
        return Composition(
            joint_text([each.text for each in placed]), tuple(each.font for each in placed), drawing, ground=ground
        )


@dataclass(frozen=True, eq=False)
class _Set:
    """A text where it stands."""

    layer: TextLayer
    text: Text
    font: FontFile


def _with_small_print(request: DrawRequest, main: _Set, canvas: tuple[int, int]) -> list[_Set]:
    """The main text, and a smaller one in each band above and below it that is high enough; in reading order."""
    _, top, _, bottom = main.layer.bounds()
    gap = _GAP * main.layer.block.size
    above = _small_print(request, main, canvas[0], (0.0, top - gap))
    below = _small_print(request, main, canvas[0], (bottom + gap, float(canvas[1])))
    return [each for each in (above, main, below) if each]


def _small_print(request: DrawRequest, main: _Set, width: int, band: tuple[float, float]) -> _Set | None:
    """A text of the same content anywhere in a band (top and bottom, px); None where none fits."""
    rng, context, size = request.rng, request.context, main.layer.block.size
    layout = _smaller(request.layout, size * float(rng.uniform(*_SMALLER)))
    top, bottom = map(int, band)
    if bottom - top < _LOW * layout.min_size or layout.max_size >= size:
        return None
    try:
        text = request.other_text()
        shaped_text = context.shape(text, layout, rng)
        block, matrix = context.arrange(shaped_text, (width, bottom - top), layout, rng)
    except Undrawable:  # a picture with one text less is as good
        return None
    layer = TextLayer(block, TextStyle(main.layer.style.color), translation(0, top) @ matrix, one_word=shaped_text.one)
    return _Set(layer, text, shaped_text.font)


def _smaller(layout: LayoutConfig, largest: float) -> LayoutConfig:
    """Horizontal, upright, anywhere, no larger than ``largest`` px."""
    return replace(
        layout,
        size="fit",
        relative=None,
        max_size=max(largest, layout.min_size),
        anywhere=1.0,
        jitter=0.0,
        rotate=(0.0, 0.0),
        directions={"horizontal": 1.0},
    )
