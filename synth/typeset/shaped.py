"""A text's glyphs in em, ready to be broken into lines of any width."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import accumulate, pairwise

import regex

from synth.corpus.traditional import to_simplified
from synth.errors import Undrawable
from synth.fonts.face import Face, Glyph
from synth.typeset.line_breaks import Unit, is_wide, units
from synth.typeset.marks import MARKS, compressed, outer_blanks
from synth.typeset.vertical import shape_column
from synth.typeset.words import inside_counts, inside_phrases, inside_words

_RUNT, _PART = 3.4, 0.3  # chosen, em and of the measure: a last line that is shorter than both is one word at most
_NOTED = MARKS + "[]0123456789"  # what may stand behind a character, with the reference to a note
_X_HEIGHT = 0.46  # chosen, em: of print, from which on small letters are no lower than others
_COMPANY = 3  # chosen: characters of the line that gives one to the next
_RIGHT_TO_LEFT = regex.compile(r"[\p{Bidi_Class=R}\p{Bidi_Class=AL}\p{Bidi_Class=AN}]")


@dataclass(frozen=True)
class Span:
    """Characters ``start:end`` of a paragraph, on one line. ``first``, ``last``: whether the paragraph begins, ends with it."""

    paragraph: int
    start: int
    end: int
    first: bool
    last: bool


@dataclass(frozen=True, eq=False)
class Run:
    """Characters ``start:end`` of a text of one paragraph, in a face of their own."""

    start: int
    end: int
    face: Face


class Shaped:
    """A text shaped paragraph by paragraph, in lines or in ``vertical`` columns. Raises Undrawable.

    ``runs``: bold and italic words of a horizontal text of one paragraph.
    """

    def __init__(self, face: Face, text: str, language: str, vertical: bool = False, runs: Sequence[Run] = ()) -> None:
        self.face, self.vertical, self.language = face, vertical, language
        self.paragraphs = text.split("\n")
        shape = (lambda p: shape_column(face, p, language)) if vertical else (lambda p: face.shape(p, language))
        self.glyphs = [shape(p) for p in self.paragraphs]
        if language != "en":
            self.glyphs = [compressed(face, *pair, vertical) for pair in zip(self.paragraphs, self.glyphs, strict=True)]
        for paragraph, glyphs in zip(self.paragraphs, self.glyphs, strict=True):
            check_visible(face, paragraph, glyphs)
            stray = None if vertical else face.stray(paragraph, glyphs, language)
            if stray is not None:
                raise Undrawable(f"the font draws '{stray}' as something else")
        for run in runs:
            self.glyphs[0] = _with_run(self.paragraphs[0], self.glyphs[0], run, language)
        if not text.strip():
            raise Undrawable("there is nothing visible in the text")
        self._starts = [
            [g.start for g in glyphs] for glyphs in self.glyphs
        ]  # ascending: nothing here runs right to left
        self.length = sum(len(p) for p in self.paragraphs)
        self.advance = max(sum(g.advance for g in glyphs) for glyphs in self.glyphs)  # em, of the longest paragraph
        chinese = language.startswith("zh")
        pairs = zip(self.paragraphs, self.glyphs, strict=True)
        self._lines = [_Breakable(p, g, inside_counts(p) if chinese else inside_phrases(p)) for p, g in pairs]

    @cached_property
    def least(self) -> float:
        """What the type must be larger by than other print to be read as well: script has low small letters."""
        small = any(c.islower() and c.isascii() for p in self.paragraphs for c in p)
        return max(1.0, _X_HEIGHT / self.face.x_height) if small else 1.0

    def wrap(self, measure: float, letter: float, indent: float = 0.0, whole_words: bool = False) -> list[Span] | None:
        """Greedy lines for a measure in em; None when a unit is wider than that.

        ``whole_words``: no line ends inside of a Chinese word, too.
        ``indent`` (em) shortens the first line of each paragraph; a negative one hangs: it shortens all others.
        """
        lines: list[Span] = []
        for number, breakable in enumerate(self._whole if whole_words else self._lines):
            broken = breakable.wrap(measure, letter, indent)
            if broken is None:
                return None
            lines += [Span(number, a, b, k == 0, k == len(broken) - 1) for k, (a, b) in enumerate(broken)]
        return lines

    @cached_property
    def _whole(self) -> list[_Breakable]:
        """The paragraphs with whole words for units."""
        pairs = zip(self.paragraphs, self.glyphs, strict=True)
        traditional = self.language.startswith("zh-Hant")
        return [_Breakable(p, glyphs, inside_words(to_simplified(p) if traditional else p)) for p, glyphs in pairs]

    def units(self, whole_words: bool = False) -> list[tuple[int, int]]:
        """The parts of the first paragraph between which a line may end, as characters start:end without spaces behind."""
        return [(unit.start, unit.end) for unit in (self._whole if whole_words else self._lines)[0].units]

    def width(self, line: Span, letter: float) -> float:
        """Advance of a line in em."""
        return self._lines[line.paragraph].span(line.start, line.end, letter)

    def line_glyphs(self, line: Span) -> list[Glyph]:
        """The glyphs of a line, in order."""
        starts = self._starts[line.paragraph]
        return self.glyphs[line.paragraph][bisect_left(starts, line.start) : bisect_left(starts, line.end)]

    def blanks(self, line: Span) -> tuple[float, float]:
        """Em of nothing before and behind the ink of full-width marks at a line's ends."""
        if self.language == "en":
            return 0.0, 0.0
        return outer_blanks(self.face, self.paragraphs[line.paragraph], self.line_glyphs(line), self.vertical)

    def gaps(self, line: Span) -> list[bool]:
        """For each glyph of a line but the last: whether justification may widen the gap behind it.

        Lines with Chinese in them give between any two characters of which one is Chinese, and at spaces; others at
        spaces only. Inside of Latin words nothing moves.
        """
        text = self.paragraphs[line.paragraph]
        glyphs = self.line_glyphs(line)
        found = []
        for left, right in pairwise(glyphs):
            a, b = text[left.start], text[right.start]
            found.append(left.start != right.start and (a == " " or ((is_wide(a) or is_wide(b)) and b != " ")))
        return found


