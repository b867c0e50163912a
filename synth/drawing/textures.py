"""Surfaces drawn from noise: paper, wood, slate, cardboard. Tiles are few and kept, so that a sample costs no noise.

    tile(kind, number) ──> (512, 512, 3) uint8, the same for the same number

A tile is used as a picture of its own (wood, slate, cardboard) or multiplied onto a color (paper).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Literal

import numpy as np
from PIL import Image

Surface = Literal["paper", "wood", "slate", "cardboard"]
SIDE = 512  # px
_VARIANTS = 12  # tiles of a kind
_WOODS = ((176, 124, 74), (140, 92, 52), (205, 165, 112), (108, 70, 42))
_SLATES = ((38, 62, 50), (34, 38, 42), (28, 54, 46))
_CARDBOARDS = ((196, 160, 118), (182, 148, 108), (206, 176, 138))


@lru_cache(maxsize=64)
def tile(kind: Surface, number: int) -> np.ndarray:
    """The tile; read only. ``number`` is taken modulo the number of variants."""
    rng = np.random.Generator(np.random.PCG64([SIDE, number % _VARIANTS, len(kind), ord(kind[0])]))
    made = {"paper": _paper, "wood": _wood, "slate": _slate, "cardboard": _cardboard}[kind](rng)
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


def _noise(rng: np.random.Generator, rows: int, columns: int) -> np.ndarray:
    """(SIDE, SIDE) of unit variance at its nodes, smooth between ``rows`` x ``columns`` of them."""
    nodes = rng.standard_normal((rows, columns)).astype(np.float32)
    if (rows, columns) == (SIDE, SIDE):
        return nodes
    return np.asarray(Image.fromarray(nodes).resize((SIDE, SIDE), Image.Resampling.BICUBIC))
