"""Things with a shape of their own that carry print: a mug, a can, a bottle, a T-shirt, a flag, an open notebook.

Each is drawn from the same formula as what is printed on it (``synth.drawing.bend``), so print and thing share their
curve and their light. Shapes, proportions and colors are chosen.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import skia

from synth.drawing.bend import Bend, Cloth, Cylinder, Leaf, round_shade
from synth.drawing.colors import RGB, Color, luminance
from synth.drawing.layers import PictureLayer, ShapeLayer
from synth.drawing.textures import SIDE, tile
from synth.geometry import Box, identity, translation
from synth.strategies.scene.carrier import Carrier, any_color, dimmed, inks_on

_SIDE = 0.95  # chosen: radians from the front up to which there is print on something round
_SOFT_BLACK = (27, 27, 30)
_BODIES = ("white", "white", "red", "dark blue", "dark green", "black", "yellow", "light blue", "beige", "pink")
_AROUND = 0.1  # of its size, that a shadow has room for around a thing
_LABELS = ("white", "white", "beige", "light yellow", "red", "dark blue", "black")


def mug(w: float, h: float, rng: np.random.Generator) -> Carrier:
    """A mug with its handle on the right or on the left, half of them with coffee in it."""
    color, drop, sun = _any(rng, _BODIES), rng.uniform(0.14, 0.26), _sun(rng)
    on_left, filled = rng.random() < 0.4, rng.random() < 0.5
    radius = 0.37 * w
    middle = w - radius - 2 if on_left else radius + 2
    top, height = drop * radius + 2, h - 2 * drop * radius - 4
    x, y = _grid(w, h)
    across = (x - middle) / radius
    angle = np.arcsin(np.clip(across, -1, 1))
    front = drop * radius * np.cos(angle)
    picture = _Picture(w, h)
    side = -1 if on_left else 1
    ring = np.hypot((x - middle - side * radius * 0.96) / (0.265 * w), (y - top - 0.5 * height) / (0.31 * height)) - 0.8
    picture.paint(
        np.abs(ring) - 0.17, 0.265 * w, color.rgb, 0.55 + 0.4 * np.sqrt(np.clip(1 - (ring / 0.17) ** 2, 0, 1))
    )
    body = np.maximum(np.abs(across) - 1, np.maximum(top - y, y - top - height - front) / radius)
    foot = 1 - 0.25 * np.clip(1 - (top + height + front - y) / (0.08 * h), 0, 1)
    picture.paint(body, radius, color.rgb, round_shade(angle, sun) * foot)
    rim = np.hypot(across, (y - top) / (drop * radius))
    picture.paint(rim - 1, radius * drop, color.rgb, np.full_like(x, 1.03))
    picture.paint(rim - 0.92, radius * drop, color.rgb, 0.45 + 0.25 * (1 + across) / 2)
    if filled:
        coffee = np.maximum(np.hypot(across, (y - top - 0.55 * drop * radius) / (drop * radius)) - 0.9, rim - 0.92)
        picture.paint(coffee, radius * drop, (70, 40, 20), np.full_like(x, 1.0))
    bend = Cylinder(identity(), radius=radius, middle=middle, top=top, drop=drop, sun=sun)
    room = (-_SIDE * radius, 0.14 * height, _SIDE * radius, 0.86 * height)
    return _standing((picture.layer(),), room, color, bend, h)


def can(w: float, h: float, rng: np.random.Generator) -> Carrier:
    """A tin can whose label goes all the way round."""
    color, drop, sun = _any(rng, (*_BODIES, "orange", "green", "purple")), rng.uniform(0.1, 0.2), _sun(rng)
    radius, middle = 0.5 * w - 2, 0.5 * w
    top, height = drop * radius + 2, h - 2 * drop * radius - 4
    x, y = _grid(w, h)
    across = (x - middle) / radius
    angle = np.arcsin(np.clip(across, -1, 1))
    down = y - top - drop * radius * np.cos(angle)
    picture = _Picture(w, h)
    metal = 0.62 + 0.38 * np.abs(np.sin(2.2 * angle + 0.6))
    body = np.maximum(np.abs(across) - 1, np.maximum(top - y, down - height) / radius)
    picture.paint(body, radius, (214, 216, 220), metal)
    paper = np.maximum(body, np.maximum(0.07 * height - down, down - 0.93 * height) / radius)
    shine = 0.16 * np.exp(-(((angle - sun) / 0.22) ** 2))
    picture.paint(paper, radius, color.rgb, round_shade(angle, sun) + shine)
    lid = np.hypot(across, (y - top) / (drop * radius))
    picture.paint(lid - 1, radius * drop, (225, 226, 230), np.full_like(x, 1.0))
    picture.paint(lid - 0.9, radius * drop, (190, 192, 198), 0.8 + 0.2 * (1 - across) / 2)
    bend = Cylinder(identity(), radius=radius, middle=middle, top=top, drop=drop, sun=sun)
    room = (-_SIDE * radius, 0.16 * height, _SIDE * radius, 0.84 * height)
    return _standing((picture.layer(),), room, color, bend, h)


def bottle(w: float, h: float, rng: np.random.Generator) -> Carrier:
    """A glass bottle with a cap and a paper label."""
    glass = ((28, 70, 44), (92, 52, 22), (60, 96, 120), (178, 200, 206))[int(rng.integers(4))]
    color, drop, sun = _any(rng, _LABELS), rng.uniform(0.08, 0.16), _sun(rng)
    cap = _any(rng, ("black", "dark red", "white", "yellow")).rgb
    radius, middle = 0.5 * w - 2, 0.5 * w
    x, y = _grid(w, h)
    neck, shoulder, body_from = 0.34 * radius, 0.2 * h, 0.38 * h
    rise = np.clip((y - shoulder) / (body_from - shoulder), 0, 1)
    profile = neck + (radius - neck) * (rise * rise * (3 - 2 * rise))
    across = (x - middle) / profile
    angle = np.arcsin(np.clip(across, -1, 1))
    bottom = h - 3 - drop * radius * (1 - np.cos(angle))
    picture = _Picture(w, h)
    whole = np.maximum((np.abs(across) - 1) * profile / radius, np.maximum(0.02 * h - y, y - bottom) / radius)
    light = 0.5 + 0.45 * np.cos(angle) ** 2 + 0.9 * np.exp(-(((across + 0.55) / 0.09) ** 2))
    picture.paint(whole, radius, glass, light + 0.35 * np.exp(-(((across - 0.7) / 0.06) ** 2)))
    in_cap = np.maximum((np.abs(x - middle) - 1.25 * neck) / radius, np.maximum(2 - y, y - 0.075 * h) / radius)
    picture.paint(in_cap, radius, cap, 0.6 + 0.4 * np.cos(np.clip((x - middle) / neck, -1.4, 1.4)))
    top, height = body_from + 0.03 * h, 0.5 * h
    bend = Cylinder(identity(), radius=radius, middle=middle, top=top - drop * radius, drop=drop, sun=sun)
    half = 1.3 * radius
    label = PictureLayer(_label(color, 2 * half, height), translation(-half, 0), bend=bend)
    room = (-0.9 * radius, 0.1 * height, 0.9 * radius, 0.9 * height)
    return _standing((picture.layer(), label), room, color, bend, h)


def shirt(w: float, h: float, rng: np.random.Generator) -> Carrier:
    """A T-shirt from the front, its cloth in soft folds."""
    color = _any(rng, ("white", "white", "black", "dark blue", "red", "gray", "light blue", "dark green", "yellow"))
    outline = skia.Path()
    outline.moveTo(0.37, 0.03)
    for knots in _SHIRT:
        outline.cubicTo(*knots) if len(knots) == 6 else outline.lineTo(*knots)
    outline.close()
    bend = Cloth(identity(), waves=_folds(rng, w))
    inside = _coverage(outline, w, h)
    x, y = _grid(w, h)
    light = bend.shade(np.stack((x.ravel(), y.ravel()), axis=1)).reshape(x.shape) + 0.012 * rng.standard_normal(x.shape)
    edge = np.clip(np.minimum(x - 0.22 * w, 0.78 * w - x) / (0.08 * w), 0, 1)  # the body turns away at its sides
    picture = _Picture(w, h)
    picture.cover(inside, color.rgb, light * (0.86 + 0.14 * edge))
    for path in (_COLLAR, *_SEAMS):
        picture.cover(
            _line(path, w, h, 0.008), color.rgb, np.full_like(x, 0.72 if luminance(color.rgb) > 0.05 else 1.5)
        )
    shadow = skia.Paint(AntiAlias=True, Color=skia.Color(0, 0, 0, 110))
    shadow.setMaskFilter(skia.MaskFilter.MakeBlur(skia.kNormal_BlurStyle, 0.02))
    behind = PictureLayer(
        _drawn(outline, w, h, shadow, (0.01, 0.015), _AROUND), translation(-_AROUND * w, -_AROUND * h)
    )
    layers = (behind, picture.layer())
    return _carrier(layers, (0.27 * w, 0.17 * h, 0.73 * w, 0.58 * h), color, bend, (0.8,))


def flag(w: float, h: float, rng: np.random.Generator) -> Carrier:
    """A flag that flies from a pole on its left."""
    color = _any(rng, ("red", "dark red", "dark blue", "white", "yellow", "dark green", "orange", "blue"))
    pole, height = 0.03 * w, 0.72 * h
    length = 0.9 * w - pole
    down = rng.uniform(0.5, 0.9)
    waves = tuple(
        (2 * math.pi * n / length, down * 2 / height, float(rng.uniform(0, 6.28)), size * w)
        for n, size in ((rng.uniform(1.0, 1.7), 0.018), (rng.uniform(2.2, 3.2), 0.006))
    )
    top = 0.06 * h
    bend = Cloth(translation(0.7 * pole, top), waves=waves, lean=(0.25, 1.1), pinned=0.25 * length)
    cloth = np.empty((max(int(height), 2), max(int(length), 2), 4), np.uint8)
    cloth[..., :3], cloth[..., 3] = color.rgb, 255
    stick = ShapeLayer("rect", (0, 0, pole, 1.1 * h), fill=(120, 96, 70), radius=pole / 2)
    shine = ShapeLayer(
        "rect", (0.2 * pole, 0.02 * h, 0.45 * pole, 1.1 * h), fill=(220, 204, 180), radius=pole / 8, alpha=0.6
    )
    room = (0.08 * length, 0.14 * height, 0.94 * length, 0.86 * height)
    return _carrier((PictureLayer(cloth, bend=bend), stick, shine), room, color, bend, (0.75,))


def notebook(w: float, h: float, rng: np.random.Generator) -> Carrier:
    """An open notebook: its right page is written on, its left one is empty."""
    paper = _any(rng, ("white", "white", "beige", "light yellow"))
    cover = _any(rng, ("dark blue", "dark red", "black", "brown", "dark green")).rgb
    rise = rng.uniform(0.03, 0.05) * h
    width, top, height = 0.48 * w, 0.02 * h + rise, 0.93 * h - rise
    left, right = (Leaf(translation(0, top), width=width, height=rise, gutter=0.5 * w, side=side) for side in (-1, 1))
    page = _page(paper, width, height, int(rng.integers(64)))
    layers: tuple[ShapeLayer | PictureLayer, ...] = (
        ShapeLayer("rect", (0.01 * w, 0.05 * h, 1.03 * w, 1.03 * h), fill=(0, 0, 0), alpha=0.45, blur=0.015 * w),
        ShapeLayer("rect", (0, 0.03 * h, w, h), fill=cover, radius=0.015 * w),
        *(PictureLayer(page, bend=bend) for bend in (left, right)),
    )
    room = (0.12 * width, 0.08 * height, 0.94 * width, 0.94 * height)
    inks = ("black", "dark blue", "dark red", "dark green", "blue")
    return replace(_carrier(layers, room, paper, right, (0.9,)), inks=inks)


_SHIRT: tuple[tuple[float, ...], ...] = (  # of its box: from the left end of the collar clockwise
    (0.42, 0.1, 0.58, 0.1, 0.63, 0.03),
    (0.72, 0.05, 0.77, 0.07, 0.82, 0.11),
    (0.9, 0.2, 0.95, 0.29, 0.99, 0.4),
    (0.83, 0.47),
    (0.8, 0.4, 0.78, 0.37, 0.765, 0.36),
    (0.775, 0.6, 0.775, 0.8, 0.78, 0.97),
    (0.6, 0.99, 0.4, 0.99, 0.22, 0.97),
    (0.225, 0.8, 0.225, 0.6, 0.235, 0.36),
    (0.22, 0.37, 0.2, 0.4, 0.17, 0.47),
    (0.01, 0.4),
    (0.05, 0.29, 0.1, 0.2, 0.18, 0.11),
    (0.23, 0.07, 0.28, 0.05, 0.37, 0.03),
)
_COLLAR = ((0.345, 0.035), (0.41, 0.14, 0.59, 0.14, 0.655, 0.035))
_SEAMS = (
    ((0.245, 0.08), (0.225, 0.2, 0.225, 0.3, 0.235, 0.36)),
    ((0.755, 0.08), (0.775, 0.2, 0.775, 0.3, 0.765, 0.36)),
)


class _Picture:
    """A thing's picture in the making: (h, w, 4) with straight alpha, parts painted over each other."""

    def __init__(self, w: float, h: float) -> None:
        self._rgb = np.zeros((*_shape(w, h), 3), np.float32)  # times alpha
        self._alpha = np.zeros((*_shape(w, h), 1), np.float32)

    def paint(self, outside: np.ndarray, scale: float, rgb: RGB, light: np.ndarray) -> None:
        """A part: ``outside`` is below 0 inside of it and grows by 1 in about ``scale`` px; ``light`` is 1 where its color stays."""
        self.cover(np.clip(0.5 - outside * scale, 0, 1), rgb, light)

    def cover(self, coverage: np.ndarray, rgb: RGB, light: np.ndarray) -> None:
        """A part that covers (h, w) of each px, 0 to 1."""
        covered = coverage.astype(np.float32)[..., None]
        lit = np.clip(light.astype(np.float32)[..., None] * np.array(rgb, np.float32), 0, 255)
        self._rgb += (lit - self._rgb) * covered
        self._alpha += (1 - self._alpha) * covered

    def layer(self) -> PictureLayer:
        pixels = np.concatenate((self._rgb / np.maximum(self._alpha, 1e-6), 255 * self._alpha), axis=2)
        return PictureLayer(np.rint(np.clip(pixels, 0, 255)).astype(np.uint8))


