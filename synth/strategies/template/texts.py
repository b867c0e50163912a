"""Texts of a template: faces, sizes, lines.

node, text, box ──Typesetter.fitted──> Pending (its largest size) ──block(size)──> Block, once all of a node are known
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from configs.errors import UserError
from synth.choice import choose
from synth.content.base import Text
from synth.fonts.families import Style
from synth.fonts.source import FontFile
from synth.geometry import Box
from synth.language import CaptionLanguage
from synth.strategies.context import RenderContext
from synth.strategies.template.nodes import Template, TextNode
from synth.typeset.block import Block
from synth.typeset.clauses import clauses
from synth.typeset.layout import SLACK, Measure, compose
from synth.typeset.marks import MARKS
from synth.typeset.shaped import Shaped, Span

_REGULAR, _BOLD = 400, 700  # of CSS
_MIN_SIZE = 11.0  # px: no text is set smaller
_SPACING, _TITLE_SPACING = 1.35, 1.2  # em from line to line
_ROOM = 1.2  # of the type size: what a line takes in a column of its own length
_DISPLAY = 3  # chosen: lines that a title takes at most; what may take more is body text and fills its lines
_MAX_BALANCED = 4  # lines: a text of up to so many is broken evenly, so that no word is left alone on a line
_SMALLER = (1.0, 0.94, 0.88, 0.82, 0.76, 0.7)
"""Chosen: of the size that fits, for lines that end with a clause or a word."""
_ROUNDING = 0.01  # px, so that a line as wide as its room still fits it
_CAP_MIDDLE = 0.37  # chosen, em: capitals reach from the baseline to 0.7, Chinese characters from -0.1 to 0.85
_TEXT_STYLES: tuple[Style, ...] = ("sans", "serif", "kai")  # that long texts are set in


@dataclass(frozen=True, eq=False)
class Pending:
    """A text whose size is not known yet: all of one node get the smallest. ``bound``: see ``expand.Item``."""

    node: TextNode
    box: Box
    shaped: Shaped
    measure: Measure
    largest: float
    bound: bool = False

    def block(self, size: float) -> Block:
        """The text in lines at ``size`` px."""
        lines: list[Span] = self.measure.lines(self.shaped, size) or []
        measure, whole = self.measure.in_words(self.shaped, size, lines)
        last = whole[-1]
        if len(self.shaped.paragraphs[last.paragraph][last.start : last.end].strip(MARKS)) > 1:
            lines = whole
        else:  # a character alone is worse than a divided word
            measure = self.measure
        in_clauses = self._in_clauses(size) if len(lines) > len(self.shaped.paragraphs) else []
        in_sense = self.measure.in_sense(self.shaped, [size], self.node.lines) if self.node.lines <= _DISPLAY else None
        if in_clauses:
            lines = in_clauses
        elif in_sense:
            measure, lines = self.measure, in_sense[1]
        elif 1 < len(lines) <= _MAX_BALANCED and (self.node.align == "center" or self.node.lines <= _DISPLAY):
            lines = measure.balanced(self.shaped, size, lines)
        return compose(self.shaped, lines, size, measure, self.node.align)

    def _in_clauses(self, size: float) -> list[Span]:
        """A line for each clause of a short Chinese text at ``size`` px; none where it has no such lines, or they do not fit."""
        found, measure = clauses(self.shaped) if not self.measure.indent else [], self.measure
        wide = any(self.shaped.width(line, measure.letter) * size > measure.room(size) for line in found)
        tall = len(found) > self.node.lines or measure.height_of(found, size) > measure.height
        return [] if wide or tall else found

    @property
    def alike(self) -> str | int:
        """Equal for texts of one size: those of a node, or of all nodes that say so."""
        return self.node.alike or id(self.node)

    def place(self, block: Block, width: float) -> tuple[float, float]:
        """Where the origin of a block stands on a canvas of ``width`` px."""
        x0, y0, x1, y1 = block.box
        box, slack = self.box, {"top": 0.0, "middle": 0.5, "bottom": 1.0}[self.node.valign]
        x0 -= self.measure.indent * block.size
        left = box[0] + (box[2] - box[0] - (x1 - x0)) * SLACK[self.node.align]
        top = box[1] + (box[3] - box[1] - (y1 - y0)) * slack - y0
        if self.node.valign == "middle" and len(block.lines) == 1:  # neighbors in a row stand on one line
            top = (box[1] + box[3]) / 2 + _CAP_MIDDLE * block.size - block.lines[0].glyphs[0].y
        return min(max(left, 1.0), width - 1.0 - (x1 - x0)) - x0, top


class Typesetter:
    """The two faces of a picture, and texts measured and fitted in them. ``used``: the fonts that were."""

    def __init__(
        self, context: RenderContext, template: Template, language: CaptionLanguage, rng: np.random.Generator
    ) -> None:
        self._context, self._language, self._rng = context, language, rng
        self._styles: dict[str, tuple[Style, ...]] = {
            face: styles[language] if isinstance(styles, dict) else styles for face, styles in template.faces.items()
        }
        self._fonts = {face: self._pick(styles) for face, styles in self._styles.items()}
        self._others: dict[str, FontFile] = {}  # for what the faces lack, Chinese in code: one for all of it
        self._shaped: dict[tuple[str, bool, str], tuple[FontFile, Shaped]] = {}
        self.used: list[FontFile] = []

    def fitted(self, node: TextNode, said: str, box: Box, u: float, indent: float = 0.0) -> Pending | None:
        """The text at its largest size in ``box``, None where the least one of the node is too large. ``indent``: in digits."""
        font, shaped = self._shape(node, said)
        measure = _measure(node, box[2] - box[0], box[3] - box[1])
        if indent:
            measure = replace(measure, indent=indent * sum(g.advance for g in shaped.face.shape("0", "en")))
        low, high = _sizes(node, u)
        largest = measure.largest_size(shaped, low, high)
        while largest is not None and not 0 < len(measure.lines(shaped, largest) or ()) <= node.lines:
            largest = largest * 0.94 if largest * 0.94 >= low else None
        if largest is None:
            return None
        self.used.append(font)
        if len(measure.lines(shaped, largest) or ()) > 1:
            largest = max(_sensible(node, shaped, measure, largest), low)
        return Pending(node, box, shaped, measure, largest)

    def again(self, text: Pending, said: str, size: float) -> Pending | None:
        """Other words in the place of a text at ``size`` px and in its face, None where they do not fit."""
        font, shaped = self._shape(text.node, said)
        lines = text.measure.lines(shaped, size)
        if not lines or len(lines) > len(text.block(size).lines) or shaped.face is not text.shaped.face:
            return None
        self.used.append(font)
        return replace(text, shaped=shaped)

    def height(self, node: TextNode, said: str, width: float, u: float, scale: float) -> float:
        """Px that the text takes across at ``scale`` (0 to 1) between its least and its largest size; infinite where it cannot."""
        if not said:
            return 0.0
        low, high = _sizes(node, u)
        size = low + (high - low) * scale
        measure, (_, shaped) = _measure(node, width, float("inf")), self._shape(node, said)
        lines = measure.lines(shaped, size)
        if lines is None or len(lines) > node.lines:
            return float("inf")
        if len(lines) > 1:  # as it will be set: smaller, where its lines end better so
            size = max(_sensible(node, shaped, measure, size), low)
            lines = measure.lines(shaped, size) or lines
        return size * (_ROOM + (len(lines) - 1) * _spacing(node))

    def width(self, node: TextNode, said: str, u: float, scale: float) -> float:
        """Px of the text on one line."""
        low, high = _sizes(node, u)
        return (low + (high - low) * scale) * 1.03 * self._shape(node, said)[1].advance + 0.5 if said else 0.0

    def _shape(self, node: TextNode, said: str) -> tuple[FontFile, Shaped]:
        key = (node.face, node.bold, said)
        if key not in self._shaped:
            font = self._covering(node.face, said)
            wghts = [w for w in font.wghts if w is not None]
            wght = min(wghts, key=lambda w: abs(w - (_BOLD if node.bold else _REGULAR))) if wghts else None
            self._shaped[key] = font, Shaped(font.face(wght), said, self._language)
        return self._shaped[key]

    def _pick(self, styles: Sequence[Style]) -> FontFile:
        """A font of the language in one of the styles, or any of the language.

        A style of text that only one family has takes the others as well: Chinese is set in Song where English has
        one of nine sans-serif faces, and all of its pages would look alike.
        """
        mine = self._mine()
        style = styles[int(self._rng.integers(len(styles)))]
        if len({f.family for f in mine if f.source.style == style}) == 1 and style in _TEXT_STYLES:
            there = [s for s in _TEXT_STYLES if any(f.source.style == s for f in mine)]
            style = there[int(self._rng.integers(len(there)))]
        if style == "mono":  # code and receipts: Chinese has no such face, but what is Latin in them is set in one
            mine = [f for f in self._mine("en") if f.source.style == style] or mine
        fitting = [f for f in mine if f.source.style == style] or mine
        if not fitting:
            raise UserError(f"fonts: none is for language '{self._language}'")
        return fitting[choose(self._rng, [f.source.weight for f in fitting])]

    def _mine(self, language: CaptionLanguage | None = None) -> list[FontFile]:
        language = language or self._language
        return [f for f in self._context.fonts if f.writes(language) and not f.italic]

    def _covering(self, face: Literal["title", "body"], said: str) -> FontFile:
        """The picture's face; where it lacks a character (a title in capitals only), another of the same styles."""
        font = self._fonts.get(face) or self._fonts["body"]
        if font.missing(said) is None:
            return font
        alike = [f for f in self._mine() if f.source.style in self._styles.get(face, ()) and f.missing(said) is None]
        if alike:
            same = [f for f in alike if f.source.style == font.source.style] or alike
            self._fonts[face] = same[choose(self._rng, [f.source.weight for f in same])]  # what comes after looks alike
            return self._fonts[face]
        other = self._others.get(face)
        if other is None or other.missing(said) is not None:
            covering = [f for f in self._mine() if f.missing(said) is None and f.source.style == "sans"]
            picked = covering[choose(self._rng, [f.source.weight for f in covering])] if covering else None
            other = picked or self._context.font(Text(said, self._language, "line", ""), self._rng)
            self._others[face] = other
        return other


