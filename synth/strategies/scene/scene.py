"""The scene strategy (report, section on text-aware synthesis, "compositional rendering"): text in a photograph.

    photograph ──> a flat place ──> perspective ──┬─ text straight on the picture, lit by it
                                                  └─ a medium with a shadow, text on the medium

Text straight on the photograph takes a flat, low-texture place (integral images of the gradient) and a colour that
stands off both its dark and its light parts. What cannot be seen in the pixels at the end is thrown away.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from PIL import Image, ImageFilter

from synth.choice import check_shares, choose_key
from synth.drawing.colors import PALETTE, Color, Ground, contrast, opposite
from synth.drawing.layers import Drawing, Layer, Light, PictureLayer, ShapeLayer, TextLayer
from synth.drawing.paint import paint_twice
from synth.errors import Undrawable
from synth.geometry import Box, Matrix, apply, from_box, rotation
from synth.photos import Backdrop, PhotoSource
from synth.strategies.base import Composition, RenderContext, ShapedText
from synth.strategies.scene.flat_areas import find_flat_box
from synth.strategies.scene.media import MEDIA, Carrier, placed
from synth.typeset.layout import LayoutConfig, arrange

DARK_TO_LIGHT = 0.04, 0.96  # quantiles of the luminance behind text that it must stand off (ours)
LEAST_OF_BEST = 0.55  # of the best contrast any colour has to a place: others are not used there (ours)
BY_HAND = 0.7  # of the texts on what people write on are in a handwriting face, where one covers them (ours)
VISIBLE = 32.0  # grey levels that ink must differ from the picture without it, on average (ours)


@dataclass(frozen=True)
class SceneStrategy:
    """``media``: shares of the carriers of ``synth.strategies.scene.media``; "none" writes straight on the photograph.

    ``perspective``: how far corners move, of the shorter side. ``turn``: degrees. ``size``: of a medium, of the canvas.
    """

    kind: Literal["scene"]
    photos: tuple[PhotoSource, ...]
    media: dict[str, float] = field(default_factory=lambda: {"none": 3.0} | dict.fromkeys(MEDIA, 1.0))
    perspective: tuple[float, float] = (0.0, 0.1)
    turn: tuple[float, float] = (-10.0, 10.0)
    size: tuple[float, float] = (0.5, 0.9)
    blurred: float = 0.35  # of the pictures with a medium have a soft background
    contrast: float = 3.0  # least WCAG contrast of text to the dark and to the light parts behind it

    def __post_init__(self) -> None:
        check_shares("media", self.media)
        unknown = sorted(set(self.media) - {"none", *MEDIA})
        if unknown:
            raise ValueError(f"media: unknown '{unknown[0]}'; allowed: none, {', '.join(MEDIA)}")
        if not 0 <= self.perspective[0] <= self.perspective[1] <= 0.25:
            raise ValueError(f"perspective must be [low, high] within 0..0.25, found {list(self.perspective)}")
        if not 0.2 <= self.size[0] <= self.size[1] <= 1:
            raise ValueError(f"size must be [low, high] within 0.2..1, found {list(self.size)}")
        if not self.photos:
            raise ValueError("photos must hold at least one source")


@dataclass(frozen=True, eq=False)
class Place:
    """Where text goes: a flat box of ``size`` (w, h) px, what takes it to the canvas, what lies under it."""

    size: tuple[int, int]
    matrix: Matrix
    behind: tuple[Layer, ...]
    colors: tuple[Color, ...]  # that may be used for text
    ground: tuple[Color, ...]  # that a caption may name; empty for a photograph
    medium: str | None
    light: Light | None
    handwritten: bool


def draw(
    tools: RenderContext,
    words: ShapedText,
    strategy: SceneStrategy,
    backdrop: Backdrop,
    layout: LayoutConfig,
    rng: np.random.Generator,
) -> Composition:
    """One block of text in the photograph. Raises Undrawable where no place suits it, or it can hardly be seen."""
    w, h = backdrop.canvas
    place = find_place(strategy, backdrop, words.aspect(rng), rng)
    if place.size[0] > place.size[1]:
        words = words.horizontal()
    if place.handwritten and rng.random() < BY_HAND:
        words = tools.by_hand(words, rng)
    block, matrix = arrange(
        words.shaped, place.size, layout, rng, words.text.wrap, words.curved, tools.effects.stroke_margin
    )
    color = place.colors[int(rng.integers(len(place.colors)))]
    style = tools.style(block, color, place.ground or (opposite(color),), rng)
    layer = TextLayer(block, style, place.matrix @ matrix, light=place.light, one_word=words.one)
    drawing = Drawing((w, h), (*place.behind, layer))
    image, behind = paint_twice(drawing)
    check_visible(drawing, image, behind)
    ground = Ground(place.ground) if place.ground else None
    return Composition(words.text, (words.font,), drawing, image, ground, place.medium, backdrop=backdrop)


def find_place(strategy: SceneStrategy, backdrop: Backdrop, aspect: float, rng: np.random.Generator) -> Place:
    """A place for text whose width is about ``aspect`` times its height. Raises Undrawable where there is none."""
    key = choose_key(rng, strategy.media)
    if key == "none":
        return _on_photo(strategy, backdrop, aspect, rng)
    return _on_medium(strategy, backdrop, key, rng)


def _on_medium(strategy: SceneStrategy, backdrop: Backdrop, key: str, rng: np.random.Generator) -> Place:
    medium = MEDIA[key]
    w, h = backdrop.canvas
    aspect = rng.uniform(*medium.aspect)
    scale = rng.uniform(*strategy.size)
    width = scale * min(w, h * aspect)
    height = width / aspect
    carrier = medium.draw(width, height, rng)
    corners = _thrown(width, height, (w, h), strategy, rng)
    matrix = from_box(width, height, [(float(x), float(y)) for x, y in corners])
    pixels = backdrop.pixels
    if rng.random() < strategy.blurred:
        pixels = np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(0.006 * w)))
    behind: list[Layer] = [PictureLayer(pixels)]
    behind += _shadow(carrier, width, height, matrix, rng)
    behind += [placed(layer, matrix) for layer in carrier.layers]
    if carrier.lit:
        behind.append(_dimmed(backdrop.pixels, corners, width, height, matrix, carrier.radius))
    x0, y0, x1, y1 = carrier.room
    inner = matrix @ np.array([[1.0, 0, x0], [0, 1, y0], [0, 0, 1]])
    size = (int(x1 - x0), int(y1 - y0))
    if min(size) < 12:
        raise Undrawable(f"the {medium.en} leaves {size[0]} x {size[1]} px for text")
    inks = [PALETTE[name] for name in carrier.inks]
    colors = tuple(c for c in inks if contrast(c.rgb, carrier.ground[0].rgb) >= strategy.contrast)
    if not colors:
        raise Undrawable(f"no ink stands off the {medium.en}")
    return Place(size, inner, tuple(behind), colors, carrier.ground, key, None, medium.handwritten)


def _on_photo(strategy: SceneStrategy, backdrop: Backdrop, aspect: float, rng: np.random.Generator) -> Place:
    box = find_flat_box(backdrop.cells, backdrop.canvas, aspect, rng)
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    corners = _thrown(0.94 * width, 0.94 * height, (width, height), strategy, rng, gentle=True)
    corners += np.array((x0, y0))
    matrix = from_box(width, height, [(float(x), float(y)) for x, y in corners])
    part = backdrop.colors(box)
    order = np.argsort(part @ (0.2126, 0.7152, 0.0722))
    dark, light = (part[order[int(q * (len(order) - 1))]] for q in DARK_TO_LIGHT)
    ends = [(int(c[0]), int(c[1]), int(c[2])) for c in (dark, light)]
    apart = {c: min(contrast(c.rgb, end) for end in ends) for c in PALETTE.values()}
    least = max(strategy.contrast, LEAST_OF_BEST * max(apart.values()))
    colors = tuple(c for c, ratio in apart.items() if ratio >= least)
    if not colors:
        raise Undrawable("no colour stands off this part of the photograph")
    light = _light(backdrop.pixels, box)
    return Place((int(width), int(height)), matrix, (PictureLayer(backdrop.pixels),), colors, (), None, light, False)


def _thrown(
    width: float,
    height: float,
    room: tuple[float, float],
    strategy: SceneStrategy,
    rng: np.random.Generator,
    gentle: bool = False,
) -> np.ndarray:
    """(4, 2) corners of a box of ``width`` x ``height`` turned and put into perspective, wholly inside ``room``."""
    strength = rng.uniform(*strategy.perspective) * min(width, height)
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], float)
    corners += rng.uniform(-strength, strength, size=(4, 2))
    degrees = rng.uniform(*strategy.turn) * (0.5 if gentle else 1.0)
    corners = apply(rotation(degrees, (width / 2, height / 2)), corners)
    low, high = corners.min(axis=0), corners.max(axis=0)
    shrink = min(1.0, *((np.array(room) - 4) / (high - low)))
    corners = (corners - low) * shrink
    slack = np.array(room) - 4 - (high - low) * shrink
    return corners + 2 + slack * rng.uniform(0, 1, size=2)


def _shadow(
    carrier: Carrier, width: float, height: float, matrix: Matrix, rng: np.random.Generator
) -> list[ShapeLayer]:
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


def _dimmed(
    pixels: np.ndarray, corners: np.ndarray, width: float, height: float, matrix: Matrix, radius: float
) -> ShapeLayer:
    """The medium in the light of its surroundings: a veil, darker in a dark picture and warm in a warm one."""
    h, w = pixels.shape[:2]
    x0, y0 = np.clip(corners.min(axis=0), 0, (w - 2, h - 2)).astype(int)
    x1, y1 = np.clip(corners.max(axis=0), 2, (w, h)).astype(int)
    mean = pixels[y0 : max(y1, y0 + 1) : 4, x0 : max(x1, x0 + 1) : 4].reshape(-1, 3).mean(axis=0)
    tint = 255 * (0.72 + 0.28 * np.clip(mean / 170, 0, 1))
    rgb = (int(tint[0]), int(tint[1]), int(tint[2]))
    return ShapeLayer("rect", (0, 0, width, height), fill=rgb, blend="multiply", radius=radius, matrix=matrix)


def _light(pixels: np.ndarray, box: Box) -> Light:
    """How bright the photograph is in ``box``, against its bright parts there: shades and grain of the surface."""
    x0, y0, x1, y1 = (int(v) for v in box)
    part = np.asarray(Image.fromarray(np.ascontiguousarray(pixels[y0:y1, x0:x1])).convert("L"))
    bright = float(np.percentile(part[::4, ::4], 90)) or 1.0
    scale = np.clip(np.arange(256) / bright, 0.7, 1.0)
    return Light(np.rint(255 * scale).astype(np.uint8)[part], (x0, y0))


def check_visible(drawing: Drawing, image: Image.Image, behind: np.ndarray) -> None:
    """Raise Undrawable unless the text changes its pixels enough to be seen."""
    w, h = drawing.canvas
    boxes = np.array([layer.bounds() for layer in drawing.texts])
    (x0, y0), (x1, y1) = boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)
    x0, y0, x1, y1 = max(int(x0), 0), max(int(y0), 0), min(int(x1) + 1, w), min(int(y1) + 1, h)
    without = Image.fromarray(np.ascontiguousarray(behind[y0:y1, x0:x1])).convert("L")
    after, before = (np.asarray(grey, np.int16) for grey in (image.crop((x0, y0, x1, y1)).convert("L"), without))
    change = np.abs(after - before)
    ink = change > 8
    if not ink.any() or change[ink].mean() < VISIBLE:
        raise Undrawable("the text can hardly be seen on this photograph")
