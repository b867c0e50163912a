"""Chinese set in columns: upright characters with the font's vertical forms, Latin words turned, short numbers upright.

    text ──runs──> han: shaped from top to bottom
                   digits, at most two: side by side in one cell (tate-chu-yoko)
                   other Latin: shaped left to right, then turned by 90 degrees

The pen runs down the middle of the column (Requirements for Chinese Text Layout, W3C clreq, vertical writing mode).
"""

from __future__ import annotations

import re

from synth.fonts.face import Face, Glyph

_RUN = re.compile(
    r"(?P<cell>(?<![0-9A-Za-z.,%¥$:/-])[0-9]{1,2}(?![0-9A-Za-z.,%:/-]))|(?P<turned>[\u0020-\u024f]+)|(?P<upright>[^\u0020-\u024f]+)"
)


def shape_column(face: Face, text: str, language: str) -> list[Glyph]:
    """Glyphs of one paragraph; ``advance`` is downwards, ``dx`` from the middle of the column."""
    glyphs: list[Glyph] = []
    for run in _RUN.finditer(text):
        if run["upright"]:
            found = face.shape_vertical(run[0], language)
        elif run["cell"]:
            found = _cell(face, run[0], language)
        else:
            found = [_turned(face, glyph) for glyph in face.shape(run[0], language)]
        at = run.start()
        glyphs += [Glyph(g.id, g.start + at, g.end + at, g.advance, g.dx, g.dy, g.angle) for g in found]
    return glyphs


def _turned(face: Face, glyph: Glyph) -> Glyph:
    """A glyph lying on its side, the middle of its em box on the middle of the column."""
    lift = (face.ascent - face.descent) / 2
    return Glyph(glyph.id, glyph.start, glyph.end, glyph.advance, glyph.dy - lift, -glyph.dx, 90.0)


def _cell(face: Face, digits: str, language: str) -> list[Glyph]:
    """One or two digits upright in a cell of one em."""
    glyphs = face.shape(digits, language)
    width = sum(g.advance for g in glyphs)
    placed, x = [], -width / 2
    for number, glyph in enumerate(glyphs):
        last = number == len(glyphs) - 1
        placed.append(
            Glyph(glyph.id, glyph.start, glyph.end, 1.0 if last else 0.0, x + glyph.dx, glyph.dy - face.ascent)
        )
        x += glyph.advance
    return placed
