"""What a strategy is: how the pictures of a recipe are made.

    strategy: {kind: ...} ──> Strategy ──open()──> Drawer ──draw(DrawRequest)──> Composition
                                                     └──identity()──> its part of the recipe's digest

A strategy is a frozen dataclass derived from ``Strategy``: its fields are those of the recipe's ``strategy:``. The
ones that ship are named in ``synth/recipe.py``'s ``AnyStrategy``; one of your own joins by
``kind: package.module:Class``.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar, Literal, Protocol

import numpy as np
from PIL.Image import Image

from configs.errors import UserError
from configs.renamed import to_first_names
from synth.content.base import Content, ContentRequest, Text
from synth.content.canvas import Canvas, pick_size
from synth.drawing.colors import Color, Ground
from synth.drawing.layers import Drawing
from synth.drawing.paint import paint
from synth.errors import Undrawable
from synth.fonts.source import FontFile
from synth.language import CaptionLanguage, Language, language_of
from synth.photos import Backdrop
from synth.strategies.context import RenderContext
from synth.typeset.layout import LayoutConfig

_PARAGRAPH_LINES = 3  # chosen: a text of a template with at least so many lines is a paragraph


class Drawer(Protocol):
    """A strategy with its files open."""

    def draw(self, request: DrawRequest) -> Composition:
        """One picture: a pure function of the request. Raises Undrawable where this text cannot be shown whole."""

    def identity(self) -> dict[str, Any]:
        """Plain data of all that decides a pixel; contents of files stand for their places."""


@dataclass(frozen=True)
class Strategy:
    """How the pictures of a recipe are made; the base class of the strategies' configs.

    A strategy that reads no files of its own defines ``draw`` and is its own ``Drawer``. One that does defines
    ``open``.
    """

    paired: ClassVar[bool] = False  # whether indices 2k and 2k + 1 are twins: one random stream, two sides

    kind: str

    def open(self) -> Drawer:
        """Read the files it draws from, once a process. Raises UserError naming the field of one that is missing."""
        return self

    def draw(self, request: DrawRequest) -> Composition:
        raise TypeError(f"{type(self).__name__} defines neither draw nor open")

    def identity(self) -> dict[str, Any]:
        plain: dict[str, Any] = to_first_names(self)
        return plain

    def check_contents(self, contents: Sequence[Content]) -> None:
        """Raise ValueError where the recipe's contents do not suit the strategy."""
        if not contents:
            raise ValueError("contents must hold at least one entry")


@dataclass(frozen=True, eq=False)
class DrawRequest:
    """What one picture is drawn from.

    Its methods draw from ``rng`` themselves, so the order in which a strategy calls them decides the picture.
    ``content`` is None in a recipe without contents; ``layout`` and ``canvases`` are those of the content where it has
    its own.
    """

    context: RenderContext
    rng: np.random.Generator
    layout: LayoutConfig
    canvases: Sequence[Canvas]
    content: Content | None
    turn: ContentRequest
    side: int = 0  # of twins: 0 or 1

    @property
    def alone(self) -> bool:
        """Whether the picture is to show one text and no more."""
        return self.content is not None and self.content.alone

    def canvas(self) -> tuple[int, int]:
        """Width and height in px."""
        return pick_size(self.canvases, self.rng)

    def text(self) -> Text:
        """The text whose turn it is. Raises Undrawable where the content finds none."""
        return self._text(self.turn)

    def other_text(self, beside: Sequence[Text] = (), instead: Text | None = None) -> Text:
        """A text of the same content at a random turn, to stand with ``beside`` or in the place of ``instead``. Raises
        Undrawable."""
        turn = replace(self.turn, ordinal=int(self.rng.integers(2**31)), beside=tuple(beside), instead=instead)
        return self._text(turn)

    def _text(self, turn: ContentRequest) -> Text:
        if self.content is None:
            raise UserError("contents must hold at least one entry: the strategy asks for a text")
        try:
            return self.content.text(turn)
        except UserError:
            raise
        except ValueError as error:
            raise Undrawable(str(error)) from None  # the next attempt may find a text


@dataclass(frozen=True)
class Change:
    """What an edit did to one text, or to the ground under all.

    ``before``, ``after``: the text. ``place``: where the text is added or moved to, in English words. ``several``:
    whether other texts stay beside it.
    """

    operation: str
    before: str | None = None
    after: str | None = None
    color_before: Color | None = None
    color_after: Color | None = None
    ground: Ground | None = None
    effect: str | None = None
    place: str | None = None
    several: bool = False
    edge: Color | None = None  # of an outline or a glow


def joint_text(texts: Sequence[Text]) -> Text:
    """Several texts of a picture as one, in reading order."""
    if len(texts) == 1:
        return texts[0]
    text = " ".join(each.text for each in texts)
    longest = max(texts, key=lambda each: len(each.text))
    return replace(longest, text=text, language=language_of(text), unit="paragraph" if longest.wrap else "line")


@dataclass(frozen=True, eq=False)
class Composition:
    """A drawn picture and what may be said of it.

    ``text`` is what a caption quotes. A picture with a ``change`` is the second of an edit pair: ``source`` is the
    first, and an instruction in the language ``instruction_language`` is written instead of captions.
    """

    text: Text
    fonts: tuple[FontFile, ...]
    drawing: Drawing
    painted: Image | None = None  # given where the strategy had to look at the pixels already
    ground: Ground | None = None  # None for a photograph
    medium: str | None = None  # of several that of the text whose turn it was
    media: tuple[str | None, ...] = ()  # of a photograph with several texts: of each what carries it; else empty
    body: str | None = None  # of a page: paragraphs, bullets, numbers
    columns: int = 1  # of a page: that have text
    family: dict[CaptionLanguage, str] | None = None  # names of a template's family
    backdrop: Backdrop | None = None
    pictures: tuple[Backdrop, ...] = ()  # photographs that are part of a template
    source: Drawing | None = None
    change: Change | None = None
    instruction_language: CaptionLanguage = "en"

    @cached_property
    def image(self) -> Image:
        """The drawing in pixels, painted when first asked for."""
        return self.painted or paint(self.drawing)

    @cached_property
    def reference(self) -> Image | None:
        """The picture before an edit in pixels, None for all others."""
        if self.source is None:
            return None
        return self.image if self.task == "i2i" else paint(self.source)

    @property
    def task(self) -> Literal["t2i", "ti2i", "i2i"]:
        """What a model learns from it: draw, edit, or reproduce a picture in which nothing was changed."""
        if self.source is None:
            return "t2i"
        return "i2i" if self.source.layers == self.drawing.layers else "ti2i"

    @property
    def shown(self) -> str:
        """All visible text, with a newline where the picture starts a new line."""
        return "\n".join(layer.block.text for layer in self.drawing.texts)

    @property
    def language(self) -> Language:
        """Of the visible text; "none" where an edit removed the only one."""
        return language_of(self.shown)

    @property
    def level(self) -> int:
        """``text_level`` by what is seen: 0 nothing, 1 character or word, 2 one line, 3 several lines, 4 a paragraph."""
        lines = [len(layer.block.lines) for layer in self.drawing.texts]
        if sum(lines) <= 1:
            return 0 if not lines else 1 if self.text.unit == "item" else 2
        paragraph = max(lines) >= _PARAGRAPH_LINES if self.family else self.text.unit == "paragraph"
        return 4 if paragraph else 3

    @property
    def photos(self) -> tuple[Backdrop, ...]:
        """The photographs behind the text and in it."""
        return (*([self.backdrop] if self.backdrop else []), *self.pictures)
