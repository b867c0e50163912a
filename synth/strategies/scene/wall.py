"""A wall in front of a photograph, for things that hang: of a room, with a window through which the photograph is seen, or the
front of a house, beside which it is.

    canvas ──room_of, corner_of──> View: where the photograph is seen, where the wall has room ──> layers
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from synth.drawing.colors import RGB, overall, tint_of
from synth.drawing.layers import Layer, PictureLayer, ShapeLayer
from synth.drawing.style import mixed
from synth.drawing.textures import SIDE, tile
from synth.geometry import Box, Matrix, apply, translation, union
from synth.photos import Backdrop

_PAINTS: tuple[RGB, ...] = (
    *((240, 235, 224), (228, 228, 224), (206, 216, 206), (198, 210, 222), (230, 208, 188), (224, 206, 164)),
    *((124, 138, 130), (88, 102, 122), (168, 108, 90), (236, 224, 206)),
)
"""Of rooms. Chosen, as all that is drawn here."""
_RENDERS: tuple[RGB, ...] = (
    *((232, 222, 200), (216, 212, 204), (222, 194, 148), (206, 168, 140), (178, 186, 188), (196, 202, 180)),
)
"""Of fronts."""
_FRAMES: tuple[RGB, ...] = ((244, 243, 238), (244, 243, 238), (118, 82, 52), (52, 54, 58))
_OFF = 0.05  # of the shorter side, from the wall's end to what hangs there
_SOFT_EDGE = 0.012  # of the shorter side


@dataclass(frozen=True)
class View:
    """Where the photograph is ``seen``, and where on the wall something may hang (``free``): boxes of the canvas, px."""

    seen: Box
    free: Box

    def onto(self, backdrop: Backdrop) -> Matrix:
        """What takes a photograph as large as the canvas to what is seen of it: whole in height or in width, about the middle
        of its subjects."""
        w, h = backdrop.canvas
        x0, y0, x1, y1 = self.seen
        scale = max((x1 - x0) / w, (y1 - y0) / h)
        left, top, right, bottom = union(backdrop.subjects) if backdrop.subjects else (0.0, 0.0, w, h)
        x = min(max((left + right) / 2 * scale - (x1 - x0) / 2, 0.0), w * scale - (x1 - x0))
        y = min(max((top + bottom) / 2 * scale - (y1 - y0) / 2, 0.0), h * scale - (y1 - y0))
        return translation(x0 - x, y0 - y) @ np.diag([scale, scale, 1.0])

    def subjects(self, backdrop: Backdrop) -> list[Box]:
        """The photograph's subjects as far as they are seen, px of the canvas."""
        matrix, seen = self.onto(backdrop), []
        for left, top, right, bottom in backdrop.subjects:
            (x0, y0), (x1, y1) = apply(matrix, np.array([(left, top), (right, bottom)]))
            box = (max(x0, self.seen[0]), max(y0, self.seen[1]), min(x1, self.seen[2]), min(y1, self.seen[3]))
            seen += [box] if box[0] < box[2] and box[1] < box[3] else []
        return seen


def room_of(canvas: tuple[int, int], rng: np.random.Generator, floor: float | None = None) -> View:
    """A window that runs out of the picture: at one side of a wide one, at the top of a tall one. Above a table that ends at
    ``floor`` px, it stands a little higher."""
    w, h = canvas
    off = _OFF * min(canvas)
    if w >= 0.9 * h or floor is not None:
        wide, top = w * rng.uniform(0.32, 0.42), h * rng.uniform(-0.1, 0.1)
        low = h * rng.uniform(0.68, 0.88) if floor is None else floor - h * rng.uniform(0.06, 0.12)
        top = min(top, low - 0.4 * h)  # all of a window cannot stand over a table that takes most of the picture
        inset = w * rng.uniform(-0.06, 0.03)
        if rng.random() < 0.5:
            return View((inset, top, inset + wide, low), (inset + wide + off, off, w - off, h - off))
        return View((w - inset - wide, top, w - inset, low), (off, off, w - inset - wide - off, h - off))
    low = h * rng.uniform(0.24, 0.34)
    left = w * rng.uniform(0.08, 0.3)
    return View((left, -0.1 * h, left + w * rng.uniform(0.5, 0.7), low), (off, low + 1.6 * off, w - off, h - off))


