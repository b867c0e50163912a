"""The scene strategy (report, section on text-aware synthesis, "compositional rendering"): text in a photograph.

    photograph ──> a flat place ──> perspective ──┬─ text straight on the picture, lit by it
                                                  └─ a medium with a shadow, text on the medium

Text straight on the photograph takes a flat, low-texture place (integral images of the gradient) and a color that
stands off both its dark and its light parts. A picture in which the text can hardly be seen is thrown away.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np
from PIL import Image, ImageFilter

from configs.renamed import to_first_names
from synth.choice import check_weights, choose_key
from synth.content.base import Text
from synth.drawing.colors import PALETTE, RGB, Color, Ground, contrast
from synth.drawing.layers import Drawing, Layer, Light, PictureLayer, TextLayer
from synth.drawing.paint import paint_twice
from synth.drawing.style import TextStyle
from synth.errors import Undrawable
from synth.fonts.source import FontFile
from synth.geometry import Box, Matrix, apply, from_box, rotation
from synth.photos import Backdrop, Photos, PhotoSource
from synth.strategies.base import Composition, DrawRequest, Strategy, joint_text
from synth.strategies.context import ShapedText
from synth.strategies.scene.flat_areas import covered, find_flat_box
from synth.strategies.scene.lighting import light_for, light_in, shade_layer, shadow_layers, veiled
from synth.strategies.scene.media import MEDIA, find_medium, placed

_DARK_TO_LIGHT = (
    0.04,
    0.25,
    0.5,
    0.75,
    0.96,
)  # chosen: quantiles of the luminance behind text; it must stand off the ends
_MIN_OF_BEST = 0.55  # chosen: colors with less than this fraction of the place's best contrast are not used there
_BY_HAND = 0.7  # chosen: fraction of the texts on handwritten media that take a handwriting font, where one covers them
_MAX_COVERED = 0.05  # chosen: fraction of a subject of the photograph that a medium may hide
_SIZES, _PLACES = 8, 6  # chosen: sizes tried for a medium, from large to small, and places of each
_MOST = 3  # chosen: texts of a picture with several
_SMALLER = 0.6  # chosen: what several media are made smaller by
_TRIES = 3  # chosen: further texts that are tried for a place
_SMALLEST = 0.4  # chosen: fraction of its size to which a medium shrinks beside a subject
VISIBLE = 32.0  # chosen: gray levels by which ink must differ, on average, from the picture without it


@dataclass(frozen=True)
class SceneStrategy(Strategy):
    """``media``: weights of the media of ``synth.strategies.scene.media``, and of your own by package.module:NAME; "none"
    writes straight on the photograph.

    ``perspective``: how far corners move, of the shorter side. ``turn``: degrees. ``size``: of a medium, of the canvas.
    ``several``: fraction of the pictures in which two or three texts are tried for, each in a place of its own.
    """

    kind: Literal["scene"]
    photos: tuple[PhotoSource, ...]
    media: dict[str, float] = field(default_factory=lambda: {"none": 3.0} | dict.fromkeys(MEDIA, 1.0))
    perspective: tuple[float, float] = (0.0, 0.1)
    turn: tuple[float, float] = (-10.0, 10.0)
    size: tuple[float, float] = (0.5, 0.9)
    blurred: float = 0.35  # of the pictures with a medium have a soft background
    several: float = 0.0
    contrast: float = 3.0  # least WCAG contrast of text to the dark and to the light parts behind it

    def __post_init__(self) -> None:
        check_weights("media", self.media)
        for key in sorted(set(self.media) - {"none"}):
            try:
                find_medium(key)
            except ValueError as error:
                raise ValueError(f"media: {error}") from None
        if not 0 <= self.perspective[0] <= self.perspective[1] <= 0.25:
            raise ValueError(f"perspective must be [low, high] within 0..0.25, found {list(self.perspective)}")
        if not 0.2 <= self.size[0] <= self.size[1] <= 1:
            raise ValueError(f"size must be [low, high] within 0.2..1, found {list(self.size)}")
        if not 0 <= self.several <= 1:
            raise ValueError(f"several must be within 0..1, found {self.several:g}")
        if not self.photos:
            raise ValueError("photos must hold at least one source")

    def open(self) -> SceneDrawer:
        return SceneDrawer(self, Photos(self.photos, "strategy.photos"))


@dataclass(frozen=True, eq=False)
class SceneDrawer:
    """The scene strategy with its photographs found."""

    strategy: SceneStrategy
    photos: Photos

    def draw(self, request: DrawRequest) -> Composition:
        """A block of text in a photograph, or a few. Raises Undrawable where no place suits it, or it can hardly be seen."""
        rng = request.rng
        text, canvas = request.text(), request.canvas()
        several = bool(self.strategy.several) and rng.random() < self.strategy.several
        shaped_text = request.context.shape(text, request.layout, rng)
        backdrop = self.photos.choose(canvas, rng)
        placed = _several(request, self.strategy, backdrop, text, shaped_text) if several else []
        placed = placed or [_set(request, self.strategy, backdrop, text, shaped_text, None)]
        main = next(each for each in placed if each.text is text)
        behind = [
            *main.place.behind,
            *(layer for each in placed if each is not main for layer in each.place.behind[1:]),
        ]
        drawing = Drawing(canvas, (*behind, *(each.layer for each in placed)))
        image, bare = paint_twice(drawing)
        check_visible(drawing, image, bare)
        place = main.place
        return Composition(
            joint_text([each.text for each in placed]),
            tuple(each.font for each in placed),
            drawing,
            image,
            Ground(place.ground) if place.ground and len(placed) == 1 else None,
            place.medium,
            backdrop=backdrop,
            media=tuple(each.place.medium for each in placed) if len(placed) > 1 else (),
        )

    def identity(self) -> dict[str, Any]:
        """The config with the photographs' contents in place of where they lie."""
        return to_first_names(self.strategy) | {"photos": [self.photos.digest, self.photos.weights]}