def _shape(w: float, h: float) -> tuple[int, int]:
    return max(int(h), 2), max(int(w), 2)


def _grid(w: float, h: float) -> tuple[np.ndarray, np.ndarray]:
    """The middles of a picture's px, in px of the thing: x and y, (h, w) each."""
    rows, columns = _shape(w, h)
    x, y = np.meshgrid(np.arange(columns) + 0.5, np.arange(rows) + 0.5)
    return x, y


def _any(rng: np.random.Generator, names: tuple[str, ...]) -> Color:
    """One of the colors; black as a lit thing shows it, on which light and shade can still be told."""
    color = any_color(rng, names)
    return Color(color.en, color.zh, _SOFT_BLACK) if color.en == "black" else color


def _sun(rng: np.random.Generator) -> float:
    return float(rng.choice((-1, 1)) * rng.uniform(0.25, 0.7))


def _standing(layers: tuple[PictureLayer, ...], room: Box, color: Color, bend: Cylinder, h: float) -> Carrier:
    """Something round of a height ``h`` that stands, with the soft dark ellipse under it."""
    middle, y, reach = bend.middle, h - bend.drop * bend.radius, 1.12 * bend.radius
    deep = bend.drop * bend.radius
    box = (middle - reach, y - deep, middle + 1.25 * reach, y + 1.15 * deep)
    shadow = ShapeLayer("ellipse", box, fill=(0, 0, 0), alpha=0.55, blur=0.09 * bend.radius)
    lights = round_shade(np.array((-_SIDE, _SIDE)), bend.sun)
    return _carrier((shadow, *layers), room, color, bend, lights.tolist())


