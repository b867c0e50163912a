"""Pixels of a drawing, layer by layer. Nothing here chooses; everything was placed before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import skia
from PIL import Image

from synth.drawing.bend import Bend
from synth.drawing.colors import RGB, Ground
from synth.drawing.finishes import paint_finished
from synth.drawing.layers import Blend, Drawing, GroundLayer, Layer, OutlineLayer, PictureLayer, ShapeLayer, TextLayer
from synth.drawing.outlines import outlines, united_outlines
from synth.drawing.style import Shadow, TextStyle
from synth.geometry import Matrix, apply, box_around, grid, translation
from synth.typeset.block import Block, PlacedGlyph

_BLENDS: dict[Blend, skia.BlendMode] = {
    "normal": skia.BlendMode.kSrcOver,
    "multiply": skia.BlendMode.kMultiply,
    "screen": skia.BlendMode.kScreen,
    "overlay": skia.BlendMode.kOverlay,
    "soft_light": skia.BlendMode.kSoftLight,
}
_FINE = 2  # px of what is laid over a bend, to a px of the canvas
_CELL = 6  # px of a triangle of a bend, which is flat
_SMOOTH = skia.SamplingOptions(skia.FilterMode.kLinear, skia.MipmapMode.kLinear)


def paint(drawing: Drawing) -> Image.Image:
    """RGB of the drawing's canvas."""
    return _rgb(_painted(_blank(drawing), drawing.layers, drawing.canvas))


def paint_twice(drawing: Drawing) -> tuple[Image.Image, np.ndarray]:
    """RGB of the drawing, and (h, w, 4) of what lies behind its first text."""
    first = next(i for i, layer in enumerate(drawing.layers) if isinstance(layer, TextLayer))
    behind = _painted(_blank(drawing), drawing.layers[:first], drawing.canvas)
    return _rgb(_painted(behind.copy(), drawing.layers[first:], drawing.canvas)), behind


def _blank(drawing: Drawing) -> np.ndarray:
    return np.zeros((drawing.canvas[1], drawing.canvas[0], 4), np.uint8)


def _rgb(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels).convert("RGB")  # opaque everywhere: nothing is blended away


def _painted(pixels: np.ndarray, layers: Sequence[Layer], canvas: tuple[int, int]) -> np.ndarray:
    """``pixels`` (h, w, 4) with the layers drawn into it."""
    if layers and isinstance(layers[0], PictureLayer) and layers[0].covers(canvas):
        pixels[..., :3], pixels[..., 3] = layers[0].pixels, 255  # what Skia would do, without a copy and a scaled copy
        layers = layers[1:]
    target = skia.Surface(pixels, colorType=skia.kRGBA_8888_ColorType).getCanvas()  # draws straight into ``pixels``
    for layer in layers:
        _paint_layer(target, layer, canvas)
    return pixels


def _paint_layer(target: skia.Canvas, layer: Layer, canvas: tuple[int, int]) -> None:
    if isinstance(layer, GroundLayer):
        _paint_ground(target, canvas, layer.ground)
    elif isinstance(layer, TextLayer):
        _paint_text(target, layer)
    elif isinstance(layer, PictureLayer):
        _paint_picture(target, layer)
    elif isinstance(layer, OutlineLayer):
        _paint_outline(target, layer)
    else:
        _paint_shape(target, layer)


def _paint_ground(target: skia.Canvas, canvas: tuple[int, int], ground: Ground) -> None:
    """A color, or a gradient that runs from corner to corner or edge to edge."""
    colors = [_argb(c.rgb) for c in ground.colors]
    if len(colors) == 1:
        target.clear(colors[0])
        return
    target.drawPaint(skia.Paint(Shader=_gradient((0, 0, *canvas), colors, ground.angle)))


def _gradient(box: tuple[float, float, float, float], colors: list[int], angle: float) -> skia.Shader:
    """Along ``angle`` (degrees, 0 to the right, 90 downwards) through the middle of a box, over all of it."""
    x0, y0, x1, y1 = box
    turn = math.radians(angle)
    half = (abs((x1 - x0) * math.cos(turn)) + abs((y1 - y0) * math.sin(turn))) / 2
    dx, dy, cx, cy = math.cos(turn) * half, math.sin(turn) * half, (x0 + x1) / 2, (y0 + y1) / 2
    ends = [skia.Point(cx - dx, cy - dy), skia.Point(cx + dx, cy + dy)]
    return skia.GradientShader.MakeLinear(points=ends, colors=colors)


