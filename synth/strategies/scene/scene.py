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

from configs.renamed import to_first_names
from synth.choice import check_weights
from synth.content.base import Text
from synth.drawing.colors import Ground
from synth.drawing.layers import Drawing, TextLayer
from synth.drawing.outlines import clear_size
from synth.drawing.paint import paint_twice
from synth.drawing.style import TextStyle
from synth.errors import Undrawable
from synth.fonts.source import FontFile
from synth.geometry import Box
from synth.photos import Backdrop, Photos, PhotoSource
from synth.strategies.base import Composition, DrawRequest, Strategy, joint_text
from synth.strategies.context import ShapedText
from synth.strategies.scene.carrier import Medium
from synth.strategies.scene.flat_areas import covered
from synth.strategies.scene.holding import Holding, Stage, holdings, set_stage
from synth.strategies.scene.lighting import (
    bend_for,
    light_for,
)
from synth.strategies.scene.media import MEDIA, find_medium
from synth.strategies.scene.places import Place, find_place, suited
from synth.strategies.scene.themes import belongs
from synth.strategies.scene.visible import check_visible
from synth.typeset.sense import check_whole

_BY_HAND = 0.7  # chosen: fraction of the texts on handwritten media that take a handwriting font, where one covers them
_MOST = 3  # chosen: texts of a picture with several
_SHARED: tuple[Holding, ...] = ("hung", "post", "lying", "wall", "front")
"""Chosen: by what several media of a picture may be held."""
LEAST = 0.04  # chosen: of the shorter side, below which text is lost in a picture
_LEAST_STRAIGHT = 0.055  # chosen: the same of text straight on a photograph, which nothing points at
_UPRIGHT = 0.7  # chosen: width to height, from which on a column leaves most of a place empty
_ARCHED = 1.6  # chosen: width to height of a thing, from which on an arc is flat and small on it
_SMALLER = 0.6  # chosen: what several media are made smaller by
_GLANCE = 12  # chosen: characters; in longer texts those beside it tell what a dense one is
_CLEAR_ENOUGH = 1.0  # chosen: of layout.min_size, what dense characters of longer texts have at the least
_CARRYING = 0.5  # chosen: of its width, what a line of text takes at the least on one of several things
_TRIES = 5  # chosen: further texts that are tried for a place
_BENT = 1.0  # chosen: of layout.min_size, the least on a curve, where type is painted through a mesh
_FORESHORTENED = 0.85  # chosen: of layout.min_size, down to which perspective may make type look smaller


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
        several = bool(self.strategy.several) and not request.alone and rng.random() < self.strategy.several
        shaped_text = request.context.shape(text, request.layout, rng)
        backdrop = suited(self.strategy, self.photos, canvas, text, rng)
        placed = _several(request, self.strategy, backdrop, text, shaped_text) if several else []
        placed = placed or [_set(request, self.strategy, backdrop, text, shaped_text, None)]
        main = next(each for each in placed if each.text is text)
        behind = [layer for each in placed for layer in each.place.behind]
        drawing = Drawing(canvas, (*main.place.stage.layers, *behind, *(each.layer for each in placed)))
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
            backdrop=place.stage.seen(backdrop),
            media=tuple(each.place.medium for each in placed) if len(placed) > 1 else (),
        )

    def identity(self) -> dict[str, Any]:
        """The config with the photographs' contents in place of where they lie."""
        return to_first_names(self.strategy) | {"photos": [self.photos.digest, self.photos.weights]}


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
        if self.place.stage.holding == "post":  # down to where the posts end
            bottom = self.place.stage.floor
        return min(*xs, left), min(*ys, top), max(*xs, right), max(*ys, bottom)


