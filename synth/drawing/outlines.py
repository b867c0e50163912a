"""A block's outlines as one shape: overlapping strokes of a glyph and touching letters of a script united.

Variable fonts draw a letter from parts that overlap, and scripts run one letter into the next. Filled, nothing of it is
seen; an outline alone would show every part, so hollow letters take these.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import skia

from synth.fonts.contours import united
from synth.fonts.face import Face
from synth.language import is_han
from synth.typeset.block import Block, Line, PlacedGlyph

_SAMPLED = 24  # chosen: glyphs of a text that its stroke is measured by
_APART, _BETWEEN, _STROKE = 2.0, 1.1, 0.6  # chosen: px from stroke to stroke, between them, and of a stroke itself
_LINED = 1.8  # chosen: of the size at which characters are clear, that lines around their strokes want
_CLEAR = 34.0  # chosen: px to the em at which every character is clear


def outlines(block: Block) -> skia.Path:
    """All glyphs as one path in the block's coordinates, for a gradient over the whole."""
    glyphs = (glyph for line in block.lines for glyph in line.glyphs if glyph.bounds is not None)
    return _joint(block, glyphs, Face.outline)


def united_outlines(block: Block) -> Iterator[skia.Path]:
    """The outer and inner edges of what is inked, in the block's coordinates; letters that touch are one path."""
    for line in block.lines:
        for run in _touching(line, block.size):
            if len(run) > 1:
                yield united(_joint(block, run, Face.outline), 1.0)
            else:
                yield _joint(block, run, Face.united)


def bridges(block: Block) -> Iterator[skia.Path]:
    """What a stencil leaves standing: a bar through each enclosed space of a letter, in the block's coordinates."""
    for line in block.lines:
        for glyph in line.glyphs:
            if glyph.bounds is None:
                continue
            for bar in (glyph.face or block.face).bridges(glyph.id):
                path = skia.Path().addRect(bar)
                path.transform(_place(block, glyph))
                yield path


def stem(block: Block) -> float:
    """How thick the strokes of a block's letters are on average, em: a stroke's area over half of its edge's length."""
    ids = list(dict.fromkeys(g.id for line in block.lines for g in line.glyphs if g.bounds and not g.face))[:_SAMPLED]
    measured = [block.face.stroke(glyph) for glyph in ids]
    length = sum(edge for _, edge in measured)
    return 2 * sum(area for area, _ in measured) / length if length else 0.0


def clear_size(block: Block) -> float:
    """The px to the em at which a block's Chinese characters are clear: their strokes are so thick and so far apart, and what lies
    between them so wide, on average over each character. 0 without any."""
    face, least = block.face, 0.0
    dense = {
        g.id: g.bounds for line in block.lines for g in line.glyphs if g.bounds and not g.face and is_han(g.text[:1])
    }
    for glyph, (x0, y0, x1, y1) in list(dense.items())[:_SAMPLED]:
        area, edge = face.stroke(glyph)
        if (open_area := (x1 - x0) * (y1 - y0) - area) > 0:
            apart, between = _APART * edge / (2 * (area + open_area)), _BETWEEN * edge / (2 * open_area)
            least = max(least, apart, between, _STROKE * edge / (2 * area))
    return min(least, _CLEAR)


def clear_for_lines(block: Block) -> bool:
    """Whether characters are so large that lines around their strokes leave what is between them open."""
    return block.size >= _LINED * clear_size(block)


def _touching(line: Line, size: float) -> Iterator[list[PlacedGlyph]]:
    """Glyphs with ink, those whose boxes overlap one after the other together."""
    run: list[PlacedGlyph] = []
    for glyph in line.glyphs:
        if glyph.bounds is None:
            continue
        if run and not _overlap(run[-1].box(size), glyph.box(size)):
            yield run
            run = []
        run.append(glyph)
    if run:
        yield run


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])


def _joint(block: Block, run: Iterable[PlacedGlyph], outline: Callable[[Face, int], skia.Path]) -> skia.Path:
    """The glyphs as one path in the block's coordinates."""
    path = skia.Path()
    for glyph in run:
        path.addPath(outline(glyph.face or block.face, glyph.id), _place(block, glyph))
    return path


def _place(block: Block, glyph: PlacedGlyph) -> skia.Matrix:
    place = skia.Matrix.Translate(glyph.x, glyph.y)
    place.preRotate(glyph.angle)
    place.preScale(block.size, block.size)
    return place
