"""Outlines that cannot be what their designer meant: counters that run the wrong way round and come out filled.

A fill by non-zero winding leaves a hole only where a contour runs against the one around it. Some fonts hold glyphs
whose inner contours run along with the outer one (ZCOOL XiaoWei in eight characters with 口 in 囗): they are drawn as
solid boxes. Strokes that merely overlap, as in most variable fonts, are sound.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import skia

_SIDE = 48  # px that a glyph is looked at with; two thirds of it are the em
_EVEN_ODD_LOSS = (
    0.15  # of the ink: below it nothing of a counter's size can be filled; chosen, the eight lose 0.25 to 0.46
)
_COUNTER = 0.02  # chosen, em²: nobody misses smaller counters


def has_filled_counter(contours: Sequence[skia.Path]) -> bool:
    """Whether a contour (1 em = 1) lies wholly in the ink of the others and changes nothing."""
    glyph = _union(contours)
    ink = _ink(glyph)
    even_odd = skia.Path(glyph)
    even_odd.setFillType(skia.PathFillType.kEvenOdd)
    if np.abs(ink - _ink(even_odd)).sum() <= _EVEN_ODD_LOSS * ink.sum():
        return False
    for number, contour in enumerate(contours):
        bounds = contour.computeTightBounds()
        if bounds.width() * bounds.height() < _COUNTER:
            continue
        rest = _ink(_union([*contours[:number], *contours[number + 1 :]]))
        if np.abs(ink - rest).max() < 0.5:
            return True
    return False


def _union(contours: Sequence[skia.Path]) -> skia.Path:
    path = skia.Path()
    for contour in contours:
        path.addPath(contour)
    return path


def _ink(path: skia.Path) -> np.ndarray:
    """Coverage 0..1 of a glyph drawn small, (_SIDE, _SIDE)."""
    surface = skia.Surface.MakeRaster(skia.ImageInfo.MakeA8(_SIDE, _SIDE))
    canvas = surface.getCanvas()
    canvas.translate(_SIDE / 8, _SIDE * 3 / 4)
    canvas.scale(_SIDE * 2 / 3, _SIDE * 2 / 3)
    canvas.drawPath(path, skia.Paint(AntiAlias=True))
    return np.asarray(surface.toarray(colorType=skia.kAlpha_8_ColorType), dtype=np.float32).reshape(_SIDE, _SIDE) / 255
