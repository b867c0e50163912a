"""The pure strategy (report, section on text-aware synthesis, "pure rendering"): text on a clean ground."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

from synth.content.base import Text
from synth.content.dense import Dense
from synth.content.page import Page
from synth.drawing.colors import pick, shades_of
from synth.drawing.layers import Drawing, TextLayer
from synth.drawing.style import TextStyle
from synth.errors import Undrawable
from synth.geometry import Box, translation
from synth.strategies.base import Composition, DrawRequest, Strategy, joint_text
from synth.strategies.context import ShapedText
from synth.strategies.dense.draw import draw_dense
from synth.strategies.ground import ground_layers
from synth.strategies.page import draw_page
from synth.typeset.layout import LayoutConfig
from synth.typeset.setting import VerticalAlign

_SMALLER = (0.2, 0.5)  # chosen: size of small print to the size of the text above or below
_GAP = 0.5  # em of the main text, between it and small print
_SIDES = (0.42, 0.58)  # chosen: of the width, where the middle of a text has to be that stands on a side
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
        several = bool(self.several) and not request.alone and rng.random() < self.several
        text = _headline(request, text) if several else text
        shaped_text = context.shape(text, request.layout, rng)
        block, matrix = context.arrange(shaped_text, canvas, request.layout, rng)
        ground, color = pick(context.colors, rng)
        style = context.style(block, color, shades_of(ground.colors), rng)
        main = _Set(TextLayer(block, style, matrix, one_word=shaped_text.one), shaped_text)
        more = several and not style.to and not block.curved  # captions name one color for all
        more = more and style.effect == "plain" and text.language != "other" and len(text.text) > 1
        # Two pieces of prose would be of two matters, and a column beside lines looks like a mistake.
        more = more and not text.wrap and not shaped_text.shaped.vertical
        placed = _with_small_print(request, main, canvas) if more else [main]
        drawing = Drawing(canvas, (*ground_layers(ground, canvas, rng), *(each.layer for each in placed)))
        return Composition(
            joint_text([each.shaped_text.text for each in placed]),
            tuple(each.shaped_text.font for each in placed),
            drawing,
            ground=ground,
        )


def _headline(request: DrawRequest, text: Text) -> Text:
    """Of the text and two others that may stand beside it the one that comes first on a sign: a place's name, before what it
    offers, before hours and notices."""
    told = [text]
    for _ in range(0 if text.wrap else 2):
        try:
            told.append(request.other_text(beside=told))
        except Undrawable:
            break
    return min(told, key=lambda each: each.order)


@dataclass(frozen=True, eq=False)
class _Set:
    """A text where it stands."""

    layer: TextLayer
    shaped_text: ShapedText


def _with_small_print(request: DrawRequest, main: _Set, canvas: tuple[int, int]) -> list[_Set]:
    """The main text, and a smaller one in each band above and below it that is high enough; in reading order."""
    _, top, _, bottom = main.layer.bounds()
    gap = _GAP * main.layer.block.size
    above = _small_print(request, [main], canvas[0], (0.0, top - gap), "bottom")
    known = [main, above] if above else [main]
    below = _small_print(request, known, canvas[0], (bottom + gap, float(canvas[1])), "top")
    return [each for each in (above, main, below) if each]


def _small_print(
    request: DrawRequest, known: Sequence[_Set], width: int, band: tuple[float, float], end: VerticalAlign
) -> _Set | None:
    """A text of the same content in the font of the main one, the first of ``known``, at one end of a band (top and
    bottom, px) and flush with it; None where none fits."""
    main = known[0]
    rng, context, size = request.rng, request.context, main.layer.block.size
    layout = _smaller(request.layout, size * float(rng.uniform(*_SMALLER)), end)
    top, bottom = map(int, band)
    if bottom - top < _LOW * layout.min_size or layout.max_size >= size:
        return None
    try:
        text = request.other_text(beside=[each.shaped_text.text for each in known])
        shaped_text = context.shape_beside(text, main.shaped_text, rng)
        block, matrix = context.arrange(shaped_text, (width, bottom - top), layout, rng)
    except Undrawable:  # a picture with one text less is as good
        return None
    layer = TextLayer(block, TextStyle(main.layer.style.color), translation(0, top) @ matrix, one_word=shaped_text.one)
    shift = _flush(layer.bounds(), main.layer.bounds(), width, layout.margin * min(width, bottom - top))
    return _Set(replace(layer, matrix=translation(shift, 0) @ layer.matrix), shaped_text)


def _flush(box: Box, main: Box, width: int, margin: float) -> float:
    """Px to the right that make a box flush with the main one: on the side where that stands, or centered over it."""
    middle = (main[0] + main[2]) / 2 / width
    if middle < _SIDES[0]:
        shift = main[0] - box[0]
    else:
        shift = main[2] - box[2] if middle > _SIDES[1] else (main[0] + main[2] - box[0] - box[2]) / 2
    return min(max(shift, margin - box[0]), width - margin - box[2])


def _smaller(layout: LayoutConfig, largest: float, end: VerticalAlign) -> LayoutConfig:
    """Horizontal, upright, at one end of a band, no larger than ``largest`` px."""
    return replace(
        layout,
        size="fit",
        relative=None,
        max_size=max(largest, layout.min_size),
        anywhere=0.0,
        valign={end: 1.0},
        jitter=0.0,
        rotate=(0.0, 0.0),
        directions={"horizontal": 1.0},
    )
