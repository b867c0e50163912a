"""Flat areas of a photograph: boxes of little texture, found with integral images of the gradient."""

from __future__ import annotations

import numpy as np

from synth.errors import Undrawable
from synth.geometry import Box

_MAX_GRADIENT = 9.0  # chosen: gray levels between neighboring cells; a box with a lower mean counts as flat
_EDGE = 30.0  # chosen: gray levels between neighboring cells; more is the outline of a thing
_MAX_EDGES = 0.02  # chosen: fraction of a flat box's cells that may lie on an outline


def find_flat_box(cells: np.ndarray, canvas: tuple[int, int], aspect: float, rng: np.random.Generator) -> Box:
    """A box (px of ``canvas``) of little texture, with about the aspect ratio asked for. Raises Undrawable.

    ``cells``: (h, w) gray levels of the photograph, a few px to a cell. Five sizes are tried; of the flat boxes one is
    drawn, large ones more often.
    """
    rough = np.hypot(np.diff(cells, axis=1, prepend=cells[:, :1]), np.diff(cells, axis=0, prepend=cells[:1]))
    spread, edges = _integral(rough), _integral(rough > _EDGE)
    found: list[tuple[float, int, int, int, int]] = []
    rows, columns = rough.shape
    for fraction in (0.9, 0.72, 0.55, 0.4, 0.3):
        width = fraction * min(columns, rows * aspect)
        bw, bh = max(int(width), 3), max(int(width / aspect), 2)
        if bw > columns - 2 or bh > rows - 2:
            continue
        is_flat = (_sums(spread, bw, bh) < _MAX_GRADIENT * bw * bh) & (_sums(edges, bw, bh) <= _MAX_EDGES * bw * bh)
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
