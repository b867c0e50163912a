"""What lets a medium or a text share the light of the photograph it is set into: shadow, shade, grain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

import numpy as np
from PIL import Image

from synth.drawing.bend import Bend
from synth.drawing.colors import RGB, Color, keeps_name, tint_of
from synth.drawing.layers import Light, PictureLayer, ShapeLayer
from synth.geometry import Box, Matrix
from synth.strategies.scene.carrier import Carrier

_DEEPEST = 0.7  # chosen: of its light a text never loses more


def shadow_layers(
    carrier: Carrier, width: float, height: float, matrix: Matrix, rng: np.random.Generator
) -> list[ShapeLayer]:
    """The soft shadow under a medium; none where it casts none."""
    if not carrier.shadow:
        return []
    dx, dy = rng.uniform(-1, 1) * carrier.shadow, rng.uniform(0.3, 1.2) * carrier.shadow
    return [
        ShapeLayer(
            "rect",
            (dx, dy, width + dx, height + dy),
            fill=(0, 0, 0),
            alpha=0.5,
            blur=carrier.shadow,
            radius=carrier.radius,
            matrix=matrix,
        )
    ]


def veil_layer(tint: RGB, width: float, height: float, matrix: Matrix, radius: float) -> ShapeLayer:
    """A light over the whole box of a medium."""
    return ShapeLayer("rect", (0, 0, width, height), fill=tint, blend="multiply", radius=radius, matrix=matrix)


def tinted(layer: ShapeLayer | PictureLayer, tint: RGB) -> ShapeLayer | PictureLayer:
    """A part of a medium in a light, for media that fill less than their box."""
    if isinstance(layer, ShapeLayer):
        fill, to, stroke = (color and veiled(color, tint) for color in (layer.fill, layer.to, layer.stroke))
        return replace(layer, fill=fill, to=to, stroke=stroke)
    pixels = layer.pixels.copy()
    pixels[..., :3] = (pixels[..., :3] * (np.array(tint, np.uint16) + 1) >> 8).astype(np.uint8)
    return replace(layer, pixels=pixels)


def tint_near(pixels: np.ndarray, corners: np.ndarray) -> RGB:
    """The light of what lies around a medium: darker in a dark picture and warm in a warm one."""
    h, w = pixels.shape[:2]
    x0, y0 = np.clip(corners.min(axis=0), 0, (w - 2, h - 2)).astype(int)
    x1, y1 = np.clip(corners.max(axis=0), 2, (w, h)).astype(int)
    mean = pixels[y0 : max(y1, y0 + 1) : 4, x0 : max(x1, x0 + 1) : 4].reshape(-1, 3).mean(axis=0)
    return tint_of(mean)


def veiled(rgb: RGB, tint: RGB) -> RGB:
    """A color in a light."""
    red, green, blue = (round(channel * shade / 255) for channel, shade in zip(rgb, tint, strict=True))
    return (red, green, blue)


def light_in(pixels: np.ndarray, box: Box) -> Light:
    """How bright the photograph is in ``box``, against its bright parts there: shades and grain of the surface."""
    x0, y0, x1, y1 = (int(v) for v in box)
    part = np.asarray(Image.fromarray(np.ascontiguousarray(pixels[y0:y1, x0:x1])).convert("L"))
    bright = float(np.percentile(part[::4, ::4], 90)) or 1.0
    scale = np.clip(np.arange(256) / bright, _DEEPEST, 1.0)
    return Light(np.rint(255 * scale).astype(np.uint8)[part], (x0, y0))


def light_for(light: Light | None, colors: Sequence[Color]) -> Light | None:
    """The light with its shades no deeper than ``colors`` bear: in them each is still what it is called."""
    if light is None:
        return None
    floor = max(map(_deepest, colors))
    return Light(np.maximum(light.pixels, floor), light.at) if floor else light


def bend_for(bend: Bend | None, colors: Sequence[Color]) -> Bend | None:
    """The bend with its shades no deeper than ``colors`` bear."""
    return replace(bend, darkest=max(_DEEPEST, max(map(_deepest, colors)) / 255)) if bend else None


def bears(bend: Bend | None, color: Color) -> bool:
    """Whether a color keeps its name in the shades of a bend."""
    return bend is None or _deepest(color) / 255 <= bend.darkest


@lru_cache(maxsize=256)
def _deepest(color: Color) -> int:
    """The deepest light, of 255, in which and above which a color keeps its name."""
    lights = range(int(255 * _DEEPEST), 256, 3)
    return next((n + 3 for n in reversed(lights) if not keeps_name(color, n / 255)), 0)
