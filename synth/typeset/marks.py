"""Chinese marks side by side: what is blank between them is taken out (clreq, compression of punctuation marks).

A full-width mark inks one half of its cell. Where two of them meet, ``，“`` or ``》）``, a whole cell of nothing would
stand between them or half of one; the first gives up to half an em.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from synth.fonts.face import Face, Glyph

MARKS = "，。、；：！？．“”‘’「」『』（）《》〈〉【】〔〕〖〗［］｛｝·…—"
_PAIR = re.compile(f"[{re.escape(MARKS)}]{{2}}")
_SOLID = "…—"  # two of them are one mark
_HALF = 0.5  # em that a mark gives at most
_SIDE = 0.06  # chosen: em of blank that other characters have beside them
_LEFT = 0.12  # chosen: em of blank that stays between the ink of both


def compressed(face: Face, text: str, glyphs: list[Glyph], vertical: bool) -> list[Glyph]:
    """The glyphs of a line or column with less room behind marks that another mark follows."""
    if not _PAIR.search(text):
        return glyphs
    found = list(glyphs)
    for at, (glyph, following) in enumerate(pairwise(glyphs)):
        marks = text[glyph.start : glyph.end], text[following.start : following.end]
        if all(len(mark) == 1 and mark in MARKS for mark in marks) and not all(mark in _SOLID for mark in marks):
            found[at] = replace(glyph, advance=glyph.advance - _spare(face, (glyph, following), vertical))
    return found


def outer_blanks(face: Face, text: str, glyphs: Sequence[Glyph], vertical: bool) -> tuple[float, float]:
    """Em of nothing before an opening mark at a line's start, and behind a closing one at its end (clreq, marks there may
    take half a cell); 0 where other characters stand. ``text``: the paragraph of the line's ``glyphs``."""

    def blank(glyph: Glyph, at_end: bool) -> float:
        if text[glyph.start : glyph.end] not in MARKS or glyph.advance < 0.9:
            return 0.0
        extent = _extent(face, glyph, vertical)
        empty = 0.0 if extent is None else glyph.advance - extent[1] if at_end else extent[0]
        return min(max(empty - _SIDE, 0.0), _HALF)

    return blank(glyphs[0], False), blank(glyphs[-1], True)


def _spare(face: Face, pair: Sequence[Glyph], vertical: bool) -> float:
    """Em that can go between the ink of two glyphs of a full em each."""
    if any(glyph.advance < 0.9 for glyph in pair):
        return 0.0
    first, second = (_extent(face, glyph, vertical) for glyph in pair)
    if first is None or second is None:
        return 0.0
    blank = pair[0].advance - first[1] + second[0]
    return min(max(blank - _LEFT, 0.0), _HALF)


def _extent(face: Face, glyph: Glyph, vertical: bool) -> tuple[float, float] | None:
    """Where a glyph's ink begins and ends along the line, em from the pen."""
    ink = face.ink(glyph.id)
    if ink is None:
        return None
    if not vertical:
        return glyph.dx + ink[0], glyph.dx + ink[2]
    low, high = (ink[0], ink[2]) if glyph.angle else (ink[1], ink[3])
    return low - glyph.dy, high - glyph.dy
