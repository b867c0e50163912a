"""Whether two outlines show the same thing: how much of their ink coincides.

Outlines are skia paths with 1 em = 1. They are drawn small; the share that both cover of what either covers (the
intersection over the union) is taken with their boxes laid on each other, so that where a glyph stands does not count.
"""

from __future__ import annotations

import numpy as np
import skia

SAME = 0.9
"""From this share on two outlines are one glyph with other details; a person who knows one reads the other."""
_CELLS = 64  # px that the longer side of the larger box is drawn with
_SIDE = 2 * _CELLS


def overlap(one: skia.Path, other: skia.Path) -> float:
    """The share 0..1 that two outlines have in common at one scale, the middles of their boxes on each other."""
    boxes = one.computeTightBounds(), other.computeTightBounds()
    longest = max(max(box.width(), box.height()) for box in boxes)
    if longest <= 0:
        return 0.0
    k = _CELLS / longest
    return _shared(*(_drawn(p, b, k, k) for p, b in zip((one, other), boxes, strict=True)))


def stretched_overlap(one: skia.Path, other: skia.Path) -> float:
    """The same with both boxes stretched to one: a small capital overlaps its large one."""
    boxes = one.computeTightBounds(), other.computeTightBounds()
    if any(min(box.width(), box.height()) <= 0 for box in boxes):
        return 0.0
    return _shared(
        *(_drawn(p, b, _CELLS / b.width(), _CELLS / b.height()) for p, b in zip((one, other), boxes, strict=True))
    )


def _shared(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.minimum(one, other).sum() / max(np.maximum(one, other).sum(), 1e-6))


def _drawn(path: skia.Path, box: skia.Rect, across: float, down: float) -> np.ndarray:
    """Coverage 0..1, (_SIDE, _SIDE), with the middle of ``box`` in the middle."""
    surface = skia.Surface.MakeRaster(skia.ImageInfo.MakeA8(_SIDE, _SIDE))
    canvas = surface.getCanvas()
    canvas.translate(_CELLS, _CELLS)
    canvas.scale(across, down)
    canvas.translate(-box.centerX(), -box.centerY())
    canvas.drawPath(path, skia.Paint(AntiAlias=True))
    return np.asarray(surface.toarray(colorType=skia.kAlpha_8_ColorType), dtype=np.float32).reshape(_SIDE, _SIDE) / 255
