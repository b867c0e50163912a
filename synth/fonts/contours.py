"""What an outline is made of: its contours, its united edge, how much it inks. Paths have 1 em = 1, y downwards."""

from __future__ import annotations

import numpy as np
import skia

_SCALE = 1000.0  # path operations work with tolerances that suit outlines of some hundred units
_SPACE = 0.07  # em, chosen: a smaller space gets no bridge
_NEXT = 0.005  # em: where the ink next to a space begins
_BRIDGES = 4  # chosen: of a letter, in its largest spaces
_BAR = 0.045  # em, chosen: width of a bridge
_REACH = 0.14  # em, chosen: more than a stroke is thick in most faces
_CELLS = 64  # px to the em that areas are counted with


def contours(outline: skia.Path) -> list[skia.Path]:
    """The outline, every contour a path of its own."""
    found: list[skia.Path] = []
    last = skia.Path()
    for verb, points in outline:
        if verb == skia.Path.kMove_Verb:
            last = skia.Path()
            found.append(last)
            last.moveTo(points[0])
        elif verb == skia.Path.kLine_Verb:
            last.lineTo(points[1])
        elif verb == skia.Path.kQuad_Verb:
            last.quadTo(points[1], points[2])
        elif verb == skia.Path.kCubic_Verb:
            last.cubicTo(points[1], points[2], points[3])
    return found


def united(outline: skia.Path, scale: float = _SCALE) -> skia.Path:
    """The edge of what is inked: contours that overlap become one. The outline itself where Skia finds no such edge."""
    path = skia.Path(outline)
    path.transform(skia.Matrix.Scale(scale, scale))
    try:
        path = skia.Simplify(path)
    except RuntimeError:
        return outline
    path.transform(skia.Matrix.Scale(1 / scale, 1 / scale))
    return path


def bridges(outline: skia.Path) -> list[skia.Rect]:
    """A bar across each of the largest spaces that a ``united`` outline encloses, through the strokes above and below.

    A cutter's stencil needs them, lest what is inside of an O falls out.
    """
    spaces = []
    for part in contours(outline):
        box = part.getBounds()
        middle = (box.centerX(), box.centerY())
        wide = box.width() >= _SPACE and box.height() >= _SPACE
        left = min(part.getPoints(part.countPoints()), key=lambda point: point.x())
        enclosed = outline.contains(left.x() - _NEXT, left.y())
        if wide and enclosed and part.contains(*middle) and not outline.contains(*middle):
            spaces.append(box)
    spaces.sort(key=lambda box: -box.width() * box.height())
    bars = []
    for box in spaces[:_BRIDGES]:
        middle_x = box.centerX()
        ends = (middle_x - _BAR / 2, box.top() - _REACH, middle_x + _BAR / 2, box.bottom() + _REACH)
        bars.append(skia.Rect.MakeLTRB(*ends))
    return bars


def area_and_edge(outline: skia.Path) -> tuple[float, float]:
    """The inked area in em², and the length of all edges in em."""
    surface = skia.Surface.MakeRaster(skia.ImageInfo.MakeA8(3 * _CELLS, 3 * _CELLS))
    canvas = surface.getCanvas()
    canvas.translate(_CELLS, 2 * _CELLS)
    canvas.scale(_CELLS, _CELLS)
    canvas.drawPath(outline, skia.Paint(AntiAlias=True))
    ink = np.asarray(surface.toarray(colorType=skia.kAlpha_8_ColorType), dtype=np.float32)
    measure, length = skia.PathMeasure(outline, False, _SCALE), 0.0
    while True:
        length += measure.getLength()
        if not measure.nextContour():
            return float(ink.sum()) / 255 / _CELLS**2, length
