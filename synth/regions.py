"""Exact regions of placed text: every glyph, word, line and paragraph, in reading order."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from synth.breaks import is_wide
from synth.fonts import Box
from synth.layout import Block, Line, PlacedGlyph, union
from synth.sample import Level, Region


def regions(block: Block, one_word: bool = False) -> list[Region]:
    """Glyphs, then words, lines, and paragraphs where there are several lines.

    Words are runs between spaces that hold no Han character. Chinese is written without word borders, so it has
    none, unless the caller knows that the whole text is ``one_word``.
    """
    glyphs = [_region(g.text, g.ink, "glyph") for line in block.lines for g in _merged(line) if g.ink]
    words = [word for line in block.lines for word in _words(line)]
    if one_word and not words and len(glyphs) > 1:
        words = [_region(line.text, line.box, "word") for line in block.lines]
    lines = [_region(line.text, line.box, "line") for line in block.lines]
    return glyphs + words + lines + (_paragraphs(block.lines) if len(block.lines) > 1 else [])


def _merged(line: Line) -> list[PlacedGlyph]:
    """Glyphs of one character cluster (a letter and its accent) as one."""
    merged: list[PlacedGlyph] = []
    for glyph in line.glyphs:
        last = merged[-1] if merged else None
        if last and last.start == glyph.start and last.ink and glyph.ink:
            merged[-1] = replace(last, ink=union([last.ink, glyph.ink]))
        else:
            merged.append(glyph)
    return merged


def _words(line: Line) -> list[Region]:
    found: list[Region] = []
    run: list[PlacedGlyph] = []
    for glyph in (*line.glyphs, None):
        if glyph is not None and glyph.ink and not is_wide(glyph.text[0]):
            run.append(glyph)
        elif run:
            ink = union([g.ink for g in run if g.ink])
            top = min(line.box[1], ink[1])
            text = "".join({g.start: g.text for g in run}.values())
            found.append(_region(text, (ink[0], top, ink[2], max(line.box[3], ink[3])), "word"))
            run = []
    return found


def _paragraphs(lines: Sequence[Line]) -> list[Region]:
    found = []
    for number in sorted({line.paragraph for line in lines}):
        own = [line for line in lines if line.paragraph == number]
        found.append(_region("\n".join(line.text for line in own), union([line.box for line in own]), "paragraph"))
    return found


def _region(text: str, box: Box | None, level: Level) -> Region:
    """Boxes grow outwards to whole pixels: every pixel that the ink touches is inside."""
    assert box is not None
    x0, y0, x1, y1 = math.floor(box[0]), math.floor(box[1]), math.ceil(box[2]), math.ceil(box[3])
    quad = (x0, y0, x1, y0, x1, y1, x0, y1)
    return Region(text, tuple(float(v) for v in quad), level)
