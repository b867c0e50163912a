"""What holds a medium in a photograph: a wall, a table, a post, ropes. Nothing hangs in the air.

photograph, holding ──set_stage──> Stage: the photograph, and the table where there is one
box of a medium ──corners_of──> where it may be ──supports──> what is seen of what holds it
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Literal

import numpy as np

from synth.corpus.signs import Setting
from synth.drawing.colors import RGB
from synth.drawing.layers import Layer, PictureLayer, ShapeLayer
from synth.geometry import Box, apply, rotation
from synth.photo_list import Kind
from synth.photos import Backdrop
from synth.strategies.scene.table import SURFACES, WOODEN, out_of_focus, table, table_before
from synth.strategies.scene.wall import View, corner_of, front, room, room_of

if TYPE_CHECKING:
    from synth.strategies.scene.scene import SceneStrategy

Holding = Literal["free", "hung", "lying", "table", "ground", "post", "line", "roped", "wall", "front", "desk"]
"""``free``: nothing is drawn. ``hung``: on the wall that the photograph shows. ``lying``: on a table seen from above.
``table``: standing on one. ``ground``: standing on the lower edge of the picture. ``post``: on posts that stand there.
``line``: on a hanger on a wall of a room. ``roped``: between ropes. ``wall``: on that of a room with a window. ``front``: on that of a house.
``desk``: on a table in such a room."""

_OPEN: tuple[Kind, ...] = ("street", "building", "nature")
Foot = Literal["stand", "legs"]
"""What something flat stands on a table by: the stand of a screen, two legs of wood."""
FOOT = 0.13  # chosen: of the height of what it carries

_KINDS: dict[Holding, tuple[Kind, ...]] = {
    "hung": ("board",),
    "lying": (*_OPEN, "wall"),
    "ground": (*_OPEN, "wall"),
    "post": (*_OPEN, "wall"),
    "roped": (*_OPEN, "wall", "people"),
    "front": (*_OPEN, "wall"),
    "wall": (*_OPEN, "wall"),
    "desk": (*_OPEN, "wall"),
    "line": (*_OPEN, "wall"),
    "table": (*_OPEN, "wall", "animal", "still", "closeup", "board"),  # a face behind it would be out of focus
}
"""Kinds of photographs that have what a holding wants; the others are at home in all. A wall in a photograph is most often a
facade, on which a board that hangs is as large as a house."""
_AWAY: dict[Setting, tuple[Holding, ...]] = {
    "": (),
    "inside": ("post", "roped", "ground", "front"),
    "outside": ("lying", "table", "line", "wall", "desk"),
}
"""What holds nothing that makes sense in that setting alone: a post stands in the open, a table in a room."""
_OUTSIDE: tuple[Holding, ...] = ("table", "post", "ground", "roped")
"""What stands before the whole of a photograph, as one of the things in it."""
_TOWN: tuple[Kind, ...] = ("street", "building")
"""Where any sign may stand."""
_TURN: dict[Holding, float] = {"free": 1.0, "hung": 0.1, "post": 0.2, "roped": 0.3, "wall": 0.05, "front": 0.05}
"""Chosen: of the recipe's turn and perspective, how much is left of it."""
_OFF, _OFF_EDGE = 0.03, 0.04  # chosen: of the shorter side, at the least, and where there is room
_SOFT = 0.006  # chosen: of the picture's width, by which a photograph is out of focus behind what stands before it
_FAR_OFF = 0.02  # chosen: the same of what is far behind it
_STANDING = (0.88, 0.96)  # chosen: of the picture's height, where a thing on a table stands
_DEPTH = (0.15, 0.24)  # chosen: of the picture's height, how far behind it its table ends
_FAR = (0.2, 0.36)  # chosen: of the picture's height, where a table ends on which things lie
_LOWER = 0.85  # chosen: of its height, what is seen of something that lies
_NARROW = 0.2  # chosen: how much narrower a thing that lies at the far end of its table is
_HANGER = (0.12, 0.24)  # chosen: of the picture's height, where the upper edge of what hangs on a hanger is
_METAL: tuple[RGB, RGB] = (104, 107, 112), (70, 72, 76)
_WOOD: tuple[RGB, RGB] = (128, 94, 60), (92, 64, 38)