def _carrier(
    layers: tuple[ShapeLayer | PictureLayer, ...], room: Box, color: Color, bend: Bend, lights: Sequence[float]
) -> Carrier:
    """Something bent of one color, which is also seen in ``lights``, 1 where it stays."""
    shades = tuple(dimmed(color.rgb, min(light, 1.0)) for light in lights)
    return Carrier(layers, room, (color,), inks_on(color), 0.0, shades=shades, bend=bend, shaped=True)


def _label(color: Color, w: float, h: float) -> np.ndarray:
    """A paper label with a line along its upper and its lower edge."""
    pixels = np.full((max(int(h), 2), max(int(w), 2), 4), 255, np.uint8)
    pixels[..., :3] = color.rgb
    rule, inset = max(int(0.018 * h), 1), max(int(0.045 * h), 1)
    darker = dimmed(color.rgb, 0.6) if luminance(color.rgb) > 0.1 else (200, 176, 110)
    pixels[inset : inset + rule, :, :3] = pixels[-inset - rule : -inset, :, :3] = darker
    return pixels


def _page(paper: Color, w: float, h: float, number: int) -> np.ndarray:
    rows, columns = _shape(w, h)
    grain = tile("paper", number)
    texture = grain[np.arange(rows)[:, None] % SIDE, np.arange(columns)[None] % SIDE].astype(float) / 255
    pixels = np.full((rows, columns, 4), 255, np.uint8)
    pixels[..., :3] = np.rint(texture * paper.rgb)
    return pixels


