"""Calm places in a photograph: boxes of little texture, found with an integral image of the gradient."""

from __future__ import annotations

import numpy as np

from synth.errors import Undrawable
from synth.geometry import Box

CALM = 9.0  # grey levels: mean gradient between neighbouring cells that still counts as flat (ours)
EDGE = 30.0  # grey levels between neighbouring cells: the outline of some thing (ours)
EDGES = 0.02  # of the cells of a flat box may lie on one (ours)


def find_flat_box(cells: np.ndarray, canvas: tuple[int, int], aspect: float, rng: np.random.Generator) -> Box:
    """A box (px of ``canvas``) of little texture, with about the wanted aspect ratio. Raises Undrawable.

    ``cells``: the photograph in grey, a few px to a cell. Boxes of five sizes are looked at; of the flat ones one is
    drawn, large ones more often.
    """
    rough = np.hypot(np.diff(cells, axis=1, prepend=cells[:, :1]), np.diff(cells, axis=0, prepend=cells[:1]))
    spread, edges = _integral(rough), _integral(rough > EDGE)
    found: list[tuple[float, int, int, int, int]] = []
    rows, columns = rough.shape
    for part in (0.9, 0.72, 0.55, 0.4, 0.3):
        width = part * min(columns, rows * aspect)
        bw, bh = max(int(width), 3), max(int(width / aspect), 2)
        if bw > columns - 2 or bh > rows - 2:
            continue
        is_calm = (_sums(spread, bw, bh) < CALM * bw * bh) & (_sums(edges, bw, bh) <= EDGES * bw * bh)
        flat = np.argwhere(is_calm[1:-1, 1:-1]) + 1
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
    whole = np.zeros((values.shape[0] + 1, values.shape[1] + 1))
    whole[1:, 1:] = values.cumsum(axis=0).cumsum(axis=1)
    return whole


def _sums(integral: np.ndarray, width: int, height: int) -> np.ndarray:
    """Sums over every box of ``width`` x ``height`` cells, by its top left corner."""
    return (
        integral[height:, width:]
        - integral[:-height, width:]
        - integral[height:, :-width]
        + integral[:-height, :-width]
    )