def holdings(
    held: tuple[Holding, ...], kind: Kind | None, setting: Setting = "", near: bool = True
) -> tuple[Holding, ...]:
    """Those of a medium that a photograph of a ``kind`` has what they want for, where it is known, and that suit a text of a
    ``setting``. What has nothing to do with the photograph is not ``near``: it is in a room, on a wall, or on a street."""

    def able(one: Holding) -> bool:
        apart = near or kind is None or one not in _OUTSIDE or (one != "table" and kind in _TOWN)
        return apart and (kind is None or kind in _KINDS.get(one, (kind,))) and one not in _AWAY[setting]

    return tuple(filter(able, held))


@dataclass(frozen=True, eq=False)
class Stage:
    """A photograph made ready: what ``make`` draws, once it is asked for, since many stages stay empty; where its table ends
    (``edge``) and things stand on it (``floor``), px; of a wall, the ``view`` past it."""

    holding: Holding
    make: Callable[[], tuple[Layer, ...]]
    edge: float = 0.0
    floor: float = 0.0
    view: View | None = None

    def seen(self, backdrop: Backdrop) -> Backdrop:
        """The photograph with its subjects as far as they show."""
        subjects = backdrop.subjects if self.view is None else self.view.subjects(backdrop)
        if self.edge:
            subjects = [(x0, y0, x1, min(y1, self.edge)) for x0, y0, x1, y1 in subjects if y0 < self.edge]
        return backdrop.showing(subjects)

    @property
    def wall(self) -> Box | None:
        """Where on a wall something may hang, px of the canvas; None where things stand or lie."""
        return self.view.free if self.view and not self.edge else None

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        return self.make()


def set_stage(holding: Holding, backdrop: Backdrop, near: bool, blurred: float, rng: np.random.Generator) -> Stage:
    """What lies behind what is held, out of focus as ``softness`` says."""
    w, h = backdrop.canvas
    soft = softness(holding, near, blurred, rng)
    own = np.random.default_rng(int(rng.integers(2**63)))  # of what is drawn later

    def pixels() -> np.ndarray:
        return out_of_focus(backdrop.pixels, soft * w) if soft else backdrop.pixels

    if holding == "lying":
        edge, floor = h * rng.uniform(*_FAR), float(h)
    else:
        floor = h * rng.uniform(*_STANDING) if holding in ("table", "desk") else float(h)
        edge = floor - h * rng.uniform(*_DEPTH) if holding in ("table", "desk") else 0.0
    if holding == "table":
        return Stage(holding, lambda: table_before(pixels(), edge, own), edge, floor)
    if holding in ("lying", "desk"):
        view = room_of(backdrop.canvas, rng, edge)
        surfaces = (
            WOODEN if holding == "lying" else SURFACES
        )  # on white, paper would not be seen; slate reads as the sea

        def in_room() -> tuple[Layer, ...]:
            return *room(pixels(), view.onto(backdrop), view, own), *table(backdrop.pixels, edge, own, surfaces)

        return Stage(holding, in_room, edge, floor, view)
    if holding in ("wall", "front", "line"):
        drawn, found = (front, corner_of) if holding == "front" else (room, room_of)
        view = found(backdrop.canvas, rng)
        return Stage(holding, lambda: drawn(pixels(), view.onto(backdrop), view, own), edge, floor, view)
    return Stage(holding, lambda: (PictureLayer(pixels()),), edge, floor)


def softness(holding: Holding, near: bool, blurred: float, rng: np.random.Generator) -> float:
    """How far a photograph is out of focus, of its width. What the text has nothing to do with is not ``near``, but far
    behind it; a fraction ``blurred`` of the others is a little soft, where neither a table nor a wall is near."""
    if not near:
        return _FAR_OFF
    return _SOFT if holding not in ("hung", "lying", "table", "desk") and rng.random() < blurred else 0.0


def corners_of(
    stage: Stage,
    width: float,
    height: float,
    canvas: tuple[int, int],
    strategy: SceneStrategy,
    rng: np.random.Generator,
) -> np.ndarray | None:
    """(4, 2) corners, px, of a box of ``width`` x ``height`` somewhere in its stage; None where it does not fit."""
    w, h = canvas
    if stage.holding in ("table", "desk", "ground"):
        return upright(width, height, w, stage.floor, rng)
    if stage.holding == "line":
        x0, top, x1, _ = stage.wall or (0.0, -0.2 * width, float(w), float(h))
        bottom = max(h * rng.uniform(*_HANGER), top + 0.2 * width) + height
        fits = bottom < 0.98 * h and width < x1 - x0
        return upright(width, height, x1 - x0, bottom, rng) + np.array((x0, 0.0)) if fits else None
    if stage.holding == "lying":
        return _on_table(stage, width, height, canvas, strategy, rng)
    if stage.wall:
        x0, y0, x1, y1 = stage.wall
        corners = tilted(width, height, (x1 - x0, y1 - y0), strategy, rng, _TURN[stage.holding], 0.0)
        return corners + np.array((x0, y0))
    top, side, below = {"post": (0.0, 0.0, 0.1), "roped": (0.03 * h, 0.06, 0.1)}.get(stage.holding, (0.0, 0.0, 0.0))
    room = (w * (1 - 2 * side), h * (1 - below) - top)
    off = _OFF * min(canvas)
    return tilted(width, height, room, strategy, rng, _TURN[stage.holding], off) + np.array((side * w, top))