def _sensible(node: TextNode, shaped: Shaped, measure: Measure, largest: float) -> float:
    """The size at which each clause of a short Chinese text has a line, or each line of a title ends with a word, if it is
    not much smaller; else ``largest``."""
    found = replace(measure, width=measure.width - _ROUNDING).in_clauses(shaped, largest)
    if found and len(found[1]) <= node.lines:
        return found[0] if found[0] >= _SMALLER[-1] * largest else largest
    if node.lines <= _DISPLAY:
        in_sense = measure.in_sense(shaped, [largest * step for step in _SMALLER], node.lines)
        if in_sense:
            return in_sense[0]
    for step in _SMALLER if node.lines <= _DISPLAY else ():
        lines = measure.lines(shaped, largest * step) or []
        if len(lines) == 1 or measure.in_words(shaped, largest * step, lines)[0] is not measure:
            return largest * step
    return largest


def _measure(node: TextNode, width: float, height: float) -> Measure:
    return Measure(width, height, _spacing(node), 0.0, wrap=node.lines > 1)


def _spacing(node: TextNode) -> float:
    return _TITLE_SPACING if node.face == "title" else _SPACING


def _sizes(node: TextNode, u: float) -> tuple[float, float]:
    """Least and largest type size of a node, px."""
    return max(node.height[0] * u, _MIN_SIZE), max(node.height[1] * u, _MIN_SIZE)
