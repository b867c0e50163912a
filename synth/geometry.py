"""Plane transforms as 3 x 3 matrices: a layer's own coordinates to pixels of the picture.

Column vectors (x, y, 1); y points down, so a positive angle turns clockwise. Perspective maps lines to lines, so
the image of a box's corners bounds the image of what is inside.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

_NEAR = 0.12  # chosen: of a side, how far what stands in a corner is off it

Matrix = np.ndarray  # (3, 3) float64
Point = tuple[float, float]
Box = tuple[float, float, float, float]  # x0 y0 x1 y1


def identity() -> Matrix:
    return np.eye(3)


def translation(dx: float, dy: float) -> Matrix:
    return np.array([[1.0, 0.0, dx], [0.0, 1.0, dy], [0.0, 0.0, 1.0]])


def rotation(degrees: float, center: Point = (0.0, 0.0)) -> Matrix:
    """A turn about ``center``, clockwise on screen."""
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    turn = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    return translation(*center) @ turn @ translation(-center[0], -center[1])


def _homography(source: Sequence[Point], target: Sequence[Point]) -> Matrix:
    """The perspective that takes four points to four others. Raises ValueError when three of them are in a line."""
    rows, right = [], []
    for (x, y), (u, v) in zip(source, target, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        right += [u, v]
    try:
        solved = np.linalg.solve(np.array(rows, float), np.array(right, float))
    except np.linalg.LinAlgError:
        raise ValueError(f"no perspective takes {list(source)} to {list(target)}") from None
    return np.append(solved, 1.0).reshape(3, 3)


def from_box(width: float, height: float, target: Sequence[Point]) -> Matrix:
    """The perspective that spreads the box (0, 0, width, height) over four corners, from the top left clockwise."""
    return _homography([(0, 0), (width, 0), (width, height), (0, height)], target)


def apply(matrix: Matrix, points: np.ndarray) -> np.ndarray:
    """(N, 2) points transformed."""
    moved = points @ matrix[:, :2].T + matrix[:, 2]
    return moved[:, :2] / moved[:, 2:]


def in_corner(box: Box, canvas: tuple[int, int]) -> bool:
    """Whether a box stands so near to one corner of a canvas (px) that a person would say so."""
    (x0, y0, x1, y1), (w, h) = box, canvas
    return min(x0, w - x1) <= _NEAR * w and min(y0, h - y1) <= _NEAR * h


def is_shift(matrix: Matrix) -> bool:
    """Whether only a translation is left: boxes stay boxes of the same size."""
    (a, b, _), (c, d, _), (e, f, g) = matrix.tolist()
    return (a, b, c, d, e, f, g) == (1, 0, 0, 1, 0, 0, 1)


def area(quad: np.ndarray) -> float:
    """Signed area of a polygon (N, 2), positive when its corners run clockwise on screen."""
    x, y = quad[:, 0], quad[:, 1]
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)


def box_around(points: np.ndarray, margin: float = 0.0) -> Box:
    """Smallest upright box around (N, 2) points, ``margin`` wider on each side."""
    (left, top), (right, bottom) = (points.min(axis=0) - margin).tolist(), (points.max(axis=0) + margin).tolist()
    return left, top, right, bottom


def grid(box: Box, columns: int, rows: int) -> np.ndarray:
    """((columns + 1) (rows + 1), 2) points that are spread over a box, row after row."""
    x0, y0, x1, y1 = box
    xs, ys = np.meshgrid(np.linspace(x0, x1, columns + 1), np.linspace(y0, y1, rows + 1))
    return np.stack((xs.ravel(), ys.ravel()), axis=1)


def union(boxes: Sequence[Box]) -> Box:
    """Smallest box around boxes."""
    return (min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes))


def around(points: Sequence[tuple[float, float]]) -> Box:
    """Smallest box around points."""
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    return min(xs), min(ys), max(xs), max(ys)