@dataclass(frozen=True, eq=False)
class Place:
    """Where text goes: a flat box of ``size`` (w, h) px, what takes it to the canvas, what lies under it."""

    size: tuple[int, int]
    matrix: Matrix
    behind: tuple[Layer, ...]
    colors: tuple[Color, ...]  # that may be used for text
    ground: tuple[Color, ...]  # that a caption may name; empty for a photograph
    shades: tuple[RGB, ...]  # what the ground shows, as it is lit
    medium: str | None
    light: Light | None
    handwritten: bool
    corners: np.ndarray  # (4, 2) px of the canvas, around the medium or the place


@dataclass(frozen=True, eq=False)
class _Set:
    """A text where it stands. ``box``: what it and its medium take of the canvas."""

    text: Text
    font: FontFile
    place: Place
    layer: TextLayer

    @property
    def box(self) -> Box:
        xs, ys = self.place.corners.T.tolist()
        left, top, right, bottom = self.layer.bounds()
        return min(*xs, left), min(*ys, top), max(*xs, right), max(*ys, bottom)


def _set(
    request: DrawRequest,
    strategy: SceneStrategy,
    backdrop: Backdrop,
    text: Text,
    shaped_text: ShapedText,
    taken: Sequence[Box] | None,
) -> _Set:
    """The text in a place that shares nothing with the boxes ``taken`` by others, None for one that is alone. Raises
    Undrawable."""
    context, rng, layout = request.context, request.rng, request.layout
    place = find_place(strategy, backdrop, shaped_text.aspect(rng), rng, taken or ())
    if place.size[0] > place.size[1]:
        shaped_text = shaped_text.horizontal()
    if place.handwritten and rng.random() < _BY_HAND:
        shaped_text = context.by_hand(shaped_text, rng)
    block, matrix = context.arrange(shaped_text, place.size, layout, rng)
    color = place.colors[int(rng.integers(len(place.colors)))]
    style = context.style(block, color, place.shades, rng)
    if taken is not None and style.to:  # captions of several texts name one color for each
        style = TextStyle(color)
    light = light_for(place.light, style.named)
    layer = TextLayer(block, style, place.matrix @ matrix, light=light, one_word=shaped_text.one)
    return _Set(text, shaped_text.font, place, layer)


def _several(
    request: DrawRequest, strategy: SceneStrategy, backdrop: Backdrop, text: Text, shaped_text: ShapedText
) -> list[_Set]:
    """The text and others of the same content, from top to bottom, on smaller media; none where there is no room for two."""
    strategy, rng = _with_smaller_media(strategy), request.rng
    try:
        placed = [_set(request, strategy, backdrop, text, shaped_text, [])]
    except Undrawable:
        return []
    wanted = int(rng.integers(2, _MOST + 1))
    for _ in range(_TRIES):
        if len(placed) == wanted:
            break
        try:
            other = request.other_text()
            shaped_other = request.context.shape(other, request.layout, rng)
            found = _set(request, strategy, backdrop, other, shaped_other, [each.box for each in placed])
        except Undrawable:  # a picture with one text less is as good
            continue
        if covered(np.array(found.box).reshape(2, 2), [each.box for each in placed]) == 0:
            placed.append(found)
    return sorted(placed, key=lambda each: each.box[1] + each.box[3]) if len(placed) > 1 else []


def _with_smaller_media(strategy: SceneStrategy) -> SceneStrategy:
    low, high = strategy.size
    return replace(strategy, size=(max(_SMALLER * low, 0.2), max(_SMALLER * high, 0.2)))


def find_place(
    strategy: SceneStrategy, backdrop: Backdrop, aspect: float, rng: np.random.Generator, taken: Sequence[Box] = ()
) -> Place:
    """A place for text whose width is about ``aspect`` times its height, off the boxes ``taken``. Raises Undrawable."""
    key = choose_key(rng, strategy.media)
    if key == "none":
        return _on_photo(strategy, backdrop, aspect, rng, taken)
    return _on_medium(strategy, backdrop, key, rng, taken)


