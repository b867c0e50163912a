"""Flat areas of a photograph: boxes of little texture, found with integral images of the gradient."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from synth.errors import Undrawable
from synth.geometry import Box

_MAX_GRADIENT = 9.0  # chosen: gray levels between neighboring cells; a box with a lower mean counts as flat
_SKY = 14.0  # chosen: gray levels between neighboring cells; less is sky, down from the upper edge
_EDGE = 30.0  # chosen: gray levels between neighboring cells; more is the outline of a thing
_MAX_EDGES = 0.02  # chosen: fraction of a flat box's cells that may lie on an outline


def find_flat_box(
    cells: np.ndarray, canvas: tuple[int, int], aspect: float, rng: np.random.Generator, avoid: Sequence[Box] = ()
) -> Box:
    """A box (px of ``canvas``) of little texture, with about the aspect ratio asked for. Raises Undrawable.

    ``cells``: (h, w) gray levels of the photograph, a few px to a cell. Five sizes are tried; of the flat boxes one is
    drawn, large ones more often. It shares no cell with the boxes ``avoid``, px of ``canvas``.
    """
    rough = np.hypot(np.diff(cells, axis=1, prepend=cells[:, :1]), np.diff(cells, axis=0, prepend=cells[:1]))
    spread, edges, taken = _integral(rough), _integral(rough > _EDGE), _integral(_cells_of(avoid, rough.shape, canvas))
    found: list[tuple[float, int, int, int, int]] = []
    rows, columns = rough.shape
    for fraction in (0.9, 0.72, 0.55, 0.4, 0.3):
        width = fraction * min(columns, rows * aspect)
        bw, bh = max(int(width), 3), max(int(width / aspect), 2)
        if bw > columns - 2 or bh > rows - 2:
            continue
        is_flat = (_sums(spread, bw, bh) < _MAX_GRADIENT * bw * bh) & (_sums(edges, bw, bh) <= _MAX_EDGES * bw * bh)
        is_flat &= _sums(taken, bw, bh) == 0
        flat = np.argwhere(is_flat[1:-1, 1:-1]) + 1
        if len(flat):
            row, column = flat[int(rng.integers(len(flat)))]
            found.append((bw * bh, int(column), int(row), bw, bh))
    if not found:
        raise Undrawable("the photograph has no flat place of this shape")
    sizes = np.array([f[0] for f in found])
    _, x, y, bw, bh = found[int(rng.choice(len(found), p=sizes / sizes.sum()))]
    sx, sy = canvas[0] / columns, canvas[1] / rows
    return (x * sx, y * sy, (x + bw) * sx, (y + bh) * sy)


def _cells_of(boxes: Sequence[Box], shape: tuple[int, ...], canvas: tuple[int, int]) -> np.ndarray:
    """(h, w) of bool: the cells that one of the boxes touches."""
    touched = np.zeros(shape, bool)
    sx, sy = canvas[0] / shape[1], canvas[1] / shape[0]
    for x0, y0, x1, y1 in boxes:
        touched[int(y0 / sy) : math.ceil(y1 / sy), int(x0 / sx) : math.ceil(x1 / sx)] = True
    return touched


def covered(corners: np.ndarray, boxes: Sequence[Box]) -> float:
    """The largest fraction of a box that lies under the upright box around ``corners`` (n, 2), px; 0 without boxes.

    More than lies under the corners' own shape, never less, and quick enough to try many places.
    """
    left, top = corners.min(axis=0).tolist()
    right, bottom = corners.max(axis=0).tolist()
    fractions = [0.0]
    for x0, y0, x1, y1 in boxes:
        width, height = min(x1, right) - max(x0, left), min(y1, bottom) - max(y0, top)
        if width > 0 and height > 0:
            fractions.append(width * height / ((x1 - x0) * (y1 - y0)))
    return max(fractions)


def sky_under(cells: np.ndarray, canvas: tuple[int, int], corners: np.ndarray) -> float:
    """The fraction of the upright box around ``corners`` (n, 2), px, behind which there is sky.

    ``cells`` as for ``find_flat_box``. Sky is what is even from the upper edge of the photograph down to the first outline.
    """
    rough = np.abs(np.diff(cells, axis=0, prepend=cells[:1])) + np.abs(np.diff(cells, axis=1, prepend=cells[:, :1]))
    sky = np.logical_and.accumulate(rough < _SKY, axis=0)
    sx, sy = canvas[0] / cells.shape[1], canvas[1] / cells.shape[0]
    (left, top), (right, bottom) = corners.min(axis=0), corners.max(axis=0)
    part = sky[
        max(int(top / sy), 0) : max(math.ceil(bottom / sy), 1), max(int(left / sx), 0) : max(math.ceil(right / sx), 1)
    ]
    return float(part.mean()) if part.size else 0.0


def _integral(values: np.ndarray) -> np.ndarray:
    """Sums over everything above and to the left, with a row and a column of zeros in front."""
    sums = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    sums[1:, 1:] = values.cumsum(axis=0).cumsum(axis=1)
    return sums


def _sums(integral: np.ndarray, width: int, height: int) -> np.ndarray:
    """Sums over every box of ``width`` x ``height`` cells, by its top left corner."""
    return (
        integral[height:, width:]
        - integral[:-height, width:]
        - integral[height:, :-width]
        + integral[:-height, :-width]
    )