def _on_table(
    stage: Stage,
    width: float,
    height: float,
    canvas: tuple[int, int],
    strategy: SceneStrategy,
    rng: np.random.Generator,
) -> np.ndarray:
    """Corners of a box that lies on a table: turned on it, then seen as the table is, lower and narrower far off."""
    w, h = canvas
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], float)
    corners = apply(rotation(rng.uniform(*strategy.turn), (width / 2, height / 2)), corners) * (1, _LOWER)
    low, high = corners.min(axis=0), corners.max(axis=0)
    off = _OFF * min(canvas)
    room = np.array((w - 2 * off, h - stage.edge - 2 * off))
    shrink = min(1.0, *(room / (high - low)))
    corners = (corners - low) * shrink
    corners += np.array((off, stage.edge + off)) + _within(room - (high - low) * shrink, min(canvas), rng)
    near = (corners[:, 1] - stage.edge) / (h - stage.edge)
    corners[:, 0] = w / 2 + (corners[:, 0] - w / 2) * (1 - _NARROW * (1 - near))
    return corners


def tilted(
    width: float,
    height: float,
    room: tuple[float, float],
    strategy: SceneStrategy,
    rng: np.random.Generator,
    share: float = 1.0,
    off: float = 2.0,
) -> np.ndarray:
    """(4, 2) corners, px, of a box turned and put into perspective by a ``share`` of what the recipe says, ``off`` px off the
    edges of ``room``."""
    strength = share * rng.uniform(*strategy.perspective) * min(width, height)
    corners = np.array([(0, 0), (width, 0), (width, height), (0, height)], float)
    corners += rng.uniform(-strength, strength, size=(4, 2))
    corners = apply(rotation(share * rng.uniform(*strategy.turn), (width / 2, height / 2)), corners)
    low, high = corners.min(axis=0), corners.max(axis=0)
    shrink = min(1.0, *((np.array(room) - 2 * off) / (high - low)))
    corners = (corners - low) * shrink
    slack = np.array(room) - 2 * off - (high - low) * shrink
    return corners + off + _within(slack, min(room), rng)


def upright(width: float, height: float, room: float, bottom: float, rng: np.random.Generator) -> np.ndarray:
    """(4, 2) corners, px, of a box that stands upright, its lower edge at ``bottom``, in a picture of ``room`` px."""
    left = float(_within(np.array([max(room - width, 0.0)]), room, rng)[0])
    return np.array([(left, bottom - height), (left + width, bottom - height), (left + width, bottom), (left, bottom)])


def _within(slack: np.ndarray, side: float, rng: np.random.Generator) -> np.ndarray:
    """Px from one edge of the room towards the other, off both of them where ``slack`` allows it: a thing that nearly
    touches the picture's edge looks like a mistake."""
    off = np.minimum(_OFF_EDGE * side, slack / 2)
    return off + (slack - 2 * off) * rng.uniform(0, 1, size=len(slack))


def supports(stage: Stage, corners: np.ndarray, canvas: tuple[int, int], rng: np.random.Generator) -> list[Layer]:
    """What is seen of what holds a medium with these corners, from back to front; it goes behind the medium."""
    if stage.holding == "post":
        return _posts(corners, canvas, rng)
    if stage.holding == "roped":
        return _ropes(corners, canvas)
    if stage.holding == "line":
        return _hanger(corners, canvas)
    return []


