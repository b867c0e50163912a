"""Exact regions of a drawing's texts: every glyph, word, line and paragraph, in reading order.

Boxes are taken in the block's own coordinates, from outlines and strokes, and moved by the layer's matrix. Perspective
takes lines to lines, so ink stays inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from synth.drawing.layers import Drawing, TextLayer
from synth.geometry import Box, apply, area, around, is_shift, union
from synth.sample import Level, Region
from synth.typeset.block import Block, Line, PlacedGlyph
from synth.typeset.line_breaks import is_wide

_SOFT = 1.0  # px that anti-aliasing may spread ink beyond a slanted edge
_STEPS = 8  # points of an edge that a bend curves
_STROKED = 0.2  # px: strokes of curves are drawn a little wider than asked for
_RASTER = 1 / 32  # px: Skia rounds edges to so much


class _Part(NamedTuple):
    text: str
    level: Level
    corners: Sequence[tuple[float, float]]  # in the block, clockwise from the top left
    vertical: bool = False
    damage: str | None = None


def of(drawing: Drawing) -> list[Region]:
    """Regions of all texts: for each text its glyphs, words, lines and, with several lines, paragraphs."""
    return [region for layer in drawing.texts for region in layer_regions(layer)]


def layer_regions(layer: TextLayer) -> list[Region]:
    """Glyphs, then words, lines, and paragraphs where there are several lines.

    ShapedText are runs between spaces that hold no Han character. Chinese is written without word borders, so it has
    none, unless the whole text is ``one_word``.
    """
    block = layer.block
    stroke_margin = layer.style.stroke_margin + (_STROKED / block.size if layer.style.stroke else 0.0)
    parts = [p for line in block.lines for p in _glyphs(line, block, stroke_margin)]
    words = [word for line in block.lines for word in _words(line, block, stroke_margin)]
    if layer.one_word and not words and len(parts) > 1:
        words = [_line(line, block, stroke_margin, "word") for line in block.lines]
    lines = [_line(line, block, stroke_margin, "line") for line in block.lines]
    paragraphs = _paragraphs(block, stroke_margin) if len(block.lines) > 1 else []
    return _placed(layer, parts + words + lines + paragraphs)


def _placed(layer: TextLayer, parts: list[_Part]) -> list[Region]:
    corners = np.array([part.corners for part in parts])  # (N, 4, 2)
    if layer.bend:
        quads = _grown(_around_bent(layer, corners), _SOFT)
    elif is_shift(layer.matrix) and not layer.block.curved:
        quads = _snapped(corners + layer.matrix[:2, 2])
    else:
        moved = apply(layer.matrix, corners.reshape(-1, 2)).reshape(-1, 4, 2)
        quads = _grown(moved, _SOFT)
    flat = quads.reshape(-1, 8).tolist()
    return [
        Region(part.text, tuple(quad), part.level, "ttb" if part.vertical else "ltr", part.damage)
        for part, quad in zip(parts, flat, strict=True)
    ]


def _around_bent(layer: TextLayer, corners: np.ndarray) -> np.ndarray:
    """(N, 4, 2) rectangles around boxes that a bend has made curves of, each turned as its box runs from left to right.

    A bend takes what is inside a box to what is inside its outline, so an outline that is wholly inside holds the ink.
    """
    steps = np.linspace(0, 1, _STEPS)[:, None]
    following = np.roll(corners, -1, axis=1)
    edges = corners[:, :, None] * (1 - steps) + following[:, :, None] * steps  # (N, 4, steps, 2)
    outlines = layer.at(edges.reshape(-1, 2)).reshape(len(corners), 4 * _STEPS, 2)
    across = (outlines[:, _STEPS : 2 * _STEPS] - outlines[:, 3 * _STEPS :]).mean(
        axis=1
    )  # of the right edge, the left one
    along = across / np.maximum(np.linalg.norm(across, axis=1, keepdims=True), 1e-9)
    turns = np.stack((along, np.stack((-along[:, 1], along[:, 0]), axis=1)), axis=2)  # (N, 2, 2): columns are the axes
    turned = outlines @ turns
    (low, high) = turned.min(axis=1), turned.max(axis=1)
    boxes = np.stack(
        (low, np.stack((high[:, 0], low[:, 1]), axis=1), high, np.stack((low[:, 0], high[:, 1]), axis=1)), axis=1
    )
    return boxes @ turns.transpose(0, 2, 1)


def _snapped(corners: np.ndarray) -> np.ndarray:
    """Upright boxes grown outwards to whole pixels: every pixel that the ink touches is inside."""
    low, high = corners.min(axis=1, keepdims=True), corners.max(axis=1, keepdims=True)
    return np.where(corners > (low + high) / 2, np.ceil(corners + _RASTER), np.floor(corners - _RASTER))


def _grown(quads: np.ndarray, by: float) -> np.ndarray:
    """Convex quads with each edge moved outwards by ``by`` px."""
    edges = np.roll(quads, -1, axis=1) - quads
    length = np.linalg.norm(edges, axis=2, keepdims=True)
    along = edges / np.maximum(length, 1e-9)
    turn = np.sign(area(quads[0]))  # mirrored quads run the other way round; one matrix mirrors all or none
    outward = np.stack((along[..., 1], -along[..., 0]), axis=2) * turn
    before = np.roll(outward, 1, axis=1)
    # The corner moves by n1 + n2 scaled so that both edges move by ``by``.
    scale = 1 + (outward * before).sum(axis=2, keepdims=True)
    return quads + by * (outward + before) / np.maximum(scale, 0.2)


def _glyphs(line: Line, block: Block, stroke_margin: float) -> list[_Part]:
    return [
        _Part(run[0].text, "glyph", _corners(run, block.size, stroke_margin), damage=run[0].damage)
        for run in _clusters(line)
    ]


def _clusters(line: Line) -> list[list[PlacedGlyph]]:
    """Glyphs with ink, those of one character cluster (a letter and its accent) together."""
    found: list[list[PlacedGlyph]] = []
    for glyph in line.glyphs:
        if not glyph.bounds:
            continue
        if found and found[-1][0].start == glyph.start:
            found[-1].append(glyph)
        else:
            found.append([glyph])
    return found


def _corners(run: Sequence[PlacedGlyph], size: float, stroke_margin: float) -> Sequence[tuple[float, float]]:
    """A box around glyphs; one glyph alone keeps its own slant."""
    if len(run) == 1:
        return run[0].corners(size, stroke_margin)
    return _box(union([g.box(size, stroke_margin) for g in run]))


def _box(box: Box) -> list[tuple[float, float]]:
    x0, y0, x1, y1 = box
    return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]


def _line(line: Line, block: Block, stroke_margin: float, level: Level) -> _Part:
    if block.curved:
        return _Part(line.text, level, _slanted([g for g in line.glyphs if g.bounds], block.size, stroke_margin))
    vertical = block.direction == "ttb"
    return _Part(line.text, level, _box(_wider(line.box, stroke_margin * block.size)), vertical)


def _words(line: Line, block: Block, stroke_margin: float) -> list[_Part]:
    found: list[_Part] = []
    run: list[PlacedGlyph] = []
    for glyph in (*line.glyphs, None):
        if glyph is not None and glyph.bounds and not is_wide(glyph.text[0]):
            run.append(glyph)
        elif run:
            if any(glyph.text[0].isalnum() for glyph in run):  # a bullet or a quotation mark alone is no word
                found.append(_word(run, line, block, stroke_margin))
            run = []
    return found


def _word(run: list[PlacedGlyph], line: Line, block: Block, stroke_margin: float) -> _Part:
    text = "".join({g.start: g.text for g in run}.values())
    if block.curved:
        return _Part(text, "word", _slanted(run, block.size, stroke_margin))
    x0, y0, x1, y1 = union([g.box(block.size, stroke_margin) for g in run])
    em = _wider(line.box, stroke_margin * block.size)
    if block.direction == "ttb":
        return _Part(text, "word", _box((min(em[0], x0), y0, max(em[2], x1), y1)), vertical=True)
    return _Part(text, "word", _box((x0, min(em[1], y0), x1, max(em[3], y1))))


def _slanted(run: list[PlacedGlyph], size: float, stroke_margin: float) -> Sequence[tuple[float, float]]:
    """A rectangle around glyphs of a curved line, slanted as the middle of the run is."""
    angle = np.radians((run[0].angle + run[-1].angle) / 2)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    points = np.array([corner for g in run for corner in g.corners(size, stroke_margin)])
    box = np.array(_box(around([(float(x), float(y)) for x, y in points @ turn])))
    return [(float(x), float(y)) for x, y in box @ turn.T]


def _paragraphs(block: Block, stroke_margin: float) -> list[_Part]:
    found = []
    vertical = block.direction == "ttb"
    for number in sorted({line.paragraph for line in block.lines}):
        own = [line for line in block.lines if line.paragraph == number]
        box = _wider(union([line.box for line in own]), stroke_margin * block.size)
        found.append(_Part("\n".join(line.text for line in own), "paragraph", _box(box), vertical))
    return found


def _wider(box: Box, by: float) -> Box:
    return (box[0] - by, box[1] - by, box[2] + by, box[3] + by)
