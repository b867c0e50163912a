"""What strategies work with and what they give: ``draw(tools, ..., rng) -> Composition``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from PIL.Image import Image

from configs.errors import UserError
from synth.choice import choose
from synth.content.base import Text
from synth.drawing.colors import Color, ColorConfig, Ground
from synth.drawing.layers import Drawing
from synth.drawing.paint import paint
from synth.drawing.style import EffectConfig, TextStyle, pick_style
from synth.errors import Undrawable
from synth.fonts.source import FontFile
from synth.photos import Backdrop
from synth.sample import CaptionLanguage
from synth.typeset.block import Block
from synth.typeset.layout import LayoutConfig, direction_for
from synth.typeset.shaped import Shaped

PLAIN = EffectConfig()


@dataclass(frozen=True, eq=False)
class Composition:
    """A drawn picture and what a caption may say of it. ``text`` is quoted; ``fonts`` are those that were used."""

    text: Text
    fonts: tuple[FontFile, ...]
    drawing: Drawing
    painted: Image | None = None  # where the strategy had to look at it already
    ground: Ground | None = None  # None for a photograph
    medium: str | None = None
    body: str | None = None  # of a page: paragraphs, bullets, numbers
    family: dict[CaptionLanguage, str] | None = None  # names of a template's
    backdrop: Backdrop | None = None
    pictures: tuple[Backdrop, ...] = ()  # photographs that are part of a template
    source: Drawing | None = None  # of an edit: the picture before it
    instruction: str = ""
    spoken: CaptionLanguage = "en"  # language of the instruction

    @cached_property
    def image(self) -> Image:
        """The drawing, painted when it is first asked for."""
        return self.painted or paint(self.drawing)


@dataclass(frozen=True)
class ShapedText:
    """A drawn text in a face, shaped."""

    text: Text
    font: FontFile
    shaped: Shaped
    curved: bool = False

    @property
    def one(self) -> bool:
        """Whether the text is a single word or character."""
        return self.text.unit == "item"

    def horizontal(self) -> ShapedText:
        """The same in lines: columns look lost on something wide."""
        shaped = self.shaped
        return (
            replace(self, shaped=Shaped(shaped.face, self.text.text, self.text.language)) if shaped.vertical else self
        )

    def aspect(self, rng: np.random.Generator) -> float:
        """Width to height of a place that would suit the text."""
        if self.text.wrap:
            return float(rng.uniform(1.0, 2.4)) if not self.shaped.vertical else float(rng.uniform(0.5, 1.2))
        along = min(max(self.shaped.advance / 1.25, 0.8), 10.0)
        return 1 / along if self.shaped.vertical else along / 2 if self.curved else along


@dataclass(frozen=True, eq=False)
class RenderContext:
    """The fonts of a recipe and how it colours them."""

    fonts: Sequence[FontFile]
    colors: ColorConfig
    effects: EffectConfig

    def font(self, text: Text, rng: np.random.Generator) -> FontFile:
        """A font that covers a text. Raises Undrawable where none does, UserError where none is for its language."""
        fonts = self._covering(text)
        return fonts[choose(rng, [f.source.share for f in fonts])]

    def _covering(self, text: Text) -> list[FontFile]:
        fitting = [f for f in self.fonts if text.language in f.source.languages]
        if not fitting:
            raise UserError(f"fonts: none is for language '{text.language}'")
        covering = [f for f in fitting if f.missing(text.text) is None]
        if not covering:
            missing_glyphs = max(filter(None, (f.missing(text.text) for f in fitting)), key=text.text.index)
            raise Undrawable(f"no font has '{missing_glyphs}'", (missing_glyphs,))
        return covering

    def by_hand(self, words: ShapedText, rng: np.random.Generator) -> ShapedText:
        """The same in a handwriting face, unchanged where none covers the text."""
        text = words.text
        fonts = [f for f in self.fonts if f.handwriting and text.language in f.source.languages]
        covering = [f for f in fonts if f.missing(text.text) is None]
        return self._set(text, covering, words.shaped.vertical, words.curved, rng) if covering else words

    def words(self, text: Text, layout: LayoutConfig, rng: np.random.Generator) -> ShapedText:
        """The text in a direction, a font and a weight. Raises Undrawable where the font lacks a character."""
        direction = direction_for(layout, text.language, text.wrap, rng)
        return self._set(text, self._covering(text), direction == "vertical", direction == "curved", rng)

    def _set(
        self, text: Text, fonts: Sequence[FontFile], vertical: bool, curved: bool, rng: np.random.Generator
    ) -> ShapedText:
        """The text in one of ``fonts``."""
        font = fonts[choose(rng, [f.source.share for f in fonts])]
        wght = font.wghts[int(rng.integers(len(font.wghts)))]
        return ShapedText(text, font, Shaped(font.face(wght), text.text, text.language, vertical), curved)

    def style(self, block: Block, color: Color, grounds: tuple[Color, ...], rng: np.random.Generator) -> TextStyle:
        """A style of one colour; small text stays plain."""
        effects = self.effects if block.size >= self.effects.least else PLAIN
        return pick_style(effects, color, grounds, rng)


@dataclass(frozen=True)
class Change:
    """What an edit does. ``before``, ``after``: texts; ``place``: where to, in English words; ``several``: other texts stay."""

    operation: str
    before: str | None = None
    after: str | None = None
    color_before: Color | None = None
    color_after: Color | None = None
    ground: Ground | None = None
    effect: str | None = None
    place: str | None = None
    several: bool = False