def foot_of(kind: Foot, corners: np.ndarray, floor: float) -> list[Layer]:
    """What carries something flat between its lower edge and the table at ``floor``, with its shadow."""
    (x0, y), (x1, _) = corners[3], corners[2]
    middle, wide, high = (x0 + x1) / 2, x1 - x0, floor - y
    if kind == "legs":
        spread, thick = 0.36 * wide, max(0.02 * wide, 2.0)
        shadow = (middle - 1.15 * spread, floor - 0.2 * high, middle + 1.3 * spread, floor + 0.12 * high)
        return [
            ShapeLayer("ellipse", shadow, fill=(0, 0, 0), alpha=0.4, blur=0.12 * high + 1),
            *(
                ShapeLayer(
                    "polygon",
                    (x - thick, y - 2, x + thick, y - 2, x + lean + thick, floor, x + lean - thick, floor),
                    fill=_WOOD[0],
                    to=_WOOD[1],
                )
                for x, lean in ((middle - 0.9 * spread, -0.1 * spread), (middle + 0.9 * spread, 0.1 * spread))
            ),
        ]
    neck, base, thick = 0.06 * wide, 0.2 * wide, 0.25 * high + 2
    shadow = (middle - 1.3 * base, floor - 1.2 * thick, middle + 1.5 * base, floor + 1.4 * thick)
    return [
        ShapeLayer("ellipse", shadow, fill=(0, 0, 0), alpha=0.5, blur=0.5 * thick),
        ShapeLayer("rect", (middle - neck, y - 2, middle + neck, floor), fill=(66, 68, 72), to=(44, 46, 50)),
        ShapeLayer("ellipse", (middle - base, floor - thick, middle + base, floor + thick), fill=(58, 60, 64)),
    ]


def _posts(corners: np.ndarray, canvas: tuple[int, int], rng: np.random.Generator) -> list[Layer]:
    """One post, or two under something wide, from the middle of the medium to below the picture."""
    (x0, y0), (x1, y1) = corners[3], corners[2]
    wide, tall = x1 - x0, float(np.ptp(corners[:, 1]))
    fill, to = _METAL if rng.random() < 0.6 else _WOOD
    half = max(0.018 * wide, 0.022 * tall, 1.5)
    layers: list[Layer] = []
    for along in (0.18, 0.82) if wide > 1.6 * tall else (0.5,):
        x, y = x0 + along * wide, y0 + along * (y1 - y0) - 0.4 * tall
        layers.append(ShapeLayer("rect", (x - half, y, x + half, canvas[1] + 4), fill=fill, to=to))
        layers.append(
            ShapeLayer("rect", (x - 0.6 * half, y, x - 0.1 * half, canvas[1] + 4), fill=(255, 255, 255), alpha=0.18)
        )
    return layers


def _ropes(corners: np.ndarray, canvas: tuple[int, int]) -> list[Layer]:
    """A rope from each corner to the nearer side of the picture, up from the upper corners and down from the lower ones."""
    w, h = canvas
    pull = 0.06 * h
    ends = ((-2, -pull), (w + 2, -pull), (w + 2, pull), (-2, pull))
    inner = corners.mean(axis=0)
    layers: list[Layer] = []
    for (x, y), (to, shift) in zip(corners + 0.02 * (inner - corners), ends, strict=True):
        line = (float(x), float(y), float(to), float(y + shift))
        layers.append(ShapeLayer("line", line, stroke=(60, 54, 46), width=max(0.008 * h, 1.8)))
        layers.append(ShapeLayer("line", line, stroke=(214, 204, 184), width=max(0.005 * h, 1.1)))
    return layers


def _hanger(corners: np.ndarray, canvas: tuple[int, int]) -> list[Layer]:
    """A peg on the wall, and a hanger on it whose arms go into the shoulders."""
    (x0, top), (x1, _) = corners[0], corners[1]
    wide, middle = x1 - x0, (x0 + x1) / 2
    rod = top - 0.1 * wide
    thick = max(0.014 * canvas[1], 2.0)
    neck = (middle, top - 0.01 * wide)
    arms = [(middle - 0.17 * wide, top + 0.055 * wide), (middle + 0.17 * wide, top + 0.055 * wide)]
    stroke: RGB = (150, 118, 82)
    return [
        ShapeLayer(
            "ellipse",
            (middle - thick, rod - 0.6 * thick, middle + thick, rod + 1.4 * thick),
            fill=(0, 0, 0),
            alpha=0.35,
            blur=0.4 * thick,
        ),
        ShapeLayer("ellipse", (middle - thick, rod - thick, middle + thick, rod + thick), fill=(72, 74, 80)),
        ShapeLayer("line", (middle, rod - 0.4 * thick, *neck), stroke=(96, 98, 104), width=max(0.35 * thick, 1.2)),
        *(ShapeLayer("line", (*neck, x, y), stroke=stroke, width=max(0.025 * wide, 2.0)) for x, y in arms),
    ]
