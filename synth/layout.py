"""Text on a canvas: shape once, find the size, break lines, place every glyph.

    text ──shape──> Shaped (em) ──largest_size / compose──> Block (px, origin 0 0) ──place──> Block on the canvas

Everything is pure arithmetic in em and px over outlines without hinting, so it scales exactly. What
cannot be shown whole raises ``Undrawable``: the caller discards the text and draws another.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Literal

import numpy as np

from synth.breaks import Unit, units
from synth.chance import check_shares, choose_key
from synth.fonts import Box, Face, Glyph

Sums = tuple[list[float], list[int]]
EDGE = 1.0  # px between ink and the canvas's border, so that anti-aliased edges are never cut


class Undrawable(Exception):
    """This text cannot be shown whole with this font on this canvas."""


@dataclass(frozen=True)
class LayoutConfig:
    """How text is set. Ranges are drawn uniformly; shares need not add up to 1.

    ``size``: font size in px as [low, high], or ``fit``: a fraction ``fill`` of the largest size that fits.
    """

    size: tuple[float, float] | Literal["fit"] = "fit"
    fill: tuple[float, float] = (0.5, 1.0)
    min_size: float = 12.0  # px, for ``fit``: smaller text counts as not fitting
    max_size: float = 256.0  # px, for ``fit``
    margin: float = 0.05  # of the canvas's shorter side, kept free on all sides
    jitter: float = 0.0  # px the block may move off its place, each way, within the margins
    align: dict[Literal["left", "center", "right"], float] = field(default_factory=lambda: {"center": 1.0})
    valign: dict[Literal["top", "middle", "bottom"], float] = field(default_factory=lambda: {"middle": 1.0})
    line_spacing: tuple[float, float] = (1.2, 1.6)  # em from baseline to baseline
    letter_spacing: tuple[float, float] = (0.0, 0.0)  # em added between characters

    def __post_init__(self) -> None:
        check_shares("align", self.align)
        check_shares("valign", self.valign)
        for name in ("fill", "line_spacing", "letter_spacing", *(["size"] if self.size != "fit" else [])):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} must be [low, high], found [{low:g}, {high:g}]")
        if self.size != "fit" and self.size[0] < 4:
            raise ValueError(f"size must be at least 4 px, found {self.size[0]:g}")
        if self.line_spacing[0] < 1:
            raise ValueError(f"line_spacing below 1 em makes lines overlap, found {self.line_spacing[0]:g}")
        if not 0 <= self.margin < 0.5:
            raise ValueError(f"margin must be within 0..0.5, found {self.margin:g}")
        if not 0 < self.fill[0] <= self.fill[1] <= 1:
            raise ValueError(f"fill must be within 0..1, found {list(self.fill)}")


@dataclass(frozen=True)
class PlacedGlyph:
    """A glyph with its pen position in px. ``ink``: box of its outline (x0 y0 x1 y1), None for a space."""

    id: int
    text: str
    start: int  # of its characters in the paragraph
    x: float
    y: float
    ink: Box | None


@dataclass(frozen=True)
class Line:
    """One visible line. ``box``: from the first to the last ink, and the em box in height (or more, where ink leaves it)."""

    text: str
    glyphs: tuple[PlacedGlyph, ...]
    paragraph: int
    box: Box


@dataclass(frozen=True)
class Block:
    """Lines of text at one size, in px."""

    face: Face
    size: float
    lines: tuple[Line, ...]

    @property
    def box(self) -> Box:
        """Smallest box around all lines."""
        return union([line.box for line in self.lines])

    def moved(self, dx: float, dy: float) -> Block:
        """The same block elsewhere."""
        return replace(self, lines=tuple(_moved(line, dx, dy) for line in self.lines))


class Shaped:
    """A text's glyphs in em, paragraph by paragraph, ready to be broken at any width."""

    def __init__(self, face: Face, text: str, language: str) -> None:
        self.face = face
        self.paragraphs = text.split("\n")
        self.glyphs = [face.shape(p, language) for p in self.paragraphs]
        for paragraph, glyphs in zip(self.paragraphs, self.glyphs, strict=True):
            check_visible(face, paragraph, glyphs)
        if not text.strip():
            raise Undrawable("there is nothing visible in the text")
        self.length = sum(len(p) for p in self.paragraphs)
        self.units = [units(p) for p in self.paragraphs]
        self._by_start = [_advances(p, g) for p, g in zip(self.paragraphs, self.glyphs, strict=True)]

    def wrap(self, width: float, letter: float) -> list[tuple[int, int, int]] | None:
        """Greedy lines as (paragraph, start, end) for a width in em; None when a unit is wider than that."""
        lines: list[tuple[int, int, int]] = []
        for number, (parts, sums) in enumerate(zip(self.units, self._by_start, strict=True)):
            broken = _break(parts, sums, width, letter)
            if broken is None:
                return None
            lines += [(number, start, end) for start, end in broken]
        return lines

    def width(self, line: tuple[int, int, int], letter: float) -> float:
        """Advance width of a line in em."""
        number, start, end = line
        return _span(self._by_start[number], start, end, letter)


