"""Overlapping tiles over a large picture, and one map made of what was computed tile by tile.

picture ──grid──> tiles of at most ``edge`` px, neighbors share ``overlap`` px
map of each tile ──its core──> one map      cores lie side by side: no seam is covered twice, none is left out
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Tile:
    """Where a tile lies, px: ``seen`` is what is looked at, ``core`` the part of it that counts; (top, left, bottom, right)."""

    seen: tuple[int, int, int, int]
    core: tuple[int, int, int, int]


def grid(height: int, width: int, edge: int, overlap: int) -> list[Tile]:
    """Tiles whose cores cover a picture of ``height`` x ``width`` px once, row by row."""
    rows, columns = _spans(height, edge, overlap), _spans(width, edge, overlap)
    return [
        Tile((top, left, bottom, right), (core_top, core_left, core_bottom, core_right))
        for top, bottom, core_top, core_bottom in rows
        for left, right, core_left, core_right in columns
    ]


def _spans(length: int, edge: int, overlap: int) -> list[tuple[int, int, int, int]]:
    """(start, end, core start, core end) along one axis: as few as there can be, evenly spread, cut in the middle of
    what two neighbors share."""
    if length <= edge:
        return [(0, length, 0, length)]
    count = -(-(length - overlap) // (edge - overlap))
    starts = [round(i * (length - edge) / (count - 1)) for i in range(count)]
    cuts = [(later + start + edge) // 2 for start, later in itertools.pairwise(starts)]
    return [
        (start, start + edge, low, high) for start, low, high in zip(starts, [0, *cuts], [*cuts, length], strict=True)
    ]


def touched(tiles: Sequence[Tile], mask: np.ndarray, scale: tuple[float, float]) -> list[Tile]:
    """The tiles in whose cores ``mask`` is set anywhere. ``mask``: bool (H, W); ``scale``: px of it for one px of the
    tiles, down and across."""
    found = []
    for tile in tiles:
        top, left, bottom, right = tile.core
        rows = slice(int(top * scale[0]), max(int(np.ceil(bottom * scale[0])), 1))
        columns = slice(int(left * scale[1]), max(int(np.ceil(right * scale[1])), 1))
        if mask[rows, columns].any():
            found.append(tile)
    return found


def put_core(whole: np.ndarray, tile: Tile, part: np.ndarray) -> None:
    """Write the core of ``tile`` into ``whole``, (H, W). ``part``: what was computed of ``tile.seen``, at least its size."""
    top, left, bottom, right = tile.core
    y, x = tile.seen[0], tile.seen[1]
    whole[top:bottom, left:right] = part[top - y : bottom - y, left - x : right - x]
