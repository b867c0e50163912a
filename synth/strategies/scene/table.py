"""A table in front of a photograph, for things that stand: its top in perspective, the photograph out of focus behind it."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageFilter

from synth.drawing.colors import overall, tint_of
from synth.drawing.layers import Layer, PictureLayer, ShapeLayer
from synth.drawing.textures import SIDE, Surface, tile
from synth.geometry import from_box

_BLUR = 0.012  # chosen: of the photograph's width, by which a thing close to the camera puts it out of focus
_DETAIL = 2.0  # px of a standard deviation to one of what is blurred
SURFACES: tuple[Surface, ...] = ("wood", "wood", "paper")
WOODEN: tuple[Surface, ...] = ("wood",)


def table_before(
    pixels: np.ndarray, edge: float, rng: np.random.Generator, surfaces: tuple[Surface, ...] = SURFACES
) -> tuple[Layer, ...]:
    """The photograph (h, w, 3) and a table over it, from ``edge`` (px from the top) down."""
    soft = out_of_focus(pixels, _BLUR * pixels.shape[1])
    return PictureLayer(soft), *table(pixels, edge, rng, surfaces)


def table(
    pixels: np.ndarray, edge: float, rng: np.random.Generator, surfaces: tuple[Surface, ...] = SURFACES
) -> tuple[Layer, ...]:
    """A table from ``edge`` (px from the top) down, in the light of ``pixels`` (h, w, 3)."""
    h, w = pixels.shape[:2]
    top = tile(surfaces[int(rng.integers(len(surfaces)))], int(rng.integers(64)))
    far, near = rng.uniform(0.15, 0.3) * w, rng.uniform(0.6, 0.9) * w  # the board runs out of the picture on both sides
    corners = [(-far, edge), (w + far, edge), (w + near, 1.05 * h), (-near, 1.05 * h)]
    board = [(0.0, edge), (w, edge), (w, h), (0.0, h)]
    return (
        PictureLayer(top, from_box(SIDE, SIDE, corners), clip=tuple((float(x), float(y)) for x, y in board)),
        ShapeLayer("rect", (0, edge, w, h), fill=tint_of(overall(pixels)), blend="multiply"),
        ShapeLayer(
            "rect", (-w, edge - 0.01 * h, 2 * w, edge + 0.012 * h), fill=(255, 255, 255), alpha=0.22, blur=0.006 * h
        ),
    )


def out_of_focus(pixels: np.ndarray, radius: float) -> np.ndarray:
    """Out of focus by a standard deviation of ``radius`` px. Detail that this takes away is left out before: a tenth of the
    time."""
    whole, less = Image.fromarray(pixels), max(int(radius / _DETAIL), 1)
    small = whole.reduce(less).filter(ImageFilter.GaussianBlur(radius / less))
    return np.asarray(small.resize(whole.size, Image.Resampling.BICUBIC))
