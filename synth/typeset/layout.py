"""Text on a canvas: find the size, break lines, place every glyph, place the whole.

    Shaped (em) ──arrange──> Setting: what was chosen ──compose──> Block (px, origin 0 0) ──place──> its matrix

Everything is pure arithmetic in em and px over outlines without hinting, so it scales exactly. What
cannot be shown whole raises ``Undrawable``: the caller discards the text and draws another.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from synth.choice import check_weights, choose_key
from synth.errors import Undrawable
from synth.geometry import Box, Matrix, apply, rotation, translation
from synth.typeset.arc import bent
from synth.typeset.block import Block, Line, PlacedGlyph
from synth.typeset.clauses import clauses
from synth.typeset.sense import Way, best_lines
from synth.typeset.setting import Align, Setting, VerticalAlign, pick_setting
from synth.typeset.shaped import Shaped, Span

Direction = Literal["horizontal", "vertical", "curved"]
_EDGE = 1.01  # px between ink and border: one that anti-aliasing may touch, and rounding
_DISPLAY = 4  # chosen: lines of a headline or a sign; longer Chinese texts are broken between any two characters
_FLUSH_RIGHT = 2  # chosen: lines of a text that is set flush right
_CLAUSES = 0.65  # chosen: of the size that fills the place, for lines that are clauses
_NOTICE = 40  # chosen: characters of a text of few lines, each of which may stop early
_SIGN = 32  # chosen: characters of a text that is read at once, however many lines it has
_SHRINK = (1.0, 0.94, 0.88, 0.82, 0.75, 0.7, 0.65)
"""Chosen: of the size that fills the place, for lines that end with a word."""
_MORE = 0.2  # chosen: what a line costs more than type of that size needs
_SMALLER = 1.2  # chosen: what type costs that is smaller, to what an end costs that parts a phrase
_INDENTED = 3  # chosen: lines of a text, from which on its first one is indented
_JUSTIFIED = 3  # chosen: lines of a text, from which on they are justified
LONG_LINE = 12.0  # chosen: em, from which on first lines are indented, and lines justified
_LONG_ENGLISH = 30.0  # chosen, em: the same of a page's English, whose gaps are few
_RAGGED = 0.1  # chosen: of a block's lines that cannot be justified, from which on none is
_STRETCH, _STRETCH_CLOSE = 0.6, 0.06  # chosen, em: what gaps of words, and of Chinese characters, may grow by
SLACK: dict[Align, float] = {"left": 0.0, "justify": 0.0, "center": 0.5, "right": 1.0}


@dataclass(frozen=True)
class LayoutConfig:
    """How text is set. Ranges are drawn uniformly; weights need not add up to 1.

    ``size``: font size in px as [low, high], or ``fit``: a fraction ``fill`` of the largest size that fits.
    ``directions``: vertical is for Chinese, curved for text that stands on one line; other text is set horizontally.
    ``relative`` [low, high]: the largest size of one picture is drawn between them, small ones as often as large ones.
    In vertical text "left" of ``align`` is the top of a column, and ``valign`` goes from left to right.
    """

    size: tuple[float, float] | Literal["fit"] = "fit"
    fill: tuple[float, float] = (0.5, 1.0)
    min_size: float = 12.0  # px, for ``fit``: smaller text counts as not fitting; more for faces with low small letters
    max_size: float = 256.0  # px, for ``fit``
    relative: tuple[float, float] | None = None  # for ``fit``, of the canvas's shorter side instead of ``max_size``
    anywhere: float = 0.0  # fraction of texts that stand anywhere on the canvas, whatever ``align`` and ``valign`` say
    margin: float = 0.05  # of the canvas's shorter side, kept free on all sides
    jitter: float = 0.0  # px the block may move off its place, each way, within the margins
    directions: dict[Direction, float] = field(default_factory=lambda: {"horizontal": 1.0})
    align: dict[Align, float] = field(default_factory=lambda: {"center": 1.0})
    valign: dict[VerticalAlign, float] = field(default_factory=lambda: {"middle": 1.0})
    line_spacing: tuple[float, float] = (1.2, 1.6)  # em from baseline to baseline
    letter_spacing: tuple[float, float] = (0.0, 0.0)  # em added between characters
    indent: float = 0.0  # em, of the first line of each paragraph of left-aligned or justified text
    rotate: tuple[float, float] = (0.0, 0.0)  # degrees the whole is turned, clockwise

    def __post_init__(self) -> None:
        check_weights("directions", self.directions)
        check_weights("align", self.align)
        check_weights("valign", self.valign)
        for name in ("fill", "line_spacing", "letter_spacing", "rotate", *(["size"] if self.size != "fit" else [])):
            low, high = getattr(self, name)
            if low > high:
                raise ValueError(f"{name} must be [low, high], found [{low:g}, {high:g}]")
        if self.relative and not 0 < self.relative[0] <= self.relative[1] <= 1:
            raise ValueError(f"relative must be [low, high] within 0..1, found {list(self.relative)}")
        if not 0 <= self.anywhere <= 1:
            raise ValueError(f"anywhere must be within 0..1, found {self.anywhere:g}")
        if self.size != "fit" and self.size[0] < 4:
            raise ValueError(f"size must be at least 4 px, found {self.size[0]:g}")
        if self.line_spacing[0] < 1:
            raise ValueError(f"line_spacing below 1 em makes lines overlap, found {self.line_spacing[0]:g}")
        if self.letter_spacing[0] < -0.1:
            raise ValueError(f"letter_spacing below -0.1 em makes glyphs overlap, found {self.letter_spacing[0]:g}")
        if not 0 <= self.indent <= 8:
            raise ValueError(f"indent must be within 0..8 em, found {self.indent:g}")
        if max(map(abs, self.rotate)) > 45:
            raise ValueError(f"rotate must be within -45..45 degrees, found {list(self.rotate)}")
        if not 0 <= self.margin < 0.5:
            raise ValueError(f"margin must be within 0..0.5, found {self.margin:g}")
        if not 0 < self.fill[0] <= self.fill[1] <= 1:
            raise ValueError(f"fill must be within 0..1, found {list(self.fill)}")

    def at_least(self, size: float) -> LayoutConfig:
        """The same with no type below ``size`` px, where sizes are fitted at all."""
        return replace(self, min_size=size) if self.size == "fit" and size > self.min_size else self

    def sizes(self, cap: float) -> tuple[float, float]:
        """Smallest and largest size in px; ``cap``: of one picture, where sizes are relative to the canvas."""
        if self.size != "fit":
            return self.size
        return self.min_size, max(self.min_size, cap if self.relative else self.max_size)


@dataclass(frozen=True)
class Measure:
    """How lines are broken and spaced: ``width`` and ``height`` of the room along and across the lines, px."""

    width: float
    height: float
    spacing: float  # em from line to line
    letter: float  # em between characters
    wrap: bool  # whether a line may be broken
    indent: float = 0.0  # em, of first lines; negative: of all others
    stroke_margin: float = 0.0  # em that strokes add around the text
    whole_words: bool = False  # whether no line ends inside of a Chinese word

    def room(self, size: float) -> float:
        """Px that a line at ``size`` px may take."""
        return self.width - 2 * self.stroke_margin * size

    def lines(self, shaped: Shaped, size: float, width: float | None = None) -> list[Span] | None:
        """The lines at ``size`` px in the measure (or in ``width`` em), None where they do not fit it."""
        lines = shaped.wrap(
            self.room(size) / size if width is None else width, self.letter, self.indent, self.whole_words
        )
        return None if lines is None or (not self.wrap and len(lines) > len(shaped.paragraphs)) else lines

    def height_of(self, lines: Sequence[Span], size: float) -> float:
        """What lines take across, px."""
        return size * (1 + (len(lines) - 1) * self.spacing)

    def fits(self, shaped: Shaped, size: float) -> bool:
        """Whether the text fits the room at ``size`` px."""
        lines = self.lines(shaped, size)
        return lines is not None and self.height_of(lines, size) + 2 * self.stroke_margin * size <= self.height

    def largest_size(self, shaped: Shaped, low: float, high: float) -> float | None:
        """Largest size within low..high at which everything fits, to a quarter of a pixel; None if not even low."""
        if not self.wrap:  # the lines are known: no search
            return self._largest_unbroken(shaped, low, high)
        if not self.fits(shaped, low):
            return None
        if self.fits(shaped, high):
            return high
        while high - low > 0.25:
            middle = (low + high) / 2
            low, high = (middle, high) if self.fits(shaped, middle) else (low, middle)
        return low

    def _largest_unbroken(self, shaped: Shaped, low: float, high: float) -> float | None:
        lines = shaped.wrap(math.inf, self.letter) or []
        if len(lines) > len(shaped.paragraphs):
            return None
        widest = max(shaped.width(line, self.letter) for line in lines) + 2 * self.stroke_margin
        tall = 1 + (len(lines) - 1) * self.spacing + 2 * self.stroke_margin
        largest = min(high, self.width / widest, self.height / tall)
        return largest if largest >= low else None

    def in_words(self, shaped: Shaped, size: float, lines: list[Span]) -> tuple[Measure, list[Span]]:
        """The measure and as many lines of whole Chinese words where that is a display text and they fit; else unchanged."""
        display = shaped.length <= (_NOTICE if len(lines) <= _DISPLAY else _SIGN)
        if shaped.language == "en" or not display or len(lines) <= len(shaped.paragraphs):
            return self, lines
        whole = replace(self, whole_words=True)
        found = whole.lines(shaped, size)
        if found is None or len(found) > len(lines):
            return self, lines
        lengths = [line.end - line.start for line in found]
        even = len(found) <= _DISPLAY or 2 * min(lengths[:-1]) >= max(lengths)  # a tall column of ragged lines is worse
        return (whole, found) if even else (self, lines)

    def in_clauses(self, shaped: Shaped, size: float) -> tuple[float, list[Span]] | None:
        """A line for each clause of a short Chinese text, and the largest size up to ``size`` at which they fit; None where it has
        no such lines."""
        found = clauses(shaped) if not self.indent else []
        if not found:
            return None
        widest = max(shaped.width(line, self.letter) for line in found) + 2 * self.stroke_margin
        tall = 1 + (len(found) - 1) * self.spacing + 2 * self.stroke_margin
        return min(size, self.width / widest, self.height / tall), found

    def in_sense(self, shaped: Shaped, sizes: Sequence[float], most: int = _DISPLAY) -> tuple[float, list[Span]] | None:
        """Of a short text that takes several lines, at most ``most``, the lines that end where a reader pauses, and which of the
        ``sizes`` (px, the largest first) they want; None for any other."""
        ways: list[Way] = []
        taken: list[float] = []
        for size in sizes if self.wrap and not self.indent else ():
            count = len(self.lines(shaped, size) or ())
            if count == 1 and not ways:
                return None
            for lines in (count, count + 1) if count > 1 else (1,) * count:
                if lines <= most and size * (1 + (lines - 1) * self.spacing + 2 * self.stroke_margin) <= self.height:
                    smaller = 1 - size / sizes[0]
                    ways.append(Way(lines, self.room(size) / size, _SMALLER * smaller + _MORE * (lines > count)))
                    taken.append(size)
        found = best_lines(shaped, self.letter, ways) if ways else None
        return (taken[found[0]], found[1]) if found else None

    def balanced(self, shaped: Shaped, size: float, lines: list[Span]) -> list[Span]:
        """The same number of lines in the narrowest measure: no orphan on the last line of centered text."""
        high, low = self.room(size) / size, 0.0
        while high - low > 0.1:
            middle = (low + high) / 2
            narrower = self.lines(shaped, size, middle)
            if narrower is not None and len(narrower) == len(lines):
                lines, high = narrower, middle
            else:
                low = middle
        return lines


def direction_for(config: LayoutConfig, language: str, wrap: bool, rng: np.random.Generator) -> Direction:
    """A direction that suits the text; draws nothing from ``rng`` where only horizontal is configured."""
    if set(config.directions) == {"horizontal"}:
        return "horizontal"
    drawn = choose_key(rng, config.directions)
    suits = {"horizontal": True, "vertical": language == "zh", "curved": not wrap}
    return drawn if suits[drawn] else "horizontal"


def arrange(
    shaped: Shaped,
    canvas: tuple[int, int],
    config: LayoutConfig,
    rng: np.random.Generator,
    wrap: bool,
    curved: bool = False,
    stroke_margin: float = 0.0,
    setting: Setting | None = None,
) -> tuple[Block, Matrix]:
    """Choose size, spacing and place on ``canvas`` (w, h in px): the block and what takes it there.

    ``stroke_margin``: em that strokes may add around the glyphs. ``setting``: given where the text takes the place of
    another, else chosen. Raises Undrawable.
    """
    given, setting = setting is not None, setting or pick_setting(config, canvas, rng)
    margin = config.margin * min(canvas)
    inner = (canvas[0] - 2 * margin, canvas[1] - 2 * margin)
    along, across = inner[::-1] if shaped.vertical else inner
    first = shaped.language == "en" and len(shaped.paragraphs) == 1  # English indents what follows a paragraph
    indent = config.indent if wrap and not first and setting.align in ("left", "justify") else 0.0
    measure = Measure(along, across, setting.spacing, setting.letter, wrap, indent, stroke_margin)
    low, high = config.sizes(setting.cap)
    if config.size == "fit":
        low *= shaped.least
        high = max(low, high)
    largest = measure.largest_size(shaped, low, high)
    if largest is None:
        raise Undrawable(f"text of {shaped.length} characters does not fit {canvas[0]}x{canvas[1]} at {low:g} px")
    size = max(low, largest * rng.uniform(*config.fill)) if config.size == "fit" else rng.uniform(low, largest)
    lines = measure.lines(shaped, size)
    if lines is None:
        raise Undrawable(f"a word is wider than the canvas at {size:g} px")
    if indent and (len(lines) < _INDENTED or measure.room(size) < LONG_LINE * size):
        measure = replace(measure, indent=0.0)  # the room that it leaves is enough
        lines = measure.lines(shaped, size) or lines
    setting = setting if given else _suited(setting, lines, shaped, measure.room(size) / size)
    in_clauses = _in_clauses(measure, shaped, size, low, lines) if setting.align != "justify" else None
    if in_clauses:
        size, lines = in_clauses
    elif setting.align != "justify":
        in_sense = measure.in_sense(shaped, [size, *(size * step for step in _SHRINK[1:] if size * step >= low)])
        if in_sense:
            size, lines = in_sense
        else:
            size, measure, lines = _in_words(measure, shaped, size, low, lines)
            lines = measure.balanced(shaped, size, lines) if setting.align == "center" else lines
    block = compose(shaped, lines, size, measure, setting.align)
    if curved:
        block = bent(block, canvas, rng)
    return block, place(block, canvas, margin, setting, _EDGE + stroke_margin * block.size)


def may_be_justified(language: str, room: float) -> bool:
    """Whether lines of ``room`` em of a page have gaps enough to be justified."""
    return room >= (_LONG_ENGLISH if language == "en" else LONG_LINE)


def _suited(setting: Setting, lines: Sequence[Span], shaped: Shaped, room: float) -> Setting:
    """Flush left what would be torn apart in lines of ``room`` em, and what is too long to be centered; columns begin at
    one height."""
    narrow = not may_be_justified(shaped.language, room) or len(lines) < _JUSTIFIED
    long = len(lines) > (1 if shaped.vertical else _FLUSH_RIGHT if setting.align == "right" else _DISPLAY)
    long = long or shaped.length > (2 if shaped.language == "en" else 1) * _NOTICE
    unsuited = narrow if setting.align == "justify" else long
    return replace(setting, align="left") if unsuited else setting


def _in_clauses(
    measure: Measure, shaped: Shaped, size: float, low: float, lines: list[Span]
) -> tuple[float, list[Span]] | None:
    """A line for each clause of a short text, not much smaller; None where it has one line anyway, or they do not fit."""
    found = measure.in_clauses(shaped, size) if len(lines) > len(shaped.paragraphs) else None
    return found if found and found[0] >= max(low, _CLAUSES * size) else None


def _in_words(
    measure: Measure, shaped: Shaped, size: float, low: float, lines: list[Span]
) -> tuple[float, Measure, list[Span]]:
    """Lines of whole words, a little smaller where they do not fit else; unchanged where they do not fit even so."""
    for step in _SHRINK:
        whole, found = measure.in_words(shaped, size * step, lines)
        if whole is not measure and (step == 1 or size * step >= low):
            return size * step, whole, found
    return size, measure, lines


def compose(shaped: Shaped, lines: Sequence[Span], size: float, measure: Measure, align: Align) -> Block:
    """Set broken lines at ``size`` px with the top left of the block's em boxes at the origin."""
    outer = [shaped.blanks(line) for line in lines]
    widths = [
        (shaped.width(line, measure.letter) - sum(blank)) * size for line, blank in zip(lines, outer, strict=True)
    ]
    filled = measure.room(size) if align == "justify" else max(widths)
    indents = [max(measure.indent if line.first else -measure.indent, 0.0) * size for line in lines]
    stretches = _stretches(shaped, lines, size, measure) if align == "justify" else [None] * len(lines)
    placed = []
    for row, (line, width, indent, stretch) in enumerate(zip(lines, widths, indents, stretches, strict=True)):
        start = indent + (filled - width) * SLACK[align] - outer[row][0] * size
        rows_before = len(lines) - 1 - row if shaped.vertical else row  # columns run from right to left
        placed.append(
            _set_line(shaped, line, size, measure.letter, start, rows_before * measure.spacing * size, stretch)
        )
    return Block(shaped.face, size, tuple(placed), "ttb" if shaped.vertical else "ltr")


