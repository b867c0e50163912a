"""A line of text on an arc of a circle, over or under its middle."""

from __future__ import annotations

import math

import numpy as np

from synth.errors import Undrawable
from synth.geometry import around
from synth.typeset.block import Block, Line, PlacedGlyph

_HEADS, _FEET = 0.85, 0.12  # chosen: em that Chinese characters reach above and below the baseline
_ARCS = (30.0, 150.0)  # chosen: degrees that a line bends, from a hint of a curve to nearly half a circle


def bent(block: Block, canvas: tuple[int, int], rng: np.random.Generator) -> Block:
    """The one line of ``block`` on an arc, as large as fits ``canvas``. Raises Undrawable for several lines.

    Each glyph stands upright on the arc at its own middle, so letters are turned and never bent.
    """
    if len(block.lines) != 1 or block.direction != "ltr":
        raise Undrawable("only a single horizontal line can be bent")
    line = block.lines[0]
    degrees = float(rng.uniform(*_ARCS)) * (1 if rng.random() < 0.75 else -1)
    width = line.box[2] - line.box[0]
    degrees = math.copysign(min(abs(degrees), math.degrees(width / (2 * block.size))), degrees)  # no tighter than 2 em
    radius = width / math.radians(abs(degrees))
    glyphs = tuple(_on_arc(glyph, block, line, radius, degrees > 0) for glyph in line.glyphs)
    box = around([point for glyph in glyphs if glyph.bounds for point in glyph.corners(block.size)])
    factor = min(1.0, (canvas[0] - 4) / (box[2] - box[0]), (canvas[1] - 4) / (box[3] - box[1]))
    scaled = tuple(glyph._replace(x=glyph.x * factor, y=glyph.y * factor) for glyph in glyphs)
    left, top, right, bottom = (side * factor for side in box)
    bent_line = Line(line.text, scaled, line.paragraph, (left, top, right, bottom))
    return Block(block.face, block.size * factor, (bent_line,), "ltr", curved=True)


def _on_arc(glyph: PlacedGlyph, block: Block, line: Line, radius: float, hill: bool) -> PlacedGlyph:
    """``hill``: the middle stands highest; else lowest. ``radius``: px of the arc whose lengths are the straight line's."""
    baseline = block.face.ascent * block.size
    half = (glyph.bounds[0] + glyph.bounds[2]) / 2 * block.size if glyph.bounds else 0.0
    middle = (line.box[0] + line.box[2]) / 2
    turn = (glyph.x + half - middle) / radius * (1 if hill else -1)
    sign = 1 if hill else -1
    # Heads of a valley, feet of a hill come closest together: there letters keep the spacing of the straight line.
    radius += (_FEET if hill else _HEADS) * block.size
    # The foot of the glyph's middle on the arc, then back by half a glyph along the tangent.
    lift = baseline - glyph.y
    x = middle + sign * (radius + sign * lift) * math.sin(turn) - half * math.cos(turn)
    y = baseline + sign * (radius - (radius + sign * lift) * math.cos(turn)) - half * math.sin(turn)
    return glyph._replace(x=x, y=y, angle=math.degrees(turn))