def _folds(rng: np.random.Generator, w: float) -> tuple[tuple[float, float, float, float], ...]:
    """Soft folds that run down and across: shorter ones are lower."""
    found = []
    for length, size in ((0.75, 0.006), (0.42, 0.0035), (0.27, 0.0025)):
        turn = rng.uniform(-0.9, 0.9)
        step = 2 * math.pi / (length * w)
        found.append((step * math.cos(turn), step * math.sin(turn), float(rng.uniform(0, 6.28)), size * w))
    return tuple(found)


def _coverage(path: skia.Path, w: float, h: float) -> np.ndarray:
    return _drawn(path, w, h, skia.Paint(AntiAlias=True), (0, 0))[..., 3] / 255.0


def _line(points: tuple[tuple[float, ...], ...], w: float, h: float, width: float) -> np.ndarray:
    path = skia.Path()
    path.moveTo(*points[0])
    for curve in points[1:]:
        path.cubicTo(*curve)
    pen = skia.Paint(AntiAlias=True, Style=skia.Paint.kStroke_Style, StrokeWidth=width)
    return _drawn(path, w, h, pen, (0, 0))[..., 3] / 255.0


def _drawn(
    path: skia.Path, w: float, h: float, pen: skia.Paint, shift: tuple[float, float], around: float = 0.0
) -> np.ndarray:
    """(h, w, 4) of a path whose box is 1 x 1, and so much of that around it."""
    rows, columns = _shape(w, h)
    pixels = np.zeros((*_shape(w * (1 + 2 * around), h * (1 + 2 * around)), 4), np.uint8)
    canvas = skia.Surface(pixels, colorType=skia.kRGBA_8888_ColorType).getCanvas()
    canvas.scale(columns, rows)
    canvas.translate(around, around)
    canvas.translate(*shift)
    canvas.drawPath(path, pen)
    return pixels
