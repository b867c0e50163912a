"""Bilingual twins: two pictures that differ in the language of their text alone.

    pair of texts ──one place, size, color, effect, ground──> even index: English, odd index: Chinese

Indices 2k and 2k + 1 draw from one random stream, so everything but the text and its face is the same; the faces are of one
style where the recipe has one for both. With ``edits`` each of them is an edit that translates the other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import numpy as np

from synth.choice import choose
from synth.content.base import Content, Text
from synth.content.pair import Pair
from synth.drawing.colors import pick, shades_of
from synth.drawing.layers import Drawing, TextLayer
from synth.fonts.face import Face
from synth.fonts.source import FontFile
from synth.geometry import Matrix, translation
from synth.language import CaptionLanguage
from synth.strategies.base import Change, Composition, DrawRequest, Strategy
from synth.strategies.context import RenderContext, ShapedText
from synth.strategies.ground import ground_layers
from synth.typeset.block import Block
from synth.typeset.setting import pick_setting
from synth.typeset.shaped import Shaped

_WIDE, _HIGH = (0.5, 0.9), (0.2, 0.7)  # chosen: of the canvas, the box that both texts stand in
_WEIGHT = 400  # regular in both languages: not every family has others


@dataclass(frozen=True)
class TwinStrategy(Strategy):
    """Contents are of kind pair. ``edits``: fraction of the twins that are edits, from the other language into this one."""

    paired: ClassVar[bool] = True

    kind: Literal["twin"]
    edits: float = 0.0

    def __post_init__(self) -> None:
        if not 0 <= self.edits <= 1:
            raise ValueError(f"edits must be within 0..1, found {self.edits:g}")

    def check_contents(self, contents: Sequence[Content]) -> None:
        if not contents or not all(isinstance(content, Pair) for content in contents):
            raise ValueError("contents of strategy twin must all be of kind pair")

    def draw(self, request: DrawRequest) -> Composition:
        """The twin of the request's side. Raises Undrawable where one of both texts does not fit."""
        assert isinstance(request.content, Pair)
        rng, context, canvas, side = request.rng, request.context, request.canvas(), request.side
        texts = request.content.both(request.turn)
        fonts = _fonts(context, texts, rng)
        shaped = [ShapedText(t, f, Shaped(_face(f), t.text, t.tag)) for t, f in zip(texts, fonts, strict=True)]
        box, size = _box(canvas, rng)
        placed = _both_placed(request, shaped, size)
        ground, color = pick(context.colors, rng)
        style = context.style(placed[0][0], color, shades_of(ground.colors), rng)
        under = ground_layers(ground, canvas, rng)
        drawings = [Drawing(canvas, (*under, TextLayer(b, style, translation(*box) @ m))) for b, m in placed]
        edit = bool(self.edits) and rng.random() < self.edits
        language: CaptionLanguage = "en" if rng.random() < 0.5 else "zh"
        return Composition(
            texts[side],
            (fonts[side],),
            drawings[side],
            ground=ground,
            source=drawings[1 - side] if edit else None,
            change=Change("translate", texts[1 - side].text, texts[side].text) if edit else None,
            instruction_language=language,
        )


def _fonts(context: RenderContext, texts: Sequence[Text], rng: np.random.Generator) -> list[FontFile]:
    """A font for each text, the second one in the style of the first where the recipe has such a one."""
    first = context.font(texts[0], rng)
    able = [f for f in context.fonts if f.writes(texts[1].tag) and not f.missing(texts[1].text)]
    alike = [f for f in able if f.source.style == first.source.style]
    if not alike:
        return [first, context.font(texts[1], rng)]
    return [first, alike[choose(rng, [f.source.weight for f in alike])]]


def _face(font: FontFile) -> Face:
    return min(map(font.face, font.wghts), key=lambda face: abs(face.weight - _WEIGHT))


def _box(canvas: tuple[int, int], rng: np.random.Generator) -> tuple[tuple[int, int], tuple[int, int]]:
    """The left top and the size, px, of a box anywhere on the canvas."""
    width, height = (int(side * rng.uniform(*range_)) for side, range_ in zip(canvas, (_WIDE, _HIGH), strict=True))
    return (int(rng.integers(canvas[0] - width + 1)), int(rng.integers(canvas[1] - height + 1))), (width, height)


def _both_placed(
    request: DrawRequest, shaped: Sequence[ShapedText], size: tuple[int, int]
) -> list[tuple[Block, Matrix]]:
    """Both texts in one setting and at one size, the largest at which either fits a box of ``size`` px. Raises Undrawable."""
    context, rng = request.context, request.rng
    layout = replace(request.layout, directions={"horizontal": 1.0}, fill=(1.0, 1.0))
    setting = pick_setting(layout, size, rng)
    state = rng.bit_generator.state
    fitted = [context.arrange(one, size, layout, rng, setting)[0].size for one in shaped]
    common = replace(layout, size=(min(fitted), min(fitted)))
    placed = []
    for one in shaped:
        rng.bit_generator.state = state  # both by the same chance
        placed.append(context.arrange(one, size, common, rng, setting))
    return placed