def check_visible(face: Face, text: str, glyphs: Sequence[Glyph]) -> None:
    """Raise Undrawable when the font lacks a character, draws nothing for it, or it runs right to left."""
    for glyph in glyphs:
        character = text[glyph.start : glyph.end]
        if character.isspace():
            continue
        if glyph.id == 0 or face.ink(glyph.id) is None:
            raise Undrawable(f"the font has no glyph for '{character}'")
        if unicodedata.bidirectional(character[0]) in ("R", "AL", "AN"):
            raise Undrawable(f"'{character}' runs right to left, which is not set here")


def arrange(
    shaped: Shaped, canvas: tuple[int, int], config: LayoutConfig, rng: np.random.Generator, wrap: bool
) -> Block:
    """Choose size, spacing and place on ``canvas`` (w, h in px) and set the text there. Raises Undrawable."""
    margin = config.margin * min(canvas)
    inner = (canvas[0] - 2 * margin, canvas[1] - 2 * margin)
    spacing, letter = rng.uniform(*config.line_spacing), rng.uniform(*config.letter_spacing)
    setting = _Setting(shaped, inner, spacing, letter, wrap)
    low, high = (config.min_size, config.max_size) if config.size == "fit" else config.size
    largest = setting.largest_size(low, high)
    if largest is None:
        raise Undrawable(f"text of {shaped.length} characters does not fit {canvas[0]}x{canvas[1]} at {low:g} px")
    size = max(low, largest * rng.uniform(*config.fill)) if config.size == "fit" else rng.uniform(low, largest)
    align = choose_key(rng, config.align)
    lines = setting.lines(size)
    if align == "center":
        lines = setting.balanced(size, lines)
    block = compose(shaped, lines, size, spacing, letter, align)
    return place(block, canvas, margin, config, align, rng)


@dataclass(frozen=True)
class _Setting:
    shaped: Shaped
    inner: tuple[float, float]
    spacing: float
    letter: float
    wrap: bool

    def lines(self, size: float) -> list[tuple[int, int, int]]:
        lines = self._broken(self.inner[0] / size)
        if lines is None:
            raise Undrawable(f"a word is wider than the canvas at {size:g} px")
        return lines

    def largest_size(self, low: float, high: float) -> float | None:
        """Largest size within low..high at which everything fits, to a quarter of a pixel; None if not even low."""
        if not self._fits(low):
            return None
        if self._fits(high):
            return high
        while high - low > 0.25:
            middle = (low + high) / 2
            low, high = (middle, high) if self._fits(middle) else (low, middle)
        return low

    def balanced(self, size: float, lines: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
        """The same number of lines in the narrowest measure: no orphan on the last line of centred text."""
        high, low = self.inner[0] / size, 0.0
        while high - low > 0.1:
            middle = (low + high) / 2
            narrower = self._broken(middle)
            if narrower is not None and len(narrower) == len(lines):
                lines, high = narrower, middle
            else:
                low = middle
        return lines

    def _broken(self, width: float) -> list[tuple[int, int, int]] | None:
        lines = self.shaped.wrap(width, self.letter)
        return None if lines is None or (not self.wrap and len(lines) > len(self.shaped.paragraphs)) else lines

    def _fits(self, size: float) -> bool:
        lines = self._broken(self.inner[0] / size)
        return lines is not None and size * (1 + (len(lines) - 1) * self.spacing) <= self.inner[1]


def compose(
    shaped: Shaped, lines: list[tuple[int, int, int]], size: float, spacing: float, letter: float, align: str
) -> Block:
    """Set broken lines at ``size`` px with the block's top left at the origin."""
    widths = [shaped.width(line, letter) * size for line in lines]
    slack = {"left": 0.0, "center": 0.5, "right": 1.0}[align]
    placed = []
    for row, (line, width) in enumerate(zip(lines, widths, strict=True)):
        x = (max(widths) - width) * slack
        top = row * spacing * size
        placed.append(_set_line(shaped, line, size, letter, x, top))
    return Block(shaped.face, size, tuple(placed))


def place(
    block: Block, canvas: tuple[int, int], margin: float, config: LayoutConfig, align: str, rng: np.random.Generator
) -> Block:
    """Move a block to its aligned and jittered place, never over the border. Raises Undrawable if it is too large."""
    valign = choose_key(rng, config.valign)
    x0, y0, x1, y1 = block.box
    fx = {"left": 0.0, "center": 0.5, "right": 1.0}[align]
    fy = {"top": 0.0, "middle": 0.5, "bottom": 1.0}[valign]
    jitter = rng.uniform(-config.jitter, config.jitter, size=2) if config.jitter else (0.0, 0.0)
    left = margin + (canvas[0] - 2 * margin - (x1 - x0)) * fx + jitter[0]
    top = margin + (canvas[1] - 2 * margin - (y1 - y0)) * fy + jitter[1]
    edge = max(margin, EDGE)
    if x1 - x0 > canvas[0] - 2 * edge or y1 - y0 > canvas[1] - 2 * edge:
        edge = EDGE  # ink that leaves its em box may use the margin
    room = (canvas[0] - edge - (x1 - x0), canvas[1] - edge - (y1 - y0))
    if min(room) < edge:
        raise Undrawable(f"ink of {x1 - x0:.0f}x{y1 - y0:.0f} px leaves the canvas of {canvas[0]}x{canvas[1]}")
    left, top = min(max(left, edge), room[0]), min(max(top, edge), room[1])
    return block.moved(float(left - x0), float(top - y0))


def union(boxes: Sequence[Box]) -> Box:
    """Smallest box around boxes."""
    return (min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes))


