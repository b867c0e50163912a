"""Quads of text in numbers: area and height, the same for exact regions and for what OCR found.

A quad is x1 y1 .. x4 y4 in px, clockwise from the reading start, so that its first edge runs along
the reading direction of ``ltr`` text and across that of ``ttb`` text.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

Quad = Sequence[float]


def _quad_area(quad: Quad) -> float:
    """Area in px^2 by the shoelace formula."""
    xs, ys = quad[0::2], quad[1::2]
    return abs(sum(xs[i - 1] * ys[i] - xs[i] * ys[i - 1] for i in range(4))) / 2


def quad_height(quad: Quad, direction: str) -> float:
    """Extent across the reading direction in px: the mean of the two edges that run across it."""
    corners = [(quad[2 * i], quad[2 * i + 1]) for i in range(4)]
    first = 1 if direction == "ltr" else 0
    return sum(math.dist(corners[i], corners[(i + 1) % 4]) for i in (first, first + 2)) / 2


def text_area(quads: Iterable[Quad], width: int, height: int) -> float:
    """Area of all quads over the picture's, at most 1. Overlaps count twice: lines of text rarely do."""
    return min(1.0, sum(_quad_area(quad) for quad in quads) / (width * height))