def _paint_text(target: skia.Canvas, layer: TextLayer) -> None:
    """Shadows, stroke, fill; in a layer of its own where blending or light wants the text as a whole."""
    if layer.bend:
        _paint_bent_text(target, layer)
        return
    grouped = layer.light is not None or layer.alpha < 1 or layer.blend != "normal"
    if grouped:
        target.saveLayer(
            skia.Rect.MakeLTRB(*layer.bounds()), skia.Paint(Alphaf=layer.alpha, BlendMode=_BLENDS[layer.blend])
        )
    target.save()
    target.concat(_skia(layer.matrix))
    for shadow in layer.style.shadows:
        _paint_shadow(target, layer.block, layer.style, shadow)
    if layer.style.finish:
        paint_finished(target, layer.style, layer.block)
    else:
        _paint_glyphs(target, layer.block, layer.style)
    target.restore()
    if layer.light is not None:  # opaque gray: scales the color and leaves the coverage
        image = skia.Image.fromarray(layer.light.pixels, skia.kGray_8_ColorType)
        target.drawImage(image, *layer.light.at, skia.SamplingOptions(), skia.Paint(BlendMode=_MODULATE))
    if grouped:
        target.restore()


_MODULATE = skia.BlendMode.kModulate


def _paint_bent_text(target: skia.Canvas, layer: TextLayer) -> None:
    """The text painted flat, then laid over the bend."""
    box = layer.flat_bounds()
    (left, top), (width, height) = box[:2], (math.ceil(box[2] - box[0]), math.ceil(box[3] - box[1]))
    sheet = np.zeros((_FINE * height, _FINE * width, 4), np.uint8)
    flat = skia.Surface(sheet, colorType=skia.kRGBA_8888_ColorType).getCanvas()
    flat.scale(_FINE, _FINE)
    flat.translate(-left, -top)
    _paint_text(flat, replace(layer, bend=None, alpha=1.0, blend="normal"))
    image = skia.Image.fromarray(sheet, skia.kRGBA_8888_ColorType, skia.kPremul_AlphaType)
    to_sheet = translation(left, top) @ np.diag([1 / _FINE, 1 / _FINE, 1.0])
    assert layer.bend is not None
    _paint_bent(target, image, to_sheet, layer.bend, skia.Paint(Alphaf=layer.alpha, BlendMode=_BLENDS[layer.blend]))


def _paint_bent(target: skia.Canvas, image: skia.Image, to_sheet: Matrix, bend: Bend, pen: skia.Paint) -> None:
    """An image laid over a bend as a mesh of triangles, in the light that falls on it.

    ``to_sheet`` takes its px to the flat sheet. It is painted at twice the size and reduced, which smooths its edges.
    """
    columns, rows = (max(2, math.ceil(side / _CELL)) for side in (image.width() / _FINE, image.height() / _FINE))
    on_image = grid((0, 0, image.width(), image.height()), columns, rows)
    on_sheet = apply(to_sheet, on_image)
    on_canvas = bend.at(on_sheet)
    left, top, right, bottom = map(round, box_around(on_canvas, 2))
    corner = np.arange((columns + 1) * rows).reshape(rows, columns + 1)[:, :-1].ravel()
    below = corner + columns + 1
    triangles = np.stack((corner, corner + 1, below, corner + 1, below + 1, below), axis=1)
    light = np.rint(255 * bend.light(on_sheet)).astype(int).tolist()
    vertices = skia.Vertices(
        skia.Vertices.kTriangles_VertexMode,
        [skia.Point(x, y) for x, y in ((on_canvas - (left, top)) * _FINE).tolist()],
        [skia.Point(x, y) for x, y in on_image.tolist()],
        [skia.Color(v, v, v) for v in light],
        triangles.ravel().tolist(),
    )
    surface = skia.Surface(_FINE * (right - left), _FINE * (bottom - top))
    shader = image.makeShader(skia.TileMode.kDecal, skia.TileMode.kDecal, _SMOOTH)
    surface.getCanvas().drawVertices(vertices, skia.Paint(Shader=shader), _MODULATE)
    place = skia.Rect.MakeLTRB(left, top, right, bottom)
    target.drawImageRect(surface.makeImageSnapshot(), place, skia.SamplingOptions(skia.FilterMode.kLinear), pen)


def _paint_shadow(target: skia.Canvas, block: Block, style: TextStyle, shadow: Shadow) -> None:
    size = block.size
    filter_ = skia.ImageFilters.Blur(shadow.blur * size, shadow.blur * size) if shadow.blur else None
    target.saveLayer(None, skia.Paint(ImageFilter=filter_, Alphaf=shadow.alpha))
    target.translate(shadow.offset[0] * size, shadow.offset[1] * size)
    pen = skia.Paint(AntiAlias=True, Color=_argb(shadow.rgb))
    if style.stroke or shadow.glows:
        pen.setStyle(skia.Paint.kStrokeAndFill_Style if style.fill else skia.Paint.kStroke_Style)
        pen.setStrokeWidth(style.width or 0.08)
        pen.setStrokeJoin(skia.Paint.kRound_Join)
    for line in block.lines:
        for glyph in line.glyphs:
            _paint_glyph(target, block, glyph, pen)
    target.restore()


