"""Pixels: a ground, and outlines filled on it. Nothing here chooses; everything was placed before."""

from __future__ import annotations

import math

import numpy as np
import skia
from PIL import Image

from synth.colors import RGB, Ground
from synth.layout import Block, PlacedGlyph


def paint(canvas: tuple[int, int], ground: Ground, block: Block, ink: RGB) -> Image.Image:
    """The block in one colour on its ground: RGB of ``canvas`` (w, h) px."""
    pixels = np.zeros((canvas[1], canvas[0], 4), np.uint8)
    surface = skia.Surface(pixels, colorType=skia.kRGBA_8888_ColorType)  # draws straight into ``pixels``
    target = surface.getCanvas()
    paint_ground(target, canvas, ground)
    for line in block.lines:
        for glyph in line.glyphs:
            paint_glyph(target, block, glyph, ink)
    return Image.fromarray(pixels).convert("RGB")  # opaque everywhere: nothing is blended away


def paint_ground(target: skia.Canvas, canvas: tuple[int, int], ground: Ground) -> None:
    """Fill the canvas with a colour, or with a gradient that runs from corner to corner or edge to edge."""
    colors = [_argb(c.rgb) for c in ground.colors]
    if len(colors) == 1:
        target.clear(colors[0])
        return
    w, h = canvas
    turn = math.radians(ground.angle)
    reach = (abs(w * math.cos(turn)) + abs(h * math.sin(turn))) / 2
    dx, dy = math.cos(turn) * reach, math.sin(turn) * reach
    ends = [skia.Point(w / 2 - dx, h / 2 - dy), skia.Point(w / 2 + dx, h / 2 + dy)]
    target.drawPaint(skia.Paint(Shader=skia.GradientShader.MakeLinear(points=ends, colors=colors)))


def paint_glyph(target: skia.Canvas, block: Block, glyph: PlacedGlyph, ink: RGB) -> None:
    """Fill one glyph's outline at its pen position."""
    if glyph.ink is None:
        return
    target.save()
    target.translate(glyph.x, glyph.y)
    target.scale(block.size, block.size)
    target.drawPath(block.face.outline(glyph.id), skia.Paint(AntiAlias=True, Color=_argb(ink)))
    target.restore()


def _argb(rgb: RGB) -> int:
    return skia.Color(*rgb)