def _set(
    request: DrawRequest,
    strategy: SceneStrategy,
    backdrop: Backdrop,
    text: Text,
    shaped_text: ShapedText,
    taken: Sequence[Box] | None,
    stage: Stage | None = None,
) -> _Set:
    """The text in a place of the ``stage`` that shares nothing with the boxes ``taken`` by others, None for one that is
    alone. Raises Undrawable."""
    context, rng = request.context, request.rng
    place = find_place(strategy, backdrop, shaped_text, rng, taken or (), stage)
    layout = request.layout.at_least((LEAST if place.medium else _LEAST_STRAIGHT) * min(backdrop.canvas))
    if place.centered or (place.medium and not text.wrap):
        layout = replace(layout, align={"center": 1.0})
    if place.size[0] > _UPRIGHT * place.size[1]:
        shaped_text = shaped_text.horizontal()
    wide = place.size[0] > _ARCHED * place.size[1]
    # Read as the curve's own; on notes and boards it looks like a slip.
    if place.bend or place.flat or (place.medium and wide):
        shaped_text = replace(shaped_text, curved=False)
    if place.handwritten and rng.random() < _BY_HAND:
        shaped_text = context.by_hand(shaped_text, rng)
    if place.medium:
        shaped_text = shaped_text.broken_for(place.size)
    block, matrix = context.arrange(shaped_text, place.size, layout, rng)
    check_whole(shaped_text.shaped, block, place.size[0])
    color = place.colors[int(rng.integers(len(place.colors)))]
    style = context.style(block, color, place.shades, rng)
    if taken is not None and style.to:  # captions of several texts name one color for each
        style = TextStyle(color)
    if place.flat and style.effects != ["brush"]:  # ink on paper and light on a screen cast no shadow
        style = TextStyle(color)
    light, bend = light_for(place.light, style.named), bend_for(place.bend, style.named)
    layer = TextLayer(block, style, place.matrix @ matrix, light=light, bend=bend, one_word=shaped_text.one)
    clear = clear_size(block)
    if len(text.text) > _GLANCE:
        clear = min(clear, _CLEAR_ENOUGH * layout.min_size)
    if layer.seen_size < max((_BENT if bend else _FORESHORTENED) * layout.min_size, clear):
        raise Undrawable(
            "seen in perspective the text is smaller than layout.min_size allows, or too small for its strokes"
        )
    return _Set(text, shaped_text.font, place, layer)


def _several(
    request: DrawRequest, strategy: SceneStrategy, backdrop: Backdrop, text: Text, shaped_text: ShapedText
) -> list[_Set]:
    """The text and others of the same content, from top to bottom, on smaller media; none where there is no room for two."""
    rng = request.rng
    near = belongs(text, backdrop.theme)
    able = holdings(_SHARED, backdrop.kind, text.setting, near)
    for holding in map(able.__getitem__, rng.permutation(len(able))):
        smaller = _smaller_and_held(strategy, holding)
        stage = set_stage(holding, backdrop, near, 0.0, rng)
        placed = _several_on(request, smaller, backdrop, text, shaped_text, stage) if smaller else []
        if placed:
            return sorted(placed, key=lambda each: each.box[1] + each.box[3])
    return []


def _several_on(
    request: DrawRequest,
    strategy: SceneStrategy,
    backdrop: Backdrop,
    text: Text,
    shaped_text: ShapedText,
    stage: Stage,
) -> list[_Set]:
    """The text and others on one stage; none where it has no room for two."""
    rng = request.rng
    try:
        placed = [_set(request, strategy, backdrop, text, shaped_text, [], stage)]
    except Undrawable:
        return []
    wanted = int(rng.integers(2, _MOST + 1))
    for _ in range(_TRIES):
        if len(placed) == wanted:
            break
        try:
            other = request.other_text(beside=[each.text for each in placed])
            if not holdings((stage.holding,), backdrop.kind, other.setting):
                continue
            shaped_other = request.context.shape(other, request.layout, rng)
            found = _set(request, strategy, backdrop, other, shaped_other, [each.box for each in placed], stage)
        except Undrawable:  # a picture with one text less is as good
            continue
        if covered(np.array(found.box).reshape(2, 2), [each.box for each in placed]) == 0:
            placed.append(found)
    return placed if len(placed) > 1 else []


def _fit_for_several(medium: Medium, holding: Holding) -> bool:
    """Whether a thing is held so, and most of it carries its text, so that it may be small."""
    return bool({holding, "free"} & set(medium.held)) and medium.across >= _CARRYING


def _smaller_and_held(strategy: SceneStrategy, holding: Holding) -> SceneStrategy | None:
    """The media that can be held so, at a fraction of their size. Texts straight on a photograph stay alone, where it
    is not all for them. None where there are none."""
    low, high = strategy.size
    media = {
        key: weight
        for key, weight in strategy.media.items()
        if (set(strategy.media) == {"none"} if key == "none" else _fit_for_several(find_medium(key), holding))
    }
    if not any(media.values()):
        return None
    return replace(strategy, media=media, size=(max(_SMALLER * low, 0.2), max(_SMALLER * high, 0.2)))