def _on_medium(
    strategy: SceneStrategy, backdrop: Backdrop, key: str, rng: np.random.Generator, taken: Sequence[Box]
) -> Place:
    medium = find_medium(key)
    aspect = rng.uniform(*medium.aspect)
    width, height, corners = _beside_subjects(strategy, backdrop, aspect, rng, taken)
    carrier = medium.draw(width, height, rng)
    matrix = from_box(width, height, [(float(x), float(y)) for x, y in corners])
    pixels = backdrop.pixels
    if not taken and rng.random() < strategy.blurred:  # the photograph is that of the first text
        pixels = np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(0.006 * backdrop.canvas[0])))
    behind: list[Layer] = [PictureLayer(pixels)]
    behind += shadow_layers(carrier, width, height, matrix, rng)
    behind += [placed(layer, matrix) for layer in carrier.layers]
    shades = (carrier.ground[0].rgb, *carrier.shades)
    if carrier.lit:
        veil = shade_layer(backdrop.pixels, corners, width, height, matrix, carrier.radius)
        behind.append(veil)
        shades = tuple(veiled(shade, veil) for shade in shades)
    x0, y0, x1, y1 = carrier.room
    inner = matrix @ np.array([[1.0, 0, x0], [0, 1, y0], [0, 0, 1]])
    size = (int(x1 - x0), int(y1 - y0))
    if min(size) < 12:
        raise Undrawable(f"the {medium.en} leaves {size[0]} x {size[1]} px for text")
    inks = [PALETTE[name] for name in carrier.inks]
    colors = tuple(c for c in inks if contrast(c.rgb, shades[0]) >= strategy.contrast)
    if not colors:
        raise Undrawable(f"no ink stands off the {medium.en}")
    return Place(size, inner, tuple(behind), colors, carrier.ground, shades, key, None, medium.handwritten, corners)


def _beside_subjects(
    strategy: SceneStrategy, backdrop: Backdrop, aspect: float, rng: np.random.Generator, taken: Sequence[Box]
) -> tuple[float, float, np.ndarray]:
    """Width, height and (4, 2) corners, px, of a medium that hides none of the photograph's subjects and of ``taken``."""
    w, h = backdrop.canvas
    full = rng.uniform(*strategy.size) * min(w, h * aspect)
    for shrink in np.repeat(np.linspace(1.0, _SMALLEST, _SIZES), _PLACES):
        width, height = full * shrink, full * shrink / aspect
        corners = _place_corners(width, height, (w, h), strategy, rng)
        if covered(corners, backdrop.subjects) <= _MAX_COVERED and covered(corners, taken) == 0:
            return width, height, corners
    raise Undrawable("the photograph's subject leaves no place for this medium")


def _on_photo(
    strategy: SceneStrategy, backdrop: Backdrop, aspect: float, rng: np.random.Generator, taken: Sequence[Box]
) -> Place:
    box = find_flat_box(backdrop.cells, backdrop.canvas, aspect, rng, [*backdrop.subjects, *taken])
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    corners = _place_corners(0.94 * width, 0.94 * height, (width, height), strategy, rng, gentle=True)
    corners += np.array((x0, y0))
    matrix = from_box(width, height, [(float(x), float(y)) for x, y in corners])
    part = backdrop.colors(box)
    order = np.argsort(part @ (0.2126, 0.7152, 0.0722))
    found = [part[order[int(q * (len(order) - 1))]] for q in _DARK_TO_LIGHT]
    shades = tuple((int(c[0]), int(c[1]), int(c[2])) for c in found)
    apart = {c: min(contrast(c.rgb, end) for end in (shades[0], shades[-1])) for c in PALETTE.values()}
    min_contrast = max(strategy.contrast, _MIN_OF_BEST * max(apart.values()))
    light = light_in(backdrop.pixels, box)
    colors = tuple(c for c, ratio in apart.items() if ratio >= min_contrast)
    if not colors:
        raise Undrawable("no color stands off this part of the photograph")
    size, behind = (int(width), int(height)), (PictureLayer(backdrop.pixels),)
    return Place(size, matrix, behind, colors, (), shades, None, light, False, corners)


def _place_corners(
    width: float,
    height: float,
    room: tuple[float, float],
    strategy: SceneStrategy,
    rng: np.random.Generator,
    gentle: bool = False,
) -> np.ndarray:
    """(4, 2) corners, px, of a box of ``width`` x ``height`` turned and put into perspective, wholly inside ``room``."""
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


def check_visible(drawing: Drawing, image: Image.Image, behind: np.ndarray) -> None:
    """Raise Undrawable unless each text changes its pixels enough to be seen."""
    w, h = drawing.canvas
    for layer in drawing.texts:
        x0, y0, x1, y1 = layer.bounds()
        x0, y0, x1, y1 = max(int(x0), 0), max(int(y0), 0), min(int(x1) + 1, w), min(int(y1) + 1, h)
        without = Image.fromarray(np.ascontiguousarray(behind[y0:y1, x0:x1])).convert("L")
        after, before = (np.asarray(gray, np.int16) for gray in (image.crop((x0, y0, x1, y1)).convert("L"), without))
        change = np.abs(after - before)
        ink = change > 8
        if not ink.any() or change[ink].mean() < VISIBLE:
            raise Undrawable("the text can hardly be seen on this photograph")
