"""Set text: glyphs with pen positions, in lines, in the block's own coordinates (px, y downwards)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

from synth.fonts.face import Face
from synth.geometry import Box, around, union

Direction = Literal["ltr", "ttb"]


class PlacedGlyph(NamedTuple):
    """A glyph at its origin. ``bounds``: box of its outline in em about the origin, None for a space."""

    id: int
    text: str
    start: int  # of its characters in the paragraph
    x: float  # px
    y: float
    angle: float  # degrees, clockwise about the origin
    bounds: Box | None
    face: Face | None = None  # where it is not the block's: bold or italic runs, damaged outlines
    damage: str | None = None  # what was done to its outline: "stroke missing", "contour moved" ...

    def corners(self, size: float, stroke_margin: float = 0.0) -> list[tuple[float, float]]:
        """The corners of its ink in the block, clockwise from its own top left; ``stroke_margin`` (em) is added all around."""
        assert self.bounds is not None  # spaces have no ink; callers leave them out
        left, top, right, bottom = self.bounds
        left, top, right, bottom = (
            (left - stroke_margin) * size,
            (top - stroke_margin) * size,
            (right + stroke_margin) * size,
            (bottom + stroke_margin) * size,
        )
        x, y = self.x, self.y
        if not self.angle:
            return [(x + left, y + top), (x + right, y + top), (x + right, y + bottom), (x + left, y + bottom)]
        c, s = math.cos(math.radians(self.angle)), math.sin(math.radians(self.angle))
        points = ((left, top), (right, top), (right, bottom), (left, bottom))
        return [(x + a * c - b * s, y + a * s + b * c) for a, b in points]

    def box(self, size: float, stroke_margin: float = 0.0) -> Box:
        """Upright box of its ink in the block."""
        if not self.angle:
            assert self.bounds is not None
            left, top, right, bottom = self.bounds
            x, y = self.x, self.y
            return (
                x + (left - stroke_margin) * size,
                y + (top - stroke_margin) * size,
                x + (right + stroke_margin) * size,
                y + (bottom + stroke_margin) * size,
            )
        return around(self.corners(size, stroke_margin))


@dataclass(frozen=True)
class Line:
    """One visible line. ``box``: from the first to the last ink, and the em box across (or more, where ink leaves it)."""

    text: str
    glyphs: tuple[PlacedGlyph, ...]
    paragraph: int
    box: Box


@dataclass(frozen=True, eq=False)
class Block:
    """Lines of text of one face at one ``size`` (px to the em). ``curved``: its line does not run straight."""

    face: Face
    size: float
    lines: tuple[Line, ...]
    direction: Direction = "ltr"
    curved: bool = False

    @property
    def box(self) -> Box:
        """Smallest box around all lines."""
        return union([line.box for line in self.lines])

    def on_one_line(self, glue: str) -> str:
        """The text as it was before it was broken into lines, ``glue`` between its paragraphs: nothing comes behind the hyphen of
        a word that two lines share."""
        text = self.lines[0].text
        for before, line in pairwise(self.lines):
            last, first = before.glyphs[-1], line.glyphs[0]
            same = before.paragraph == line.paragraph
            text += ("" if last.start + len(last.text) == first.start else " ") if same else glue
            text += line.text
        return text

    @property
    def text(self) -> str:
        """The text as it stands, a newline where a line ends."""
        return "\n".join(line.text for line in self.lines)