def _set_line(shaped: Shaped, line: tuple[int, int, int], size: float, letter: float, x: float, top: float) -> Line:
    number, start, end = line
    face, text = shaped.face, shaped.paragraphs[number]
    baseline = top + face.ascent * size
    placed = []
    for glyph in shaped.glyphs[number]:
        if start <= glyph.start < end:
            gx, gy = x + glyph.dx * size, baseline - glyph.dy * size
            bounds = face.ink(glyph.id)
            ink = _scaled(bounds, gx, gy, size) if bounds else None
            placed.append(PlacedGlyph(glyph.id, text[glyph.start : glyph.end], glyph.start, gx, gy, ink))
            x += (glyph.advance + letter) * size
    inks = [g.ink for g in placed if g.ink]
    ink = union(inks)
    box = (ink[0], min(ink[1], top), ink[2], max(ink[3], top + size))
    return Line(text[start:end], tuple(placed), number, box)


def _scaled(bounds: Box, x: float, y: float, size: float) -> Box:
    return (x + bounds[0] * size, y + bounds[1] * size, x + bounds[2] * size, y + bounds[3] * size)


def _moved(line: Line, dx: float, dy: float) -> Line:
    def move(box: Box) -> Box:
        return (box[0] + dx, box[1] + dy, box[2] + dx, box[3] + dy)

    glyphs = tuple(replace(g, x=g.x + dx, y=g.y + dy, ink=move(g.ink) if g.ink else None) for g in line.glyphs)
    return replace(line, glyphs=glyphs, box=move(line.box))


def _advances(text: str, glyphs: Sequence[Glyph]) -> Sums:
    """Running sums of advance (em) and of glyphs up to each character."""
    advance, count = [0.0] * len(text), [0] * len(text)
    for glyph in glyphs:
        advance[glyph.start] += glyph.advance
        count[glyph.start] += 1
    return list(accumulate(advance, initial=0.0)), list(accumulate(count, initial=0))


def _span(sums: Sums, start: int, end: int, letter: float) -> float:
    advance, count = sums
    return advance[end] - advance[start] + letter * max(count[end] - count[start] - 1, 0)


def _break(parts: list[Unit], sums: Sums, width: float, letter: float) -> list[tuple[int, int]] | None:
    lines: list[tuple[int, int]] = []
    start = end = -1
    for part in parts:
        if start < 0 or _span(sums, start, part.end, letter) > width:
            if _span(sums, part.start, part.end, letter) > width:
                return None
            if start >= 0:
                lines.append((start, end))
            start = part.start
        end = part.end
    return [*lines, (start, end)] if parts else []
