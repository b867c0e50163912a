"""The parts of a glyph that can be taken, added or moved: its outer contours, each with the holes in it.

Variable fonts draw a Chinese character stroke over stroke, so that an outer contour is one of its strokes, or a piece of
one; other fonts unite strokes that touch. Which of both it is, ``are_strokes`` says: there are as many parts as the
Unicode Han Database counts strokes.

All paths have 1 em = 1, y downwards.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import skia

from synth.corpus.builtin import stroke_counts
from synth.fonts.contours import contours

_CELLS = 48  # px to the em that ink is counted with


def parts(outline: skia.Path) -> list[skia.Path]:
    """Each outer contour with the holes that lie in it, larger ones first."""
    found = sorted(contours(outline), key=lambda path: -abs(_area(path)))
    if not found:
        return []
    turn = np.sign(_area(found[0]))  # outer contours run as the largest one does
    outer = [path for path in found if np.sign(_area(path)) == turn]
    joined = [skia.Path(path) for path in outer]
    for hole in (path for path in found if np.sign(_area(path)) == -turn):
        around = [k for k, path in enumerate(outer) if path.getBounds().contains(hole.getBounds())]
        if around:
            joined[around[-1]].addPath(hole)  # the smallest one around it
    return joined


def are_strokes(character: str, count: int) -> bool:
    """Whether ``count`` parts of a character are its strokes, one each."""
    return stroke_counts().get(character) == count


def union(paths: Sequence[skia.Path]) -> skia.Path:
    """All of them as one path; where they overlap, there is ink."""
    path = skia.Path()
    for each in paths:
        path.addPath(each)
    return path


def ink(path: skia.Path) -> np.ndarray:
    """Coverage 0..1 of two em square around the em box, a row after the other."""
    surface = skia.Surface.MakeRaster(skia.ImageInfo.MakeA8(2 * _CELLS, 2 * _CELLS))
    canvas = surface.getCanvas()
    canvas.translate(_CELLS / 2, 1.4 * _CELLS)
    canvas.scale(_CELLS, _CELLS)
    canvas.drawPath(path, skia.Paint(AntiAlias=True))
    return np.asarray(surface.toarray(colorType=skia.kAlpha_8_ColorType), dtype=np.float32).ravel() / 255


def _area(path: skia.Path) -> float:
    """Signed area of the polygon of a contour's points."""
    points = np.array([(p.x(), p.y()) for p in path.getPoints(path.countPoints())]) if path.countPoints() else None
    if points is None:
        return 0.0
    x, y = points.T
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)
