"""Chinese set in columns: upright characters with the font's vertical forms, Latin words turned, short numbers upright.

    text ──runs──> han and its marks: shaped from top to bottom, what the font leaves lying is turned
                   digits, at most two: side by side in one cell (tate-chu-yoko)
                   words of other scripts: shaped left to right, then turned by 90 degrees

The pen runs down the middle of the column (Requirements for Chinese Text Layout, W3C clreq, vertical writing mode).
What stands upright and what lies is said by UAX #50; whether a font has a form for it is looked up glyph by glyph.
"""

from __future__ import annotations

import re
from dataclasses import replace

from synth.fonts.face import Face, Glyph
from synth.fonts.likeness import SAME, overlap
from synth.typeset.orientation import is_turned, orientation

_LETTERS = "A-Za-z\u00c0-\u00d6\u00d8-\u00f6\u00f8-\u024f\u0370-\u03ff\u0400-\u052f\u1e00-\u1eff"
_WORDS = f"[\u0020-\u007e{_LETTERS}]|(?<=[{_LETTERS}])’(?=[{_LETTERS}])|(?<=[0-9{_LETTERS}])[–—](?=[0-9{_LETTERS}])"
_RUN = re.compile(
    r"(?P<cell>(?<![0-9A-Za-z.,%¥$:/-])[0-9]{1,2}(?![0-9A-Za-z.,%:/’–-]))"
    f"|(?P<turned>(?:{_WORDS})+)|(?P<upright>(?:(?!{_WORDS}).)+)"
)
_CORNERED = "，。、．"  # in horizontal text at the lower left of their cell, in a column at the upper right


def shape_column(face: Face, text: str, language: str) -> list[Glyph]:
    """Glyphs of one paragraph; ``advance`` is downwards, ``dx`` from the middle of the column."""
    glyphs: list[Glyph] = []
    for run in _RUN.finditer(text):
        if run["upright"]:
            found = [_standing(face, run[0], glyph, language) for glyph in face.shape_vertical(run[0], language)]
        elif run["cell"]:
            found = _cell(face, run[0], language)
        else:
            found = [_turned(face, glyph) for glyph in face.shape(run[0], language)]
        at = run.start()
        glyphs += [Glyph(g.id, g.start + at, g.end + at, g.advance, g.dx, g.dy, g.angle) for g in found]
    return glyphs


def _standing(face: Face, text: str, glyph: Glyph, language: str) -> Glyph:
    """A glyph of a column as it should stand: turned, or moved to its corner, where the font has no form that is."""
    character = text[glyph.start : glyph.end]
    if len(character) != 1 or orientation(character) == "U" or _has_form(face, character, glyph.id):
        return glyph
    if is_turned(character):
        (lying,) = face.shape(character, language)
        return _turned(face, replace(lying, start=glyph.start, end=glyph.end))
    return _cornered(face, glyph) if character in _CORNERED else glyph


def _has_form(face: Face, character: str, glyph: int) -> bool:
    """Whether the font gave a vertical form, one that does not look as it does in a line."""
    nominal = face.nominal(character)
    return glyph != nominal and (not is_turned(character) or overlap(face.outline(nominal), face.outline(glyph)) < SAME)


def _cornered(face: Face, glyph: Glyph) -> Glyph:
    """A mark from the lower left of its cell at the upper right."""
    ink = face.ink(glyph.id)
    if ink is None:
        return glyph
    across, down = (ink[0] + ink[2]) / 2, (ink[1] + ink[3]) / 2 + face.ascent
    if across > 0.5 or down < 0.5:
        return glyph  # in the middle, as in Taiwan and Hong Kong
    return replace(glyph, dx=glyph.dx + 1 - 2 * across, dy=glyph.dy + 2 * down - 1)


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