class _Breakable:
    """One paragraph's units with running sums, so that a line's end is found by bisection."""

    def __init__(self, text: str, glyphs: Sequence[Glyph], together: frozenset[int] = frozenset()) -> None:
        self.units: list[Unit] = units(text, together)
        self._text = text
        advance, count = [0.0] * len(text), [0] * len(text)
        for glyph in glyphs:
            advance[glyph.start] += glyph.advance
            count[glyph.start] += 1
        self._advance = list(accumulate(advance, initial=0.0))
        self._count = list(accumulate(count, initial=0))
        self._ends: tuple[float, list[float]] = (0.0, [])

    def span(self, start: int, end: int, letter: float) -> float:
        """Width in em of the characters ``start:end`` on one line."""
        between = max(self._count[end] - self._count[start] - 1, 0)
        return self._advance[end] - self._advance[start] + letter * between

    def wrap(self, measure: float, letter: float, indent: float) -> list[tuple[int, int]] | None:
        ends, lines, first = self._end_sums(letter), [], 0
        room, measure = measure - max(indent, 0.0), measure - max(-indent, 0.0)
        while first < len(self.units):
            start = self.units[first].start
            extent = room + self._advance[start] + letter * (self._count[start] + 1) + 1e-9
            following = bisect_right(ends, extent, lo=first)
            if following == first:
                return None
            lines.append((first, following))
            first, room = following, measure
        self._keep_company(lines, measure - letter, letter)
        return [(self.units[a].start, self.units[b - 1].end) for a, b in lines]

    def _keep_company(self, lines: list[tuple[int, int]], measure: float, letter: float) -> None:
        """No short word and no Chinese character is left alone on the last of several lines, given as units: one more joins
        it."""
        if len(lines) < 2:
            return
        (a, b), (last, end) = lines[-2:]
        if b - a < _COMPANY:
            return
        begin, stop = self.units[last].start, self.units[end - 1].end
        alone = self._text[begin:stop].strip(_NOTED)
        short = self.span(begin, stop, letter) < min(_RUNT, _PART * measure)
        joined = self.span(self.units[b - 1].start, stop, letter)
        left = self.span(self.units[a].start, self.units[b - 2].end, letter)
        if (short or sum(map(is_wide, alone)) == len(alone) == 1) and joined <= min(measure, left):
            lines[-2:] = [(a, b - 1), (b - 1, end)]

    def _end_sums(self, letter: float) -> list[float]:
        if self._ends[0] != letter or not self._ends[1]:
            self._ends = (letter, [self._advance[u.end] + letter * self._count[u.end] for u in self.units])
        return self._ends[1]


def _with_run(text: str, glyphs: Sequence[Glyph], run: Run, language: str) -> list[Glyph]:
    """The glyphs with those of a run in its own face."""
    inner = text[run.start : run.end]
    shaped = run.face.shape(inner, language)
    check_visible(run.face, inner, shaped)
    if run.face.stray(inner, shaped, language) is not None:
        raise Undrawable(f"the font draws '{inner}' as something else")
    own = [replace(g, start=g.start + run.start, end=g.end + run.start, face=run.face) for g in shaped]
    return [*(g for g in glyphs if g.start < run.start), *own, *(g for g in glyphs if g.start >= run.end)]


def check_visible(face: Face, text: str, glyphs: Sequence[Glyph]) -> None:
    """Raise Undrawable when the font lacks a character, draws nothing for it, or it runs right to left."""
    backwards = _RIGHT_TO_LEFT.search(text)
    if backwards:
        raise Undrawable(f"'{backwards[0]}' runs right to left, which is not set here")
    for glyph in glyphs:
        character = text[glyph.start : glyph.end]
        if character.isspace():
            continue
        if glyph.id == 0 or face.ink(glyph.id) is None:
            raise Undrawable(f"the font has no glyph for '{character}'")