def can_be_justified(shaped: Shaped, lines: Sequence[Span], size: float, measure: Measure) -> bool:
    """Whether all lines of a paragraph but its last one, with few exceptions, fill their measure without gaps that show."""
    return len(lines) < 2 or any(stretch is not None for stretch in _stretches(shaped, lines, size, measure))


def _stretches(shaped: Shaped, lines: Sequence[Span], size: float, measure: Measure) -> list[list[float] | None]:
    """Px to add behind each glyph of each line so that it fills the measure; nothing at all where too many lines cannot."""
    found = []
    for line in lines:
        indent = max(measure.indent if line.first else -measure.indent, 0.0) * size
        width = (shaped.width(line, measure.letter) - sum(shaped.blanks(line))) * size
        found.append(_stretch(shaped, line, measure.room(size) - indent - width, size))
    ragged = sum(stretch is None and not line.last for stretch, line in zip(found, lines, strict=True))
    return [None] * len(lines) if ragged > _RAGGED * len(lines) else found


def _inked(glyphs: Sequence[PlacedGlyph], size: float) -> Box:
    """Box around the ink of a line's glyphs, px."""
    x0, y0, x1, y1 = zip(*[g.box(size) for g in glyphs if g.bounds], strict=True)
    return min(x0), min(y0), max(x1), max(y1)


