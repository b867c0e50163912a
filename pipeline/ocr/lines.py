"""What read lines say about a picture's text, in pure functions: order, level, density.

lines ──reading_order──> lines ──level_of──> 0..4
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median
from typing import Generic, Protocol, TypeVar

import numpy as np
from rapidfuzz.distance import Levenshtein

from pipeline.quads import quad_height
from synth.language import is_han, visible

_PADDED = 0.3
"""Share of a line's height by which its box is larger than its glyphs: detectors pad, so boxes of a tight
paragraph overlap (chosen, from PP-OCRv6's unclip ratio)."""

_LIKE_HEIGHT = 1.6
"""Lines of one block differ in height by at most this factor: descenders and capitals alone make 1.4 (chosen)."""

_WORD_HAN = 4
"""A run of at most so many Han characters counts as one word (chosen: idioms have four)."""

_PARAGRAPH_LINES = 3
"""Fewest lines of a paragraph (chosen)."""

_PARAGRAPH_LENGTH = 8
"""Fewest characters per line of a paragraph on average, a Han character counting as two (chosen)."""


class Placed(Protocol):
    """A line of text and where it is: what ``Reader.read`` and the regions of ``synth`` have in common."""

    @property
    def text(self) -> str: ...
    @property
    def quad(self) -> np.ndarray:
        """float (4, 2) px, clockwise from the reading start."""
        ...

    @property
    def direction(self) -> str: ...


L = TypeVar("L", bound=Placed)


def normalize(text: str) -> str:
    """NFKC without white space: a reader guesses spaces from gaps and does not see whether a form is full-width."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def character_accuracy(expected: str, read: str) -> float:
    """1 - NED = 1 - levenshtein / length of the longer text, 0..1, as CVTG-2K scores it; 1 for two empty texts."""
    return Levenshtein.normalized_similarity(normalize(expected), normalize(read))


def is_column(text: str) -> bool:
    """Whether text found in a tall box stands upright in a column: mostly Han, or one or two characters."""
    return visible(text) <= 2 or 2 * sum(map(is_han, text)) >= visible(text)


def unit_of(text: str) -> str:
    """``glyph``, ``word`` or ``line``: the level of one line's region."""
    characters = [c for c in text if c.isalnum()]
    if len(characters) <= 1 and visible(text) <= 2:
        return "glyph"
    if len(text.split()) > 1:
        return "line"
    return "word" if sum(map(is_han, text)) <= _WORD_HAN else "line"


def level_of(lines: Sequence[Placed]) -> int:
    """``text_level``: 0 none, 1 one character or word, 2 one line, 3 several lines or regions, 4 a paragraph among them.

    A paragraph is a run of at least ``_PARAGRAPH_LINES`` lines of like height, one close under the
    other and sharing most of their width, of ``_PARAGRAPH_LENGTH`` characters on average.
    """
    if len(lines) <= 1:
        return sum(1 if unit_of(line.text) != "line" else 2 for line in lines)
    return 4 if any(_is_prose(block) for block in blocks(_upright(lines))) else 3


def blocks(lines: Sequence[L]) -> list[list[L]]:
    """Cut lines in reading order into runs that follow each other like the lines of one block."""
    runs: list[list[L]] = []
    for line in lines:
        if runs and _follows(runs[-1][-1], line):
            runs[-1].append(line)
        else:
            runs.append([line])
    return runs


def reading_order(lines: Sequence[L]) -> list[L]:
    """Lines from top to bottom, and left to right within a row; columns of upright characters from right to left.

    Recursive cuts along the widest empty stripe (XY-cut): text in columns is read column by column
    where the gap between them is wider than the gaps between lines. A lone line is no column. A page that lies on its
    side or stands on its head is read as it would stand upright.
    """
    columns = 2 * sum(line.direction == "ttb" for line in lines) > len(lines)
    return [turned.line for turned in _order(_upright(lines), columns)]


@dataclass(frozen=True)
class _Turned(Generic[L]):
    """A line where it would stand if the page stood upright."""

    text: str
    quad: np.ndarray
    direction: str
    line: L


def _upright(lines: Sequence[L]) -> list[_Turned[L]]:
    """``lines`` with quads turned by the quarter that most of the text is turned by."""
    letters = Counter[int]()
    for line in lines:
        letters[_quarter(line)] += visible(line.text)
    quarter = max(range(4), key=lambda q: letters[q])  # of equals the smallest: upright
    turn = np.array([[0, -1], [1, 0]], np.float32)
    back = np.linalg.matrix_power(turn, quarter)  # quads are rows of x y, so this turns them back
    return [_Turned(line.text, line.quad @ back, line.direction, line) for line in lines]


def _quarter(line: Placed) -> int:
    """By how many quarters clockwise a line is turned. A column stands upright."""
    if line.direction == "ttb":
        return 0
    x, y = np.asarray(line.quad[1] - line.quad[0] + line.quad[2] - line.quad[3], float)
    return round(float(np.arctan2(y, x)) / (np.pi / 2)) % 4


def _order(lines: list[L], upright: bool) -> list[L]:
    if len(lines) <= 1:
        return lines
    stacked, along = (0, 1) if upright else (1, 0)  # the axis on which lines follow each other, and the other one
    gap, *parts = _cut(lines, stacked)
    column_gap, *columns = _cut(lines, along)
    if max(gap, column_gap) <= 0:  # they overlap, as slanted lines do
        return _by_rows(lines)
    if column_gap > gap and not (gap > 0 and any(_abreast(c, stacked) for c in columns)):
        first, second = columns
    else:
        first, second = reversed(parts) if upright else parts
    return _order(first, upright) + _order(second, upright)


def _abreast(lines: Sequence[Placed], axis: int) -> bool:
    """Whether all lines share some of ``axis``: one row, or one column of upright text."""
    spans = [_span(line, axis) for line in lines]
    return max(low for low, _ in spans) < min(high for _, high in spans)


def _cut(lines: list[L], axis: int) -> tuple[float, list[L], list[L]]:
    """The widest stripe across ``axis`` that no line touches: its width in px, the lines before and behind it."""
    spans = sorted(((*_span(line, axis), i) for i, line in enumerate(lines)), key=lambda s: (s[0], s[2]))
    widest, place, reach = 0.0, 0, spans[0][1]
    for i, (start, end, _) in enumerate(spans):
        if start - reach > widest:
            widest, place = start - reach, i
        reach = max(reach, end)
    members = [lines[i] for _, _, i in spans]
    return widest, members[:place], members[place:]


def _span(line: Placed, axis: int) -> tuple[float, float]:
    """From where to where a line reaches along x (0) or y (1), without the padding of its box."""
    low, high = float(line.quad[:, axis].min()), float(line.quad[:, axis].max())
    padding = min(_PADDED * height_of(line), high - low) / 2
    return low + padding, high - padding


def _by_rows(lines: list[L]) -> list[L]:
    by_y = sorted(lines, key=lambda line: float(line.quad[:, 1].mean()))
    within = median(height_of(line) for line in lines) / 2
    rows: list[list[L]] = []
    for line in by_y:
        if rows and float(line.quad[:, 1].mean()) - float(rows[-1][0].quad[:, 1].mean()) <= within:
            rows[-1].append(line)
        else:
            rows.append([line])
    return [line for row in rows for line in sorted(row, key=lambda line: float(line.quad[:, 0].mean()))]


def height_of(line: Placed) -> float:
    """Extent across the reading direction in px."""
    return quad_height(line.quad.reshape(-1).tolist(), line.direction)


def _follows(line: Placed, other: Placed) -> bool:
    """Whether ``other`` stands where the next line of the same block would."""
    across = 1 if line.direction == "ltr" else 0
    heights = sorted((height_of(line), height_of(other)))
    if line.direction != other.direction or heights[0] <= 0 or heights[1] > _LIKE_HEIGHT * heights[0]:
        return False
    (start, end), (start2, end2) = _span(line, across), _span(other, across)
    apart = max(start2 - end, start - end2)
    (low, high), (low2, high2) = _span(line, 1 - across), _span(other, 1 - across)
    shared = min(high, high2) - max(low, low2)
    return apart <= heights[1] and shared >= min(high - low, high2 - low2) / 2


def _is_prose(block: Sequence[Placed]) -> bool:
    length = sum(visible(line.text) + sum(map(is_han, line.text)) for line in block)
    return len(block) >= _PARAGRAPH_LINES and length >= _PARAGRAPH_LENGTH * len(block)
