"""Where text goes in a photograph: straight on a flat part of it, or on a medium that stands beside its subjects.

photograph, width to height of the text ──find_place──> Place: a flat box, what takes it to the canvas, what lies under it
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, get_args

import numpy as np

from synth.choice import choose_key
from synth.content.base import Text
from synth.corpus.signs import GOODS, Setting
from synth.drawing.bend import Bend
from synth.drawing.colors import PALETTE, RGB, Color, contrast
from synth.drawing.layers import Layer, Light, PictureLayer
from synth.errors import Undrawable
from synth.geometry import Box, Matrix, from_box, translation
from synth.language import is_han
from synth.photo_list import Kind
from synth.photos import Backdrop, Photos
from synth.strategies.context import ShapedText
from synth.strategies.scene.carrier import Medium
from synth.strategies.scene.flat_areas import covered, find_flat_box, sky_under
from synth.strategies.scene.holding import FOOT, Stage, corners_of, foot_of, holdings, set_stage, supports, tilted
from synth.strategies.scene.lighting import light_in, shadow_layers, tint_near, tinted, veil_layer, veiled
from synth.strategies.scene.media import find_medium, placed
from synth.strategies.scene.themes import belongs, outdoors, wanted
from synth.strategies.scene.wall import fastenings

if TYPE_CHECKING:
    from synth.strategies.scene.scene import SceneStrategy

_DARK_TO_LIGHT = (0.04, 0.25, 0.5, 0.75, 0.96)
"""Chosen: quantiles of the luminance behind text; it must stand off the ends."""
_MIN_OF_BEST = 0.55  # chosen: colors with less than this fraction of the place's best contrast are not used there
_MAX_COVERED = 0.05  # chosen: fraction of a subject of the photograph that a medium may hide
_SIZES, _PLACES = 8, 6  # chosen: sizes tried for a medium, from large to small, and places of each
_PHOTOGRAPHS = 40  # chosen: photographs that are looked at for one that suits
_ENLARGED = 1.5  # chosen: beyond it a photograph is seen to be smeared behind sharp letters
_COLORED, _NEUTRAL = 4.5, 3.5  # chosen: WCAG contrast of ink to what it is printed on
_MAX_LOST = 0.15  # chosen: fraction of a subject that the picture's edge may cut off
_LEAST_HEIGHT = 8.0  # chosen: px of a line; where even these do not fit, a medium is not drawn in vain
_SAID = {"item": "word", "line": "phrase"} | dict.fromkeys(("sentence", "paragraph"), "say")
_BUSINESS = ("hours", "way", "notice")
"""What nobody writes across a photograph."""
_LARGER = 1.3  # chosen: what hangs alone on a wall or stands on the ground is larger than what a person holds
_MAX_SKY = 0.1  # chosen: fraction of what hangs on a wall that may stand before the sky
_SMALLEST = 0.4  # chosen: fraction of its size to which a medium shrinks beside a subject


@dataclass(frozen=True, eq=False)
class Place:
    """Where text goes: a flat box of ``size`` (w, h) px, what takes it to the canvas, what lies under it, from the back."""

    size: tuple[int, int]
    matrix: Matrix
    stage: Stage  # the photograph, with what else stands there for all
    behind: tuple[Layer, ...]  # the medium and what holds it
    colors: tuple[Color, ...]  # that may be used for text
    ground: tuple[Color, ...]  # that a caption may name; empty for a photograph
    shades: tuple[RGB, ...]  # what the ground shows, as it is lit
    medium: str | None
    light: Light | None
    handwritten: bool
    corners: np.ndarray  # (4, 2) px of the canvas, around the medium or the place
    bend: Bend | None = None
    """Takes the box to the canvas where what is written on is not flat; ``matrix`` then only moves it."""
    centered: bool = False
    flat: bool = False  # whether what is written there can cast no shadow


def find_place(
    strategy: SceneStrategy,
    backdrop: Backdrop,
    text: ShapedText,
    rng: np.random.Generator,
    taken: Sequence[Box] = (),
    stage: Stage | None = None,
) -> Place:
    """A place for a text, off the boxes ``taken``, on the ``stage`` that others have set. Raises Undrawable."""
    aspect = text.aspect(rng)
    key = choose_key(rng, _fitting(strategy.media, backdrop, text.text))
    if key == "none":
        return _on_photo(strategy, backdrop, aspect, rng, taken)
    return _on_medium(strategy, backdrop, key, text.text, aspect, rng, taken, stage)


def suited(
    strategy: SceneStrategy, photos: Photos, canvas: tuple[int, int], text: Text, rng: np.random.Generator
) -> Backdrop:
    """A photograph that suits the text, into which one of the media belongs, large enough if there is such a one. Raises
    Undrawable."""
    every = (*get_args(Kind), None)
    kinds = [kind for kind in every if any(_held(strategy.media, kind, text.setting).values())]
    kinds = kinds or [kind for kind in every if any(_held(strategy.media, kind).values())]
    things = {key: weight for key, weight in strategy.media.items() if key != "none"}
    holding = [kind for kind in kinds if any(_held(things, kind, text.setting, near=False).values())]
    for _ in range(_PHOTOGRAPHS):
        backdrop = photos.choose(canvas, rng, *wanted(text, kinds, holding or kinds))
        whole = backdrop.enlarged <= _ENLARGED and backdrop.lost <= _MAX_LOST
        colorless = backdrop.gray and backdrop.kind != "closeup"  # a gray wall is one
        if whole and not (colorless and any(things.values())):  # things before it have colors
            return backdrop
    return backdrop  # better than none


def _held(media: Mapping[str, float], kind: Kind | None, setting: Setting = "", near: bool = True) -> dict[str, float]:
    """Weights of the media that something can hold in a photograph of this kind, where a text of a ``setting`` makes sense that
    has to do with it (``near``) or not."""

    def able(key: str) -> bool:
        if key == "none":
            return not (setting == "inside" and outdoors(kind))
        return bool(holdings(find_medium(key).held, kind, setting, near))

    return {key: weight for key, weight in media.items() if able(key)}


def _fitting(media: Mapping[str, float], backdrop: Backdrop, text: Text) -> dict[str, float]:
    """Weights of the media that can be held here, and of these of such as carry so much text and say such a thing, if any
    do."""
    near = belongs(text, backdrop.theme)
    fitting = _held(media, backdrop.kind, text.setting, near)
    place, _, slot = text.topic.partition(".")
    length = sum(1.0 if is_han(character) else 0.5 for character in text.text)
    said = "number" if text.language == "other" else slot or _SAID[text.unit]
    on_things = not near or said in (*GOODS, *_BUSINESS)
    if not any(weight for key, weight in fitting.items() if key != "none" or not on_things):
        fitting = _held(media, backdrop.kind)  # a thing in the wrong setting is better than none
    if not any(fitting.values()):
        fitting = dict(media)  # where a recipe has only photographs of other kinds
    if on_things and any(weight for key, weight in fitting.items() if key != "none"):
        fitting.pop("none", None)  # what is written straight on a photograph would be read as said of it
    for suits in (
        lambda medium: length <= (medium.most or length),
        lambda medium: not medium.says or said in medium.says,
        lambda medium: not (place and medium.places) or place in medium.places,
    ):
        kept = {key: weight for key, weight in fitting.items() if key == "none" or suits(find_medium(key))}
        fitting = kept if any(kept.values()) else fitting
    return fitting


def _on_medium(
    strategy: SceneStrategy,
    backdrop: Backdrop,
    key: str,
    text: Text,
    aspect: float,
    rng: np.random.Generator,
    taken: Sequence[Box],
    stage: Stage | None,
) -> Place:
    medium = find_medium(key)
    if stage is None:
        near = belongs(text, backdrop.theme)
        able = holdings(medium.held, backdrop.kind, text.setting, near) or holdings(medium.held, backdrop.kind)
        able = able or medium.held
        stage = set_stage(able[int(rng.integers(len(able)))], backdrop, near, strategy.blurred, rng)
    width, height, corners = _beside_subjects(strategy, backdrop, medium, stage, rng, taken)
    if medium.across * width < _LEAST_HEIGHT * aspect:
        raise Undrawable(f"the text is too long for the {medium.en}")
    carrier = medium.draw(width, height, rng)
    matrix = from_box(width, height, [(float(x), float(y)) for x, y in corners])
    behind = supports(stage, corners, backdrop.canvas, rng)
    if medium.foot and stage.holding in ("table", "desk"):
        behind += foot_of(medium.foot, corners, stage.floor)
    if stage.holding in ("free", "hung", "lying", "wall", "front"):  # what stands has nothing close behind it
        behind += shadow_layers(carrier, width, height, matrix, rng)
    tint = tint_near(backdrop.pixels, corners) if carrier.lit else None
    parts = [placed(layer, matrix) for layer in carrier.layers]
    behind += [tinted(layer, tint) for layer in parts] if carrier.shaped and tint else parts
    shades = (carrier.ground[0].rgb, *carrier.shades)
    if tint:
        behind += [] if carrier.shaped else [veil_layer(tint, width, height, matrix, carrier.radius)]
        shades = tuple(veiled(shade, tint) for shade in shades)
    if stage.holding in ("wall", "front") and medium.handwritten and not medium.foot:
        behind += fastenings(width, height, matrix, rng)
    x0, y0, x1, y1 = carrier.room
    inner = translation(x0, y0) if carrier.bend else matrix @ translation(x0, y0)
    size = (int(x1 - x0), int(y1 - y0))
    if min(size) < 12:
        raise Undrawable(f"the {medium.en} leaves {size[0]} x {size[1]} px for text")
    colors = tuple(c for c in map(PALETTE.__getitem__, carrier.inks) if _stands_off(c, shades, strategy.contrast))
    if not colors:
        raise Undrawable(f"no ink stands off the {medium.en}")
    bend = carrier.bend.under(matrix) if carrier.bend else None
    return Place(
        *(size, inner, stage, tuple(behind), colors, carrier.ground, shades, key, None, medium.handwritten),
        corners,
        bend,
        medium.centered,
        medium.handwritten or not carrier.lit,
    )


def _stands_off(ink: Color, shades: Sequence[RGB], least: float) -> bool:
    """Whether an ink can be read on a ground, and on its other shades; a hue beside another one needs more contrast than black
    or white."""
    ground = _NEUTRAL if ink.en in ("black", "white") else _COLORED
    off = [contrast(ink.rgb, shade) for shade in shades]
    return off[0] >= max(least, ground) and min(off) >= least


def _beside_subjects(
    strategy: SceneStrategy,
    backdrop: Backdrop,
    medium: Medium,
    stage: Stage,
    rng: np.random.Generator,
    taken: Sequence[Box],
) -> tuple[float, float, np.ndarray]:
    """Width, height and (4, 2) corners, px, of a medium that hides none of the photograph's subjects and of ``taken``."""
    w, h = backdrop.canvas
    aspect = rng.uniform(*medium.aspect)
    subjects = stage.seen(backdrop).subjects
    x0, y0, x1, y1 = stage.wall or (0.0, 0.0, w, h)
    most = min(x1 - x0, (y1 - y0) * aspect)
    full = rng.uniform(*strategy.size) * most
    if stage.wall:
        full = min(_LARGER * full, 0.96 * most)
    if stage.holding == "ground":
        full = min(_LARGER * full, 0.92 * w, 0.92 * h * aspect)
    for shrink in np.repeat(np.linspace(1.0, _SMALLEST, _SIZES), _PLACES):
        width, height = full * shrink, full * shrink / aspect
        corners = corners_of(stage, width, height, (w, h), strategy, rng)
        if corners is not None and stage.holding in ("table", "desk") and medium.foot:
            corners -= (0, FOOT * height)
        if corners is None or corners.min() < 0:
            continue
        if stage.holding == "hung" and sky_under(backdrop.cells, backdrop.canvas, corners) > _MAX_SKY:
            continue
        if covered(corners, subjects) <= _MAX_COVERED and covered(corners, taken) == 0:
            return width, height, corners
    raise Undrawable("the photograph's subject leaves no place for this medium")


def _on_photo(
    strategy: SceneStrategy, backdrop: Backdrop, aspect: float, rng: np.random.Generator, taken: Sequence[Box]
) -> Place:
    box = find_flat_box(backdrop.cells, backdrop.canvas, aspect, rng, [*backdrop.subjects, *taken])
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    # upright: a tilt that nothing in the photograph has looks like a mistake
    corners = tilted(0.94 * width, 0.94 * height, (width, height), strategy, rng, 0.0) + np.array((x0, y0))
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
    size, photograph = (int(width), int(height)), Stage("free", lambda: (PictureLayer(backdrop.pixels),))
    return Place(size, matrix, photograph, (), colors, (), shades, None, light, False, corners)