def place(block: Block, canvas: tuple[int, int], margin: float, setting: Setting, min_edge: float) -> Matrix:
    """A block's aligned, jittered and turned place, at least ``min_edge`` px from the border. Raises Undrawable if it is too large."""
    turned = rotation(setting.degrees) if setting.degrees else None
    x0, y0, x1, y1 = block.box if turned is None else _turned_box(block, turned)
    fx = SLACK[setting.align]
    fy = {"top": 0.0, "middle": 0.5, "bottom": 1.0}[setting.valign]
    if block.direction == "ttb":
        fx, fy = 1 - fy, fx  # a column starts at the top, the first one stands on the right
    if setting.at is not None:
        fx, fy = setting.at
    left = margin + (canvas[0] - 2 * margin - (x1 - x0)) * fx + setting.jitter[0]
    top = margin + (canvas[1] - 2 * margin - (y1 - y0)) * fy + setting.jitter[1]
    edge = max(margin, min_edge)
    if x1 - x0 > canvas[0] - 2 * edge or y1 - y0 > canvas[1] - 2 * edge:
        edge = min_edge  # ink that leaves its em box may use the margin
    room = (canvas[0] - edge - (x1 - x0), canvas[1] - edge - (y1 - y0))
    if min(room) < edge:
        raise Undrawable(f"ink of {x1 - x0:.0f}x{y1 - y0:.0f} px leaves the canvas of {canvas[0]}x{canvas[1]}")
    left, top = min(max(left, edge), room[0]), min(max(top, edge), room[1])
    shift = translation(float(left - x0), float(top - y0))
    return shift if turned is None else shift @ turned


