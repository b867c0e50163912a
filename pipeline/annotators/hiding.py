"""Whether a region of a picture was made unreadable: by a mosaic, or by a blur that its surroundings do not have.

Both are numbers without a unit, 0 untouched .. 1 hidden; formulas and constants are chosen, on the faces of
scikit-image (astronaut, lfw_subset): untouched ones have at most 0.4, also smoothed, noisy or before a soft background;
blocks of a sixteenth of a face and more at least 0.7, down to JPEG of quality 60; blurs of a fiftieth of its width and
more at least 0.9, of a hundredth 0.7.
"""

from __future__ import annotations

import numpy as np

_EDGE = 96
"""px to which the longer side of a region is shrunk, so that its size does not matter; smaller ones stay."""
_LEAST_BLOCK, _STEP = 4.0, 0.5
"""px: the smallest block of a mosaic, and how finely sizes are tried, for a mosaic of n blocks has any width / n."""
_SHARP = 0.7
"""Fine over coarse detail of an untouched photograph (natural pictures have about as much at all scales): surroundings
that are only noise have more, and must not make a smooth face look blurred."""
_DETAIL = 1.0
"""Squared gray levels of coarse detail in the surroundings below which they are flat, and say nothing."""


def mosaic(gray: np.ndarray) -> float:
    """How far the steps between neighbors stand on a regular grid.

    ``gray``: float (H, W) 0..255, the region. p(x) is the mean absolute step from column x to x + 1. For each block
    size and place of the grid, on is the median of p at grid lines, off that away from them; the largest
    (on - off) / (on + off + 1), averaged over columns and rows.
    """
    return (_grid(gray) + _grid(gray.T)) / 2


def _grid(gray: np.ndarray) -> float:
    step = np.abs(np.diff(gray, axis=1)).mean(axis=0)
    best = 0.0
    for block in np.arange(_LEAST_BLOCK, len(step) / 4, _STEP):
        lines = np.arange(int(len(step) / block) + 1) * block
        for place in range(int(block)):
            at = np.rint(lines + place).astype(int)
            best = max(best, _contrast(step, at[at < len(step)]))
    return best


def _contrast(step: np.ndarray, at: np.ndarray) -> float:
    """``at``: the grid lines; columns next to one belong to neither side, as shrinking spreads a step over two."""
    between = np.ones(len(step), bool)
    for shift in (-1, 0, 1):
        between[np.clip(at + shift, 0, len(step) - 1)] = False
    if len(at) < 4 or not between.any():
        return 0.0
    on, off = float(np.median(step[at])), float(np.median(step[between]))
    return (on - off) / (on + off + 1)


def blurred(gray: np.ndarray, left: int, top: int, width: int, height: int) -> float:
    """How much of its fine detail a region lacks, beside what is around it.

    ``gray``: float (H, W) 0..255, the picture; the region in px. With d(a, b) the mean square between the picture
    blurred by Gaussians of a and b px, and r = d(0, 1) / d(2, 4): 1 - r(region) / min(r(surroundings), 0.7), where the
    surroundings reach half a region further on each side; 0 where these are flat. A picture that is blurred as a whole
    gives 0.
    """
    y0, y1 = max(0, top - height // 2), min(gray.shape[0], top + height + height // 2)
    x0, x1 = max(0, left - width // 2), min(gray.shape[1], left + width + width // 2)
    around = shrunk(gray[y0:y1, x0:x1], _EDGE * max(y1 - y0, x1 - x0) / max(width, height))
    scale = around.shape[1] / (x1 - x0)
    box = [round(v * scale) for v in (left - x0, top - y0, left - x0 + width, top - y0 + height)]
    inner, outer = np.zeros(around.shape, bool), np.ones(around.shape, bool)
    border = max(1, round(width * scale / 6))  # the box of a detector holds a little of what is around the face
    inner[box[1] + border : box[3] - border, box[0] + border : box[2] - border] = True
    outer[max(0, box[1] - 2) : box[3] + 2, max(0, box[0] - 2) : box[2] + 2] = False
    fine, coarse = _detail(around)
    if not inner.any() or not outer.any() or coarse[outer].mean() < _DETAIL:
        return 0.0
    here = fine[inner].mean() / (coarse[inner].mean() + 1e-6)
    there = min(fine[outer].mean() / (coarse[outer].mean() + 1e-6), _SHARP)
    return float(max(0.0, 1 - here / (there + 1e-6)))


def _detail(gray: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Squares of (d(0, 1), d(2, 4)) at each px."""
    import cv2

    one, two, four = (cv2.GaussianBlur(gray, (0, 0), sigma) for sigma in (1, 2, 4))
    return (gray - one) ** 2, (two - four) ** 2


def shrunk(gray: np.ndarray, edge: float = _EDGE) -> np.ndarray:
    """float32 (H, W) shrunk by areas until its longer side is ``edge`` px; a smaller one as it is."""
    import cv2

    scale = edge / max(gray.shape)
    gray = gray.astype(np.float32)
    size = [max(1, round(side * scale)) for side in reversed(gray.shape)]
    return cv2.resize(gray, size, interpolation=cv2.INTER_AREA) if scale < 1 else gray