def corner_of(canvas: tuple[int, int], rng: np.random.Generator) -> View:
    """A front that ends within the picture, left or right."""
    w, h = canvas
    off, wide = _OFF * min(canvas), w * rng.uniform(0.6, 0.78)
    if rng.random() < 0.5:
        return View((wide, 0.0, w, h), (off, off, wide - off, h - off))
    return View((0.0, 0.0, w - wide, h), (w - wide + off, off, w - off, h - off))


def room(pixels: np.ndarray, matrix: Matrix, view: View, rng: np.random.Generator) -> tuple[Layer, ...]:
    """The wall of a room, and the photograph (h, w, 3) behind the panes of its window, where ``matrix`` takes it."""
    h, w = pixels.shape[:2]
    wall = _plastered(_PAINTS[int(rng.integers(len(_PAINTS)))], (w, h), rng)
    frame = _FRAMES[int(rng.integers(len(_FRAMES)))]
    x0, y0, x1, y1 = view.seen
    thick = 0.032 * min(x1 - x0, y1 - y0) + 1.5
    middle = (x0 + x1) / 2
    panes = ShapeLayer("line", (middle, y0, middle, y1), stroke=frame, width=1.2 * thick)
    if rng.random() < 0.5:  # a sash window
        cross = (2 * y0 + 3 * y1) / 5
        panes = ShapeLayer("line", (x0, cross, x1, cross), stroke=frame, width=1.4 * thick)
    casing, sill = (
        (x0 - thick, y0 - thick, x1 + thick, y1 + thick),
        (x0 - 2.4 * thick, y1, x1 + 2.4 * thick, y1 + 1.8 * thick),
    )
    shaded = (sill[0] + thick, sill[3], sill[2] + thick, sill[3] + 2 * thick)
    return (
        *wall,
        _falling(view, (w, h)),
        ShapeLayer("rect", shaded, fill=(0, 0, 0), alpha=0.28, blur=thick),
        ShapeLayer("rect", casing, fill=frame),
        PictureLayer(pixels, matrix, clip=_polygon(view.seen)),
        ShapeLayer("line", (x0, y0, x1, y0), stroke=(0, 0, 0), width=2.2 * thick, alpha=0.3, blur=0.6 * thick),
        panes,
        ShapeLayer("rect", casing, stroke=frame, width=2 * thick),
        ShapeLayer("rect", casing, stroke=(0, 0, 0), width=1.0, alpha=0.18),
        ShapeLayer("rect", sill, fill=frame, to=mixed(frame, (0, 0, 0), 0.15)),
    )


def front(pixels: np.ndarray, matrix: Matrix, view: View, rng: np.random.Generator) -> tuple[Layer, ...]:
    """A front of brick, of render or of concrete, and the photograph (h, w, 3) beside it, where ``matrix`` takes it."""
    h, w = pixels.shape[:2]
    kind = int(rng.integers(5))
    if kind < 3:
        wall = _laid(tile("brick", int(rng.integers(64))), (w, h))
    elif kind == 3:
        wall = _plastered(_RENDERS[int(rng.integers(len(_RENDERS)))], (w, h), rng)
    else:
        wall = _plastered((206, 204, 198), (w, h), rng, concrete=True)
    left, _, right, _ = view.seen
    end, side = (left, 1) if left > 0 else (right, -1)
    edge = _SOFT_EDGE * min(w, h)
    return (
        *wall,
        ShapeLayer("rect", (0, 0, w, h), fill=tint_of(overall(pixels)), blend="multiply"),
        ShapeLayer("rect", (0, 0, w, h), fill=(255, 255, 255), to=(214, 212, 208), blend="multiply"),
        PictureLayer(pixels, matrix, clip=_polygon(view.seen)),
        ShapeLayer("rect", (end - 2.5 * edge, -h, end + 2.5 * edge, 2 * h), fill=(0, 0, 0), alpha=0.3, blur=1.5 * edge),
        ShapeLayer(
            "line",
            (end - 0.5 * side * edge, 0, end - 0.5 * side * edge, h),
            stroke=(255, 250, 240),
            width=edge,
            alpha=0.2,
        ),
    )