def _turned_box(block: Block, turn: Matrix) -> tuple[float, float, float, float]:
    x0, y0, x1, y1 = block.box
    corners = apply(turn, np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)]))
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def _stretch(shaped: Shaped, line: Span, slack: float, size: float) -> list[float] | None:
    """Px to add behind each glyph so that the line fills its measure; None for a paragraph's last line, or too much."""
    gaps = shaped.gaps(line)
    count = sum(gaps)
    most = (_STRETCH_CLOSE if 2 * count > len(gaps) else _STRETCH) * size * count
    if line.last or slack > most:
        return None
    slack = max(slack, 0.0)
    return [slack / count if gap else 0.0 for gap in gaps] + [0.0]


def _set_line(
    shaped: Shaped, line: Span, size: float, letter: float, start: float, across: float, stretch: list[float] | None
) -> Line:
    """One line or column: it begins ``start`` px along, its em box ``across`` px from the block's edge."""
    face, text = shaped.face, shaped.paragraphs[line.paragraph]
    pen = start
    axis = across + (0.5 if shaped.vertical else face.ascent) * size
    placed = []
    for number, glyph in enumerate(shaped.line_glyphs(line)):
        x, y = (axis, pen) if shaped.vertical else (pen, axis)
        placed.append(
            PlacedGlyph(
                glyph.id,
                text[glyph.start : glyph.end],
                glyph.start,
                x + glyph.dx * size,
                y - glyph.dy * size,
                glyph.angle,
                (glyph.face or face).ink(glyph.id),
                glyph.face,
            )
        )
        pen += (glyph.advance + letter) * size + (stretch[number] if stretch else 0.0)
    x0, y0, x1, y1 = _inked(placed, size)
    if shaped.vertical:
        box = (min(x0, across), y0, max(x1, across + size), y1)
    else:
        box = (x0, min(y0, across), x1, max(y1, across + size))
    return Line(text[line.start : line.end], tuple(placed), line.paragraph, box)
