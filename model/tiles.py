"""Convolutions on a large picture window by window, with the result of the whole.

A window is a tile and, around it, as many pixels as the tile's result can depend on (the halo). What
its false borders spoil lies in the halo and is cut away; at the picture's own border the window ends
too, so that convolutions pad there as they would. Nothing is blended and no seam can appear.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise, product

from torch import Tensor


@dataclass(frozen=True)
class Window:
    """Along one axis: the tile is [start, stop), what is read for it [low, high)."""

    start: int
    stop: int
    low: int
    high: int


def windows(length: int, tile: int, halo: int) -> list[Window]:
    """Tiles of about equal size, at most ``tile`` long, that cover ``length``."""
    count = math.ceil(length / tile)
    limits = [length * i // count for i in range(count + 1)]
    return [Window(start, stop, max(0, start - halo), min(length, stop + halo)) for start, stop in pairwise(limits)]


def tiled(local: Callable[[Tensor], Tensor], x: Tensor, up: int, down: int, tile: int, halo: int) -> Tensor:
    """``local(x)``, a stack of convolutions that enlarges by ``up`` and reduces by ``down``, in windows.

    ``tile`` and ``halo`` are in units of ``down`` pixels of ``x`` (B, C, H, W).
    """
    rows, columns = (windows(side // down, tile, halo) for side in x.shape[-2:])
    if len(rows) == len(columns) == 1:
        return local(x)
    out: Tensor | None = None
    for r, c in product(rows, columns):
        y = local(x[..., r.low * down : r.high * down, c.low * down : c.high * down])
        if out is None:
            out = y.new_empty(*y.shape[:2], *(side // down * up for side in x.shape[-2:]))
        y = y[..., (r.start - r.low) * up : (r.stop - r.low) * up, (c.start - c.low) * up : (c.stop - c.low) * up]
        out[..., r.start * up : r.stop * up, c.start * up : c.stop * up] = y
    assert out is not None
    return out