def fastenings(width: float, height: float, matrix: Matrix, rng: np.random.Generator) -> list[Layer]:
    """What paper of ``width`` x ``height`` px is held by on a wall: a strip of tape over its upper edge, or a pin."""
    side, middle = min(width, height), 0.5 * width
    if rng.random() < 0.5:
        wide, high = 0.13 * side, 0.035 * side
        tape = (middle - wide, -high, middle + wide, high)
        return [ShapeLayer("rect", tape, fill=(232, 224, 192), alpha=0.8, matrix=matrix)]
    radius, y = max(0.02 * side, 2.0), 0.045 * side
    head = ((196, 44, 40), (36, 84, 160), (46, 130, 70), (226, 178, 44))[int(rng.integers(4))]
    box = (middle - radius, y - radius, middle + radius, y + radius)
    shadow = tuple(v + 0.5 * radius for v in box)
    light = (middle - 0.5 * radius, y - 0.6 * radius, middle + 0.1 * radius, y)
    return [
        ShapeLayer("ellipse", shadow, fill=(0, 0, 0), alpha=0.4, blur=0.3 * radius, matrix=matrix),
        ShapeLayer("ellipse", box, fill=head, matrix=matrix),
        ShapeLayer("ellipse", light, fill=(255, 255, 255), alpha=0.55, matrix=matrix),
    ]


def _plastered(
    rgb: RGB, canvas: tuple[int, int], rng: np.random.Generator, concrete: bool = False
) -> tuple[Layer, ...]:
    w, h = canvas
    grain = tile("concrete" if concrete else "plaster", int(rng.integers(64)))
    scale = max(w, h) / SIDE
    return (
        ShapeLayer("rect", (0, 0, w, h), fill=rgb),
        PictureLayer(grain, np.diag([scale, scale, 1.0]), blend="multiply"),
    )


def _laid(brick: np.ndarray, canvas: tuple[int, int]) -> tuple[Layer, ...]:
    """As many tiles as cover the canvas, at about their own size: bricks that are enlarged look painted."""
    w, h = canvas
    scale = 0.75 if min(canvas) < SIDE else 1.0
    step = scale * SIDE
    return tuple(
        PictureLayer(brick, translation(column * step, row * step) @ np.diag([scale, scale, 1.0]))
        for row in range(int(np.ceil(h / step)))
        for column in range(int(np.ceil(w / step)))
    )


def _falling(view: View, canvas: tuple[int, int]) -> PictureLayer:
    """The light of the window on the wall: less, farther off."""
    w, h = canvas
    x, y = np.meshgrid(np.linspace(0, w, 24), np.linspace(0, h, 24))
    x0, y0, x1, y1 = view.seen
    away = np.hypot(np.maximum(np.maximum(x0 - x, x - x1), 0), np.maximum(np.maximum(y0 - y, y - y1), 0))
    light = 1.0 - 0.22 * np.clip(away / (0.8 * max(w, h)), 0, 1)
    pixels = np.repeat(np.rint(255 * light)[..., None], 3, axis=2).astype(np.uint8)
    return PictureLayer(pixels, np.diag([w / 24, h / 24, 1.0]), blend="multiply")


def _polygon(box: Box) -> tuple[tuple[float, float], ...]:
    x0, y0, x1, y1 = box
    return (x0, y0), (x1, y0), (x1, y1), (x0, y1)
