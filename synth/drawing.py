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

from synth.block import Block
from synth.colors import RGB, Ground
from synth.matrix import Matrix, Point, identity
from synth.style import TextStyle

Blend = Literal["normal", "multiply", "screen", "overlay", "soft_light"]


@dataclass(frozen=True, eq=False)
class GroundLayer:
    """The whole canvas in one colour or a gradient."""

    ground: Ground


@dataclass(frozen=True, eq=False)
class PictureLayer:
    """``pixels``: uint8 (h, w, 3) or, with straight alpha, (h, w, 4). ``matrix`` takes its own px to the canvas."""

    pixels: np.ndarray
    matrix: Matrix = field(default_factory=identity)
    alpha: float = 1.0
    blend: Blend = "normal"
    clip: tuple[Point, ...] = ()  # a polygon on the canvas outside of which nothing is painted


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
class TextLayer:
    """A block of text. ``matrix`` takes the block's coordinates to the canvas.

    ``light``: (h, w) uint8 of the canvas's size, 255 where the text keeps its colour, less where it is shaded.
    ``role``: what the text is for ("title", "price", ...), where a template says so.
    """

    block: Block
    style: TextStyle
    matrix: Matrix = field(default_factory=identity)
    alpha: float = 1.0
    blend: Blend = "normal"
    light: np.ndarray | None = None
    one_word: bool = False  # the whole block is one word, which Chinese writing does not show
    role: str | None = None


Layer = GroundLayer | PictureLayer | ShapeLayer | TextLayer


@dataclass(frozen=True, eq=False)
class Drawing:
    """``canvas``: (width, height) in px."""

    canvas: tuple[int, int]
    layers: tuple[Layer, ...]

    @property
    def texts(self) -> list[TextLayer]:
        """The text layers, in reading order."""
        return [layer for layer in self.layers if isinstance(layer, TextLayer)]