def _paint_glyphs(target: skia.Canvas, block: Block, style: TextStyle) -> None:
    pens = []
    if style.stroke:
        edge = skia.Paint(AntiAlias=True, Color=_argb(style.stroke.rgb), Style=skia.Paint.kStroke_Style)
        edge.setStrokeWidth(style.width)
        edge.setStrokeJoin(skia.Paint.kRound_Join)  # a mitre would reach beyond half the width
        if style.fill is None:
            edge.setStrokeWidth(style.width * block.size)
            for path in united_outlines(block):
                target.drawPath(path, edge)
            return
        pens.append(edge)
    if style.fill and not style.to:
        pens.append(skia.Paint(AntiAlias=True, Color=_argb(style.fill.rgb)))
    for pen in pens:
        for line in block.lines:
            for glyph in line.glyphs:
                _paint_glyph(target, block, glyph, pen)
    if style.fill and style.to:
        shader = _gradient(block.box, [_argb(style.fill.rgb), _argb(style.to.rgb)], style.angle)
        target.drawPath(outlines(block), skia.Paint(AntiAlias=True, Shader=shader))


def _paint_glyph(target: skia.Canvas, block: Block, glyph: PlacedGlyph, pen: skia.Paint) -> None:
    """One glyph's outline at its pen position."""
    if glyph.bounds is None:
        return
    target.save()
    target.translate(glyph.x, glyph.y)
    if glyph.angle:
        target.rotate(glyph.angle)
    target.scale(block.size, block.size)
    target.drawPath((glyph.face or block.face).outline(glyph.id), pen)
    target.restore()


def _paint_picture(target: skia.Canvas, layer: PictureLayer) -> None:
    target.save()
    if layer.clip:
        target.clipPath(_polygon(tuple(v for point in layer.clip for v in point)), doAntiAlias=True)
    pen = skia.Paint(AntiAlias=True, Alphaf=layer.alpha, BlendMode=_BLENDS[layer.blend])
    if layer.bend:
        _paint_bent(target, _image(layer.pixels), layer.matrix, layer.bend, pen)
        target.restore()
        return
    target.concat(_skia(layer.matrix))
    target.drawImage(_image(layer.pixels), 0, 0, _SMOOTH, pen)
    target.restore()


def _paint_shape(target: skia.Canvas, layer: ShapeLayer) -> None:
    target.save()
    target.concat(_skia(layer.matrix))
    for style, rgb in ((skia.Paint.kFill_Style, layer.fill), (skia.Paint.kStroke_Style, layer.stroke)):
        if rgb is None:
            continue
        pen = skia.Paint(AntiAlias=True, Style=style, StrokeWidth=layer.width, Color=_argb(rgb))
        if layer.to and style == skia.Paint.kFill_Style:
            pen.setShader(_gradient(_box(layer), [_argb(rgb), _argb(layer.to)], 90))
        if layer.blur:
            pen.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, layer.blur))
        if layer.dash:
            pen.setPathEffect(skia.DashPathEffect.Make(list(layer.dash), 0))
        pen.setAlphaf(layer.alpha)
        pen.setBlendMode(_BLENDS[layer.blend])
        target.drawPath(_shape(layer), pen)
    target.restore()


def _paint_outline(target: skia.Canvas, layer: OutlineLayer) -> None:
    target.save()
    target.translate(*layer.at)
    target.scale(layer.size, layer.size)
    target.drawPath(layer.path, skia.Paint(AntiAlias=True, Color=_argb(layer.fill)))
    target.restore()


def _shape(layer: ShapeLayer) -> skia.Path:
    path = skia.Path()
    if layer.kind == "rect":
        path.addRoundRect(skia.Rect.MakeLTRB(*layer.points), layer.radius, layer.radius)
    elif layer.kind == "ellipse":
        path.addOval(skia.Rect.MakeLTRB(*layer.points))
    else:
        path = _polygon(layer.points, close=layer.kind == "polygon")
    return path


def _polygon(points: tuple[float, ...], close: bool = True) -> skia.Path:
    return skia.Path.Polygon([skia.Point(*points[i : i + 2]) for i in range(0, len(points), 2)], close)


def _box(layer: ShapeLayer) -> tuple[float, float, float, float]:
    xs, ys = layer.points[::2], layer.points[1::2]
    return min(xs), min(ys), max(xs), max(ys)


def _image(pixels: np.ndarray) -> skia.Image:
    """A picture for Skia; those of read-only tiles are kept, and with them their reduced copies."""
    known = _kept.get(id(pixels))
    if known and known[0] is pixels:
        return known[1]
    alpha = pixels[..., 3:] if pixels.shape[2] == 4 else np.full((*pixels.shape[:2], 1), 255, np.uint8)
    rgba = np.concatenate((pixels[..., :3], alpha), axis=2)
    image = skia.Image.fromarray(rgba, skia.kRGBA_8888_ColorType, skia.kUnpremul_AlphaType)
    if pixels.base is None and not pixels.flags.writeable and len(_kept) < _MAX_KEPT:  # not the view of a photograph
        _kept[id(pixels)] = (pixels, image)
    return image


_MAX_KEPT = 64  # tiles of ``textures``, 1 MB each
_kept: dict[int, tuple[np.ndarray, skia.Image]] = {}


def _skia(matrix: Matrix) -> skia.Matrix:
    return skia.Matrix(matrix.ravel().tolist())


def _argb(rgb: RGB) -> int:
    return skia.Color(*rgb)
