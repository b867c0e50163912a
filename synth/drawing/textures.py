"""Surfaces drawn from noise: paper, wood, slate, cardboard, plaster, brick, concrete. Tiles are few and kept, so that a sample costs no noise.

    tile(kind, number) ──> (512, 512, 3) uint8, the same for the same number

A tile is used as a picture of its own (wood, slate, cardboard, brick) or multiplied onto a color (paper, plaster, concrete).
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Literal

import numpy as np
from PIL import Image

Surface = Literal["paper", "wood", "slate", "cardboard", "plaster", "brick", "concrete"]
SIDE = 512  # px
_VARIANTS = 12  # tiles of a kind
_WOODS = ((176, 124, 74), (140, 92, 52), (205, 165, 112), (108, 70, 42))
_SLATES = ((38, 62, 50), (34, 38, 42), (28, 54, 46))
_BRICKS = (
    ((158, 84, 64), (186, 176, 164)),
    ((134, 70, 58), (160, 152, 142)),
    ((184, 122, 88), (198, 190, 176)),
    ((190, 160, 118), (206, 198, 180)),
    ((228, 224, 214), (212, 206, 196)),
    ((140, 136, 132), (178, 174, 168)),
)
"""Bricks and their mortar."""
_COURSES = 24  # of a tile; bricks are three times as wide as high
_JOINT = 2.6  # px
_CARDBOARDS = ((196, 160, 118), (182, 148, 108), (206, 176, 138))


def tile(kind: Surface, number: int) -> np.ndarray:
    """The tile; read only. ``number`` is taken modulo the number of variants."""
    return _tile(kind, number % _VARIANTS)


@lru_cache(maxsize=96)  # all variants of all kinds, 0.8 MB each
def _tile(kind: Surface, variant: int) -> np.ndarray:
    rng = np.random.Generator(np.random.PCG64([SIDE, variant, len(kind), ord(kind[0])]))
    made = _DRAWN[kind](rng)
    pixels = np.clip(np.rint(made), 0, 255).astype(np.uint8)
    pixels.setflags(write=False)
    return pixels


def _paper(rng: np.random.Generator) -> np.ndarray:
    """Near white, to multiply with: fibers and slow unevenness."""
    grain = 2.2 * _noise(rng, SIDE, SIDE) + 2.0 * _noise(rng, SIDE // 4, SIDE // 4) + 1.6 * _noise(rng, 5, 5)
    return np.repeat((249 + grain)[..., None], 3, axis=2)


def _wood(rng: np.random.Generator) -> np.ndarray:
    """Planks with grain along x."""
    base = np.array(_WOODS[int(rng.integers(len(_WOODS)))], float)
    y = np.linspace(0, 1, SIDE)[:, None]
    warp = 0.05 * _noise(rng, 6, 3) + 0.01 * _noise(rng, 40, 8)
    rings = np.sin((y + warp) * 2 * np.pi * rng.uniform(9, 16))
    fiber = _noise(rng, SIDE, 24)
    shade = 1 + 0.09 * rings + 0.05 * fiber
    planks = int(rng.integers(3, 6))
    for plank in range(planks):
        rows = slice(plank * SIDE // planks, (plank + 1) * SIDE // planks)
        shade[rows] *= rng.uniform(0.9, 1.08)
        shade[rows][:2] *= 0.55
    return base * shade[..., None]


def _slate(rng: np.random.Generator) -> np.ndarray:
    """A wiped board: dark, with pale smears."""
    base = np.array(_SLATES[int(rng.integers(len(_SLATES)))], float)
    smears = np.clip(_noise(rng, 10, 4), 0, None) * 9 + np.clip(_noise(rng, 40, 12), 0, None) * 5
    return base + (smears + 1.5 * _noise(rng, SIDE, SIDE))[..., None]


def _cardboard(rng: np.random.Generator) -> np.ndarray:
    """Matt and even, with the flutes inside just showing as upright lines."""
    base = np.array(_CARDBOARDS[int(rng.integers(len(_CARDBOARDS)))], float)
    flutes = np.sin(np.arange(SIDE) * 2 * np.pi / rng.uniform(13, 19))
    relief = 2.5 * _noise(rng, 5, 5) + 2.2 * flutes + 3.5 * _noise(rng, SIDE, SIDE)
    return base + relief[..., None]


def _plaster(rng: np.random.Generator) -> np.ndarray:
    """Near white, to multiply with: trowelled, with a slow unevenness."""
    relief = 2.2 * _noise(rng, 7, 5) + 2.6 * _noise(rng, 60, 40) + 1.8 * _noise(rng, SIDE // 2, SIDE // 2)
    return np.repeat((246 + relief)[..., None], 3, axis=2)


def _brick(rng: np.random.Generator) -> np.ndarray:
    """A running bond with recessed joints; each brick has a shade of its own."""
    base, mortar = (np.array(rgb, float) for rgb in _BRICKS[int(rng.integers(len(_BRICKS)))])
    rows, columns = np.indices((SIDE, SIDE))
    high, wide = SIDE / _COURSES, 3 * SIDE / _COURSES
    course = (rows / high).astype(int)
    along = columns + (course % 2) * wide / 2
    brick = (along / wide).astype(int) % (_COURSES // 3)
    own = rng.uniform(0.86, 1.06, size=(_COURSES, _COURSES // 3, 1)) + rng.uniform(
        -0.015, 0.015, (_COURSES, _COURSES // 3, 3)
    )
    x, y = along % wide, rows - course * high
    joint = np.minimum(np.minimum(x, wide - x), np.minimum(y, high - y)) < _JOINT / 2
    lit = 0.08 * (np.minimum(x, y) < 2.6) - 0.12 * (np.minimum(wide - x, high - y) < 2.8)
    grain = 0.035 * _noise(rng, SIDE, SIDE) + 0.03 * _noise(rng, 90, 60)
    faces = base * (own[course, brick] + (lit + grain)[..., None])
    return np.where(joint[..., None], mortar + 6 * _noise(rng, SIDE, SIDE)[..., None], faces)


def _concrete(rng: np.random.Generator) -> np.ndarray:
    """Near white, to multiply with: clouded, with pores."""
    clouds = 3 * _noise(rng, 6, 6) + 2.2 * _noise(rng, 24, 18) + 2.5 * _noise(rng, SIDE, SIDE)
    pores = -26.0 * (_noise(rng, SIDE // 3, SIDE // 3) > 2.7)
    return np.repeat((232 + clouds + pores)[..., None], 3, axis=2)


def _noise(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """(SIDE, SIDE) of unit variance at its nodes, smooth between ``rows`` x ``columns`` of them."""
    nodes = rng.standard_normal((rows, columns)).astype(np.float32)
    if (rows, columns) == (SIDE, SIDE):
        return nodes
    return np.asarray(Image.fromarray(nodes).resize((SIDE, SIDE), Image.Resampling.BICUBIC))


_DRAWN: dict[Surface, Callable[[np.random.Generator], np.ndarray]] = {
    "paper": _paper,
    "wood": _wood,
    "slate": _slate,
    "cardboard": _cardboard,
    "plaster": _plaster,
    "brick": _brick,
    "concrete": _concrete,
}
