"""The fonts, colors and effects of a recipe, and texts shaped with them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from configs.errors import UserError
from synth.choice import choose
from synth.content.base import Text
from synth.drawing.colors import RGB, Color, ColorConfig
from synth.drawing.outlines import bridges, clear_for_lines, stem
from synth.drawing.style import EffectConfig, TextStyle, pick_style
from synth.errors import Undrawable
from synth.fonts.face import Face
from synth.fonts.source import FontFile
from synth.geometry import Matrix
from synth.language import is_han
from synth.typeset.block import Block
from synth.typeset.layout import LayoutConfig, arrange, direction_for
from synth.typeset.marks import MARKS
from synth.typeset.setting import Setting
from synth.typeset.shaped import Shaped

_PLAIN = EffectConfig()
_PARTED = 4  # chosen: Chinese characters of a line that may be parted
_TALL = 3.0  # chosen: times the height of one line that fills its width, from which on a place is too high for it
_DISPLAY = 6  # chosen: lines of a text, beyond which an effect crowds it
_LYING = re.compile(r"[A-Za-z0-9]{3,}|\d[:.,/-]\d|[%¥]")  # would lie on its side in a column
_ORNATE, _ORNATE_BODY = ("handwriting", "display"), 0.15  # chosen: of their weight, for paragraphs
_ARC = 6  # chosen: characters; fewer on an arc look tilted, and full-width marks tear it
_ALIKE = 150  # chosen: of CSS's weights; more is seen as another weight


@dataclass(frozen=True)
class ShapedText:
    """A text shaped in one face. ``shaped`` holds its glyphs; ``curved``: it is to be set along an arc; ``broken``: it may take
    several lines though it is one."""

    text: Text
    font: FontFile
    shaped: Shaped
    curved: bool = False
    broken: bool = False

    @property
    def one(self) -> bool:
        """Whether the text is a single word or character."""
        return self.text.unit == "item"

    def horizontal(self) -> ShapedText:
        """The same text in lines instead of columns, for places that are wider than high."""
        shaped = self.shaped
        return replace(self, shaped=Shaped(shaped.face, self.text.text, self.text.tag)) if shaped.vertical else self

    def broken_for(self, size: tuple[int, int]) -> ShapedText:
        """The same, in several lines where it has words for them and one would take little of the height of a place of ``size``
        px."""
        words = len(self.text.text.split()) > 1 or sum(map(is_han, self.text.text)) >= _PARTED
        level = not (self.text.wrap or self.curved or self.shaped.vertical)
        return replace(self, broken=words and level and self.shaped.advance * size[1] > _TALL * size[0])

    def aspect(self, rng: np.random.Generator) -> float:
        """Width to height of a place that would suit the text."""
        if self.text.wrap:
            return float(rng.uniform(1.0, 2.4)) if not self.shaped.vertical else float(rng.uniform(0.5, 1.2))
        along = min(max(self.shaped.advance / 1.25, 0.8), 10.0)
        return 1 / along if self.shaped.vertical else along / 2 if self.curved else along


@dataclass(frozen=True, eq=False)
class RenderContext:
    """What every picture of a recipe is drawn with."""

    fonts: Sequence[FontFile]
    colors: ColorConfig
    effects: EffectConfig

    def font(self, text: Text, rng: np.random.Generator) -> FontFile:
        """A font that covers a text. Raises Undrawable where none does, UserError where none is for its language."""
        fonts = self._covering(text)
        return fonts[choose(rng, _weights(fonts, text))]

    def shape(self, text: Text, layout: LayoutConfig, rng: np.random.Generator) -> ShapedText:
        """The text in a direction, a font that covers it and a weight. Raises Undrawable where no font covers it."""
        direction = direction_for(layout, text.language, text.wrap, rng)
        curved = direction == "curved" and len(text.text) >= _ARC and not set(MARKS) & set(text.text)
        vertical = direction == "vertical" and not _LYING.search(text.text)
        return self._shape_with(self._covering(text), text, vertical, curved, rng)

    def shape_beside(self, text: Text, other: ShapedText, rng: np.random.Generator) -> ShapedText:
        """A text in level lines, in another one's font and weight where that covers it. Raises Undrawable where no font does."""
        covering = self._covering(text)
        if other.font in covering:
            return ShapedText(text, other.font, Shaped(other.shaped.face, text.text, text.tag))
        return self._shape_with(covering, text, False, False, rng)

    def by_hand(self, shaped_text: ShapedText, rng: np.random.Generator) -> ShapedText:
        """The same text in a handwriting font, unchanged where none covers it."""
        text = shaped_text.text
        fonts = [f for f in self.fonts if f.handwriting and f.writes(text.tag)]
        covering = [f for f in fonts if f.missing(text.text) is None]
        if not covering:
            return shaped_text
        return self._shape_with(covering, text, shaped_text.shaped.vertical, shaped_text.curved, rng)

    def arrange(
        self,
        shaped_text: ShapedText,
        size: tuple[int, int],
        layout: LayoutConfig,
        rng: np.random.Generator,
        setting: Setting | None = None,
    ) -> tuple[Block, Matrix]:
        """The text as a block that fits a box of ``size`` px, and its place in it. Raises Undrawable where none does."""
        wrap, curved = shaped_text.text.wrap or shaped_text.broken, shaped_text.curved
        margin = self.effects.stroke_margin
        return arrange(shaped_text.shaped, size, layout, rng, wrap, curved, margin, setting)

    def style(self, block: Block, color: Color, shades: Sequence[RGB], rng: np.random.Generator) -> TextStyle:
        """A style in one color, readable on a ground of these shades; text below ``effects.min_size`` px and of many lines stays
        plain."""
        display = block.size >= self.effects.min_size and len(block.lines) <= _DISPLAY
        effects = self.effects if display else _PLAIN
        style = pick_style(effects, color, shades, rng, lambda: stem(block))
        if style.stroke and not clear_for_lines(block):
            return TextStyle(color)
        shown = style.finish != "stencil" or next(bridges(block), None) is not None
        return style if shown and style.drawn_at(block.size) else TextStyle(color)

    def counterparts(self, text: Text, old: FontFile, old_face: Face) -> list[tuple[FontFile, Face]]:
        """Faces that cover ``text`` in the style of another font and about its weight, each font's nearest one."""
        found = []
        for font in self.fonts:
            alike = font.source.style == old.source.style and font.handwriting == old.handwriting
            if not alike or font.italic != old.italic or not font.writes(text.tag) or font.missing(text.text):
                continue
            face = min(map(font.face, font.wghts), key=lambda face: abs(face.weight - old_face.weight))
            if abs(face.weight - old_face.weight) <= _ALIKE:
                found.append((font, face))
        return found

    def _covering(self, text: Text) -> list[FontFile]:
        fitting = [f for f in self.fonts if f.writes(text.tag)]
        if not fitting:
            raise UserError(f"fonts: none is for language '{text.tag}'")
        covering = [f for f in fitting if f.missing(text.text) is None]
        if not covering:
            missing = max(filter(None, (f.missing(text.text) for f in fitting)), key=text.text.index)
            raise Undrawable(f"no font has '{missing}'", (missing,))
        return covering

    def _shape_with(
        self, fonts: Sequence[FontFile], text: Text, vertical: bool, curved: bool, rng: np.random.Generator
    ) -> ShapedText:
        font = fonts[choose(rng, _weights(fonts, text))]
        wght = font.wghts[int(rng.integers(len(font.wghts)))]
        return ShapedText(text, font, Shaped(font.face(wght), text.text, text.tag, vertical), curved)


def _weights(fonts: Sequence[FontFile], text: Text) -> list[float]:
    """How often each font comes; whole paragraphs in a script, a display or a slanted face are as rare as in print."""
    if text.unit != "paragraph" or all(f.source.style in _ORNATE for f in fonts):
        return [f.source.weight for f in fonts]
    return [f.source.weight * (_ORNATE_BODY if f.source.style in _ORNATE or f.italic else 1.0) for f in fonts]
