"""What is true of a drawn picture, for those who describe it: read off the layers, never guessed."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from synth.drawing.colors import Color, Ground
from synth.drawing.layers import TextLayer
from synth.drawing.regions import layer_regions
from synth.fonts.families import Style
from synth.geometry import Box, in_corner
from synth.language import CaptionLanguage, Language, is_han, language_of
from synth.strategies.base import Composition

_LARGE, _SMALL = 0.22, 0.045  # chosen: type sizes that a person calls large or small, of a square canvas's side
_ADDRESS = re.compile(r"@|https?:|www\.")  # is of no language
_FOREIGN = 0.1  # chosen: of a text's letters; with more of another script it is not simply Chinese, or English
_OUTER = 2 / 3  # twice a third: where the middle of a text at an edge or in a corner is
_STANDING = 1.15  # chosen: times the type size of any other text that one text must have to stand out
_BESIDE = 4.0  # chosen: em between neighbors of a row
_CENTERED = 0.12  # chosen: twice what the middle of a text in the middle may be off, of the canvas
_SPREAD = 0.6  # chosen: text that takes more of the canvas's width and of its height has no place of its own


class Said(NamedTuple):
    """One text of a template: its ``role``, its ``color`` and where it stands (``spot``): in which third of the height, and
    in which half of the width where it stands in one."""

    role: str
    text: str
    color: Color
    spot: str

    @property
    def row(self) -> str:
        """The spot without its side."""
        return " ".join(word for word in self.spot.split() if word in ("top", "bottom")) or "center"


@dataclass(frozen=True)
class SceneFacts:
    """``text``: as quoted, on one line. ``ground`` None: straight on a photograph. ``place``: None where it fills the picture.

    ``direction``: horizontal, vertical, curved. ``title``, ``body`` ("paragraphs", "bullets", "numbers") and
    ``columns`` are those of a page.
    """

    text: str
    language: Language
    color: Color
    color_to: Color | None = None  # other end of a gradient
    ground: Ground | None = None
    medium: str | None = None
    family: dict[CaptionLanguage, str] | None = None  # names of a template's
    texts: tuple[Said, ...] = ()  # of a template or of a photograph with several, in reading order
    stands_out: bool = True  # of a template's main text: larger than all others
    media: tuple[str | None, ...] = ()  # of a photograph with several texts: what carries each
    face: Style | None = None
    effect: str = "plain"
    edge: Color | None = None  # of an outline or a glow
    direction: str = "horizontal"
    lines: int = 1
    place: str | None = None
    size: str | None = None
    title: str = ""
    rest: str = ""  # what comes after the title
    title_color: Color | None = None
    body: str | None = None
    columns: int = 1
    parts: tuple[str, ...] = ()  # of several texts on a clean ground, in reading order
    excerpt: bool = False  # whether ``text`` is only the beginning of what the picture shows

    @property
    def one_color(self) -> bool:
        """Whether all of a page's text has the body's color."""
        return self.title_color is None or self.title_color.en == self.color.en

    @property
    def tongue(self) -> Language | None:
        """The language that a person would call the text's: none where more than a few letters are of the other script."""
        if _ADDRESS.search(self.text):
            return None
        han, latin = sum(map(is_han, self.text)), sum(c.isalpha() and c.isascii() for c in self.text)
        foreign = latin if self.language == "zh" else han
        others = {language_of(said.text) for said in self.texts} - {self.language, "other"}
        return self.language if foreign <= _FOREIGN * (han + latin) and not others else None

    @property
    def kind(self) -> str:
        """pure, photo, several, medium, page: which sentences suit."""
        if self.family:
            return "template"
        if self.media:
            return "several"
        if self.medium:
            return "medium"
        if self.excerpt:
            return "dense"
        return "photo" if self.ground is None else "page" if self.body else "pure"


def facts_of(made: Composition, quote: int = 10_000) -> SceneFacts:
    """The facts of a picture with at least one text, of which at most ``quote`` characters are quoted."""
    layers = made.drawing.texts
    main = next((layer for layer in reversed(layers) if made.body and layer.role == "body"), layers[-1])
    heading = next((layer for layer in layers if layer.role == "heading"), None)
    page = made.body is not None
    whole = " ".join(made.text.text.split("\n"))
    text = _excerpt(whole, quote)
    effects = set.intersection(*(set(layer.effects) for layer in layers))  # what may be said of all of them
    alike = len({(layer.style.effect, layer.style.edge) for layer in layers}) == 1
    size = None if len(layers) > 1 else main.block.size / math.sqrt(math.prod(made.drawing.canvas))
    glue = "" if made.text.language == "zh" else " "
    title = heading.block.on_one_line(glue) if heading else ""
    return SceneFacts(
        text=text,
        excerpt=text != whole,
        language=made.text.language,
        color=main.style.color,
        color_to=main.style.to if len(layers) == 1 or made.family or page else None,
        ground=made.ground,
        medium=None if made.family or made.media else made.medium,
        family=made.family,
        texts=_all_said(layers, made) if made.family or made.media else (),
        stands_out=not made.family or _stands_out(whole, layers, glue),
        media=made.media,
        face=_face(made),
        effect=main.style.effect if alike else "plain",
        edge=main.style.edge if alike else None,
        direction="vertical" if "vertical" in effects else "curved" if "curved" in effects else "horizontal",
        lines=sum(len(layer.block.lines) for layer in layers),
        place=None if page or made.medium or made.family else _place(made),
        size=None if page or made.medium or made.family or size is None else _named_size(size),
        title=title,
        rest=_after(title, text),
        title_color=heading.style.color if heading else None,
        body=made.body if page else None,
        parts=() if page or made.family or made.media else _parts(whole, layers),
        columns=made.columns,
    )


