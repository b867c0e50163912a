"""Letters that are more than a flat fill: neon, engraved, embossed, stencil, brush, foil, and letters with sides.

Each is drawn from back to front: what stands out around the letters (light, sides, lit edges), then the letters. All colors come from the style's fill, so that a text in another color keeps its finish. The light comes from the upper
left. Lengths in em (chosen, by looking at texts of 28 to 200 px).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache

import numpy as np
import skia

from synth.drawing.colors import RGB
from synth.drawing.outlines import bridges, outlines
from synth.drawing.style import Finish, TextStyle, foil_shades, mixed, side_rgb
from synth.typeset.block import Block

_WHITE, _BLACK = (255, 255, 255), (0, 0, 0)
_EDGE = 0.03  # a lit or dark edge of what is carved or raised
_ROUGH = (0.05, 0.012)  # a brush's edge: length of a piece, how far it strays
_STREAKS = (64, 512)  # cells of a brush's trace, over all of the text


def paint_finished(target: skia.Canvas, style: TextStyle, block: Block) -> None:
    """Draw letters that have a finish."""
    assert style.finish is not None
    _PAINTERS[style.finish](target, style, block, outlines(block))


def _neon(target: skia.Canvas, style: TextStyle, block: Block, path: skia.Path) -> None:
    """A tube in its own light: nearly white within, the color at its edges."""
    rgb = _rgb(style)
    for sigma, alpha in ((0.22, 0.55), (0.06, 0.9)):
        target.drawPath(path, _pen(rgb, alpha, sigma * block.size))
    target.drawPath(path, _pen(rgb))
    core = _pen(mixed(rgb, _WHITE, 0.45))
    core.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kInner_BlurStyle, 0.03 * block.size))
    target.drawPath(path, core)


def _engraved(target: skia.Canvas, style: TextStyle, block: Block, path: skia.Path) -> None:
    """The upper left edge throws its shadow onto the ground of the letters, the lower right one is lit."""
    _draw_at(target, path, (0.7 * _EDGE * block.size,) * 2, _pen(_WHITE, 0.35, 0.3 * _EDGE * block.size))
    target.drawPath(path, _pen(_rgb(style)))
    _inside(target, path, (1.3 * _EDGE * block.size,) * 2, _pen(_BLACK, 0.5, 0.6 * _EDGE * block.size))


def _embossed(target: skia.Canvas, style: TextStyle, block: Block, path: skia.Path) -> None:
    """The upper left edge is lit, the lower right one is in the shade."""
    around, edge, blur = (part * _EDGE * block.size for part in (1.0, 0.8, 0.4))
    _draw_at(target, path, (around, around), _pen(_BLACK, 0.5, blur))
    _draw_at(target, path, (-0.7 * around, -0.7 * around), _pen(_WHITE, 0.7, blur))
    target.drawPath(path, _pen(_rgb(style)))
    _inside(target, path, (-edge, -edge), _pen(_BLACK, 0.45, blur))
    _inside(target, path, (edge, edge), _pen(_WHITE, 0.6, blur))


def _stencil(target: skia.Canvas, style: TextStyle, block: Block, path: skia.Path) -> None:
    target.save()
    for bridge in bridges(block):
        target.clipPath(bridge, skia.ClipOp.kDifference, True)
    target.drawPath(path, _pen(_rgb(style)))
    target.restore()


def _brush(target: skia.Canvas, style: TextStyle, block: Block, path: skia.Path) -> None:
    """Rough edges, and streaks in which the bristles ran dry."""
    x0, y0, x1, y1 = block.box
    size, (rows, columns) = block.size, _STREAKS
    target.saveLayer(skia.Rect.MakeLTRB(x0 - size, y0 - size, x1 + size, y1 + size), None)
    pen = _pen(_rgb(style))
    pen.setPathEffect(skia.DiscretePathEffect.Make(_ROUGH[0] * size, _ROUGH[1] * size, style.grain))
    target.drawPath(path, pen)
    # Streaks of a twentieth of an em, whatever the size of the text.
    fit = skia.Matrix.Scale(6 * size / columns, 3.2 * size / rows).postTranslate(x0, y0)
    shader = _streaks(style.grain).makeShader(
        skia.TileMode.kMirror, skia.TileMode.kMirror, skia.SamplingOptions(skia.FilterMode.kLinear), fit
    )
    target.drawPaint(skia.Paint(Shader=shader, BlendMode=skia.BlendMode.kDstIn))
    target.restore()


@lru_cache(8)
def _streaks(grain: int) -> skia.Image:
    """Coverage of a dry brush: rows of noise that is long in the direction of the stroke."""
    rng = np.random.Generator(np.random.PCG64(grain))
    rows, columns = _STREAKS
    noise = rng.random((rows, columns + 96), dtype=np.float32)
    run = np.cumsum(noise, axis=1)
    long = (run[:, 96:] - run[:, :-96]) / 96  # a mean over 96 cells: spread 0.03 around a half
    wet = rng.random((rows, 1), dtype=np.float32)
    dry = np.clip(0.5 + 14 * (long - 0.5) + 1.6 * (wet - 0.18), 0.25, 1)
    alpha = (255 * dry).astype(np.uint8)
    pixels = np.repeat(alpha[..., None], 4, axis=2)
    return skia.Image.fromarray(pixels, skia.kRGBA_8888_ColorType, skia.kPremul_AlphaType)


def _extruded(target: skia.Canvas, style: TextStyle, block: Block, path: skia.Path) -> None:
    dx, dy = (length * block.size for length in style.depth)
    steps = max(2, math.ceil(2 * math.hypot(dx, dy)))  # half a pixel apart
    side = _pen(side_rgb(_rgb(style)))
    for step in range(steps, 0, -1):
        _draw_at(target, path, (dx * step / steps, dy * step / steps), side)
    target.drawPath(path, _pen(_rgb(style)))


def _foil(target: skia.Canvas, style: TextStyle, block: Block, path: skia.Path) -> None:
    """Bands of light across the text, as a crumpled metal reflects them."""
    x0, y0, *_ = block.box
    dark, bright = foil_shades(_rgb(style))
    shades = (dark, _rgb(style), bright, _rgb(style), dark)
    reach = 1.6 * block.size  # of one band
    turn = math.radians(style.angle)
    ends = [skia.Point(x0, y0), skia.Point(x0 + reach * math.cos(turn), y0 + reach * math.sin(turn))]
    shader = skia.GradientShader.MakeLinear(
        points=ends, colors=[skia.Color(*rgb) for rgb in shades], mode=skia.TileMode.kMirror
    )
    target.drawPath(path, skia.Paint(AntiAlias=True, Shader=shader))


_PAINTERS: dict[Finish, Callable[[skia.Canvas, TextStyle, Block, skia.Path], None]] = {
    "neon": _neon,
    "engraved": _engraved,
    "embossed": _embossed,
    "stencil": _stencil,
    "brush": _brush,
    "extruded": _extruded,
    "foil": _foil,
}


def _inside(target: skia.Canvas, path: skia.Path, offset: tuple[float, float], pen: skia.Paint) -> None:
    """What surrounds the letters, moved by ``offset``, where it comes to lie on them."""
    around = skia.Path(path)
    around.toggleInverseFillType()
    around.offset(*offset)
    target.save()
    target.clipPath(path, skia.ClipOp.kIntersect, True)
    target.drawPath(around, pen)
    target.restore()


def _draw_at(target: skia.Canvas, path: skia.Path, offset: tuple[float, float], pen: skia.Paint) -> None:
    target.save()
    target.translate(*offset)
    target.drawPath(path, pen)
    target.restore()


def _rgb(style: TextStyle) -> RGB:
    assert style.fill is not None  # hollow letters have no finish
    return style.fill.rgb


def _pen(rgb: RGB, alpha: float = 1.0, blur: float = 0.0) -> skia.Paint:
    pen = skia.Paint(AntiAlias=True, Color=skia.Color(*rgb), Alphaf=alpha)
    if blur:
        pen.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, blur))
    return pen
