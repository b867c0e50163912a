"""A picture before it is painted: layers from back to front, each in its own coordinates.

    Drawing(canvas, layers) ──paint.paint──> Image
                            └─regions.of───> exact regions of every TextLayer, in the order of the layers

Everything here is placed and final; ``paint`` and ``regions`` choose nothing. So what is painted and what is
annotated cannot differ, and two drawings that share layers share pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import skia

from synth.drawing.bend import Bend
from synth.drawing.colors import RGB, Ground
from synth.drawing.style import TextStyle
from synth.geometry import Box, Matrix, Point, apply, box_around, grid, identity
from synth.typeset.block import Block

Blend = Literal["normal", "multiply", "screen", "overlay", "soft_light"]
_STEPS = 24  # of a grid over a bent sheet, whose points bound it to less than the px that bounds are wider


@dataclass(frozen=True, eq=False)
class GroundLayer:
    """The whole canvas in one color or a gradient."""

    ground: Ground


@dataclass(frozen=True, eq=False)
class PictureLayer:
    """``pixels``: uint8 (h, w, 3) or, with straight alpha, (h, w, 4). ``matrix`` takes its own px to the canvas, or to the
    flat sheet that ``bend`` takes there."""

    pixels: np.ndarray
    matrix: Matrix = field(default_factory=identity)
    alpha: float = 1.0
    blend: Blend = "normal"
    clip: tuple[Point, ...] = ()  # a polygon on the canvas outside of which nothing is painted
    bend: Bend | None = None

    def covers(self, canvas: tuple[int, int]) -> bool:
        """Whether it fills a canvas as it is, pixel by pixel."""
        plain = self.alpha == 1 and self.blend == "normal" and not self.clip and self.bend is None
        plain = plain and self.pixels.shape[2] == 3
        return plain and self.pixels.shape[1::-1] == canvas and bool((self.matrix == np.eye(3)).all())


@dataclass(frozen=True, eq=False)
class ShapeLayer:
    """A filled or stroked shape in its own coordinates, px.

    ``kind`` rect (with ``radius``) and ellipse: the box x0 y0 x1 y1; polygon and line: corner after corner.
    """

    kind: Literal["rect", "ellipse", "polygon", "line"]
    points: tuple[float, ...]
    fill: RGB | None = None
    to: RGB | None = None  # other end of a gradient from top to bottom
    stroke: RGB | None = None
    width: float = 1.0  # px, of the stroke
    radius: float = 0.0  # px
    alpha: float = 1.0
    blur: float = 0.0  # px, standard deviation: soft shadows
    dash: tuple[float, ...] = ()  # px on, px off ...
    matrix: Matrix = field(default_factory=identity)
    blend: Blend = "normal"


@dataclass(frozen=True, eq=False)
class OutlineLayer:
    """An outline of 1 em = 1, filled: ``size`` px an em, its origin ``at`` (x, y) on the canvas."""

    path: skia.Path
    fill: RGB
    size: float
    at: Point


@dataclass(frozen=True, eq=False)
class Light:
    """How a place is lit: ``pixels`` (h, w) uint8 with the corner ``at`` (x, y) on the canvas, 255 where colors stay."""

    pixels: np.ndarray
    at: tuple[int, int]


@dataclass(frozen=True, eq=False)
class TextLayer:
    """A block of text. ``matrix`` takes the block's coordinates to the canvas, or to the flat sheet that ``bend`` takes
    there.

    ``light`` shades the text; outside of it colors stay.
    ``role``: what the text is for ("title", "price", ...), where a template says so.
    """

    block: Block
    style: TextStyle
    matrix: Matrix = field(default_factory=identity)
    alpha: float = 1.0
    blend: Blend = "normal"
    light: Light | None = None
    bend: Bend | None = None
    one_word: bool = False  # the whole block is one word, which Chinese writing does not show
    role: str | None = None

    @property
    def effects(self) -> list[str]:
        """What sets the text apart from plain horizontal one."""
        found: list[str] = [*self.style.effects]
        found += ["vertical"] if self.block.direction == "ttb" else []
        return found + (["curved"] if self.block.curved else [])

    def bounds(self) -> Box:
        """Box on the canvas around everything that is painted, shadow, glow and the like included, px."""
        points = self._reached()
        if self.bend:
            points = self.bend.at(grid(box_around(points), _STEPS, _STEPS))
        return box_around(points, 1)

    def flat_bounds(self) -> Box:
        """The same on the flat sheet, of text on a bend."""
        return box_around(self._reached(), 1)

    def at(self, points: np.ndarray) -> np.ndarray:
        """(N, 2) px of the canvas, for (N, 2) points of the block."""
        moved = apply(self.matrix, points)
        return self.bend.at(moved) if self.bend else moved

    @property
    def seen_size(self) -> float:
        """Type size on the canvas, in the middle of the text, px to the em."""
        x0, y0, x1, y1 = self.block.box
        x, y, step = (x0 + x1) / 2, (y0 + y1) / 2, 0.01 * self.block.size
        middle, right, below = self.at(np.array([(x, y), (x + step, y), (x, y + step)]))
        return float(abs(np.linalg.det((right - middle, below - middle)))) ** 0.5 / 0.01

    def _reached(self) -> np.ndarray:
        reach = (self.style.stroke_margin + self.style.spread + 0.1) * self.block.size
        x0, y0, x1, y1 = self.block.box
        box = (x0 - reach, y0 - reach, x1 + reach, y1 + reach)
        return apply(self.matrix, np.array([(box[i], box[j]) for i in (0, 2) for j in (1, 3)]))


Layer = GroundLayer | PictureLayer | ShapeLayer | OutlineLayer | TextLayer


@dataclass(frozen=True, eq=False)
class Drawing:
    """``canvas``: (width, height) in px."""

    canvas: tuple[int, int]
    layers: tuple[Layer, ...]

    @property
    def texts(self) -> list[TextLayer]:
        """The text layers, in reading order."""
        return [layer for layer in self.layers if isinstance(layer, TextLayer)]