def _after(title: str, text: str) -> str:
    """What follows the title that a text begins with, and which may be broken into lines there; nothing where it does not."""
    at = 0
    for character in "".join(title.split()):
        while text[at : at + 1].isspace():
            at += 1
        if text[at : at + 1] != character:
            return ""
        at += 1
    return text[at:].strip() if title else ""


def _stands_out(whole: str, layers: Sequence[TextLayer], glue: str) -> bool:
    """Whether the text ``whole`` is clearly larger than all others."""
    told = [(layer.block.on_one_line(glue) == whole, layer.block.size) for layer in layers]
    mine, others = ([size for is_main, size in told if is_main == wanted] for wanted in (True, False))
    return len(mine) == 1 and mine[0] >= _STANDING * max(others, default=0.0)


def _excerpt(text: str, most: int) -> str:
    """The text, or its beginning up to a sentence's or at least a word's end where it is longer than ``most`` characters."""
    if len(text) <= most:
        return text
    head = text[:most]
    end = max(head.rfind(mark) for mark in (". ", "。", "? ", "！", "？"))
    return head[: end + 1] if end > most // 2 else head.rpartition(" ")[0] if " " in head[most // 2 :] else head


def _named_size(size: float) -> str | None:
    return "large" if size > _LARGE else "small" if size < _SMALL else None


def _face(made: Composition) -> Style | None:
    """The style that a person would name; None where several texts differ in it."""
    styles = {"handwriting" if font.handwriting else font.source.style for font in made.fonts}
    several = made.ground is not None and not made.family and made.body is None
    return None if several and len(styles) > 1 else _style_of(made)


def _style_of(made: Composition) -> Style | None:
    return "handwriting" if made.fonts[-1].handwriting else made.fonts[-1].source.style


def _all_said(layers: Sequence[TextLayer], made: Composition) -> tuple[Said, ...]:
    """What is true of each of several texts; those of one role in one row, such as weekdays, stand where all of it does."""
    boxes: list[Box] = [
        tuple(layer.at(np.array([layer.block.box[:2], layer.block.box[2:]])).ravel().tolist()) for layer in layers
    ]
    return tuple(
        _said(layer, made, _row_of(layer, box, layers, boxes)) for layer, box in zip(layers, boxes, strict=True)
    )


def _row_of(layer: TextLayer, box: Box, layers: Sequence[TextLayer], boxes: Sequence[Box]) -> Box:
    """The box, as wide as the texts of one role that stand side by side with it, px."""
    left, top, right, bottom = box
    near, gap = 0.5 * layer.block.size, _BESIDE * layer.block.size
    row = sorted(
        (x0, x1)
        for other, (x0, y0, x1, y1) in zip(layers, boxes, strict=True)
        if layer.role and other.role == layer.role and abs((y0 + y1 - top - bottom) / 2) < near
    )
    for x0, x1 in (*row, *reversed(row)):  # neighbors to the right, then those to the left
        if x0 - right <= gap and left - x1 <= gap:
            left, right = min(left, x0), max(right, x1)
    return left, top, right, bottom


def _said(layer: TextLayer, made: Composition, box: Box) -> Said:
    """``box``: of what it is part of, px."""
    left, above, right, below = box
    w, h = made.drawing.canvas
    row = ("top", "", "bottom")[min(max(int(1.5 * (above + below) / h), 0), 2)]
    column = "left" if right <= 0.5 * w else "right" if left >= 0.5 * w else ""
    glue = "" if language_of(layer.block.text) == "zh" else " "  # in each text's own language, not the picture's
    text = layer.block.on_one_line(glue)
    return Said(layer.role or "text", text, layer.style.color, f"{row} {column}".strip() or "center")


def _parts(whole: str, layers: Sequence[TextLayer]) -> tuple[str, ...]:
    """The texts of several layers as they stand in ``whole``, which holds them all in their order; none of a single one."""
    found, at = [], 0
    for layer in layers if len(layers) > 1 else ():
        begin = at = whole.index(layer.block.lines[0].text, at)
        for line in layer.block.lines:
            at = whole.index(line.text, at) + len(line.text)
        found.append(whole[begin:at])
    return tuple(found)


def _place(made: Composition) -> str | None:
    """Which of nine parts of the canvas the text stands in."""
    quads = [r.quad for layer in made.drawing.texts for r in layer_regions(layer) if r.level == "line"]
    w, h = made.drawing.canvas
    x0, x1 = min(min(q[::2]) for q in quads) / w, max(max(q[::2]) for q in quads) / w
    y0, y1 = min(min(q[1::2]) for q in quads) / h, max(max(q[1::2]) for q in quads) / h
    if x1 - x0 > _SPREAD and y1 - y0 > _SPREAD:
        return None
    row, column = _third(y0, y1, "top", "bottom"), _third(x0, x1, "left", "right")
    if row is None or column is None:  # between two parts: nothing that is surely true
        return None
    if row and column and not in_corner((x0, y0, x1, y1), (1, 1)):
        return None
    return f"{row} {column}".strip() or "center"


def _third(begin: float, end: float, low: str, high: str) -> str | None:
    """``low``, ``high`` or "" for the middle, of a text that reaches from ``begin`` to ``end`` of 0..1; None for between."""
    if end < 0.5 and begin + end < _OUTER:
        return low
    if begin > 0.5 and begin + end > 2 - _OUTER:
        return high
    return "" if abs(begin + end - 1) < _CENTERED else None
