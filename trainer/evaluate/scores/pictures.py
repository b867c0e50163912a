"""How near one picture is to another: PSNR and SSIM."""

from __future__ import annotations

import math

import numpy as np
from scipy.ndimage import gaussian_filter

_PEAK = 255.0
_C1, _C2 = (0.01 * _PEAK) ** 2, (0.03 * _PEAK) ** 2
_SIGMA, _RADIUS = 1.5, 5
"""A Gaussian window of 11 px: Wang et al. 2004."""
_BEST = 100.0
"""dB of equal pictures, which have no error to divide by; chosen."""


def psnr(picture: np.ndarray, target: np.ndarray, where: np.ndarray | None = None) -> float:
    """dB over all pixels, or those ``where`` (H, W) is true; both uint8 (H, W, 3). 100 for equal ones."""
    error = (picture.astype(np.float64) - target) ** 2
    mean = float((error if where is None else error[where]).mean())
    return min(_BEST, 10 * math.log10(_PEAK**2 / mean)) if mean else _BEST


def ssim(picture: np.ndarray, target: np.ndarray) -> float:
    """The mean over pixels whose window lies inside and over channels; both uint8 (H, W, 3), at least 11 px a side."""
    x, y = picture.astype(np.float64), target.astype(np.float64)
    mx, my = _blur(x), _blur(y)
    vx, vy, vxy = _blur(x * x) - mx * mx, _blur(y * y) - my * my, _blur(x * y) - mx * my
    each = (2 * mx * my + _C1) * (2 * vxy + _C2) / ((mx * mx + my * my + _C1) * (vx + vy + _C2))
    return float(each[_RADIUS:-_RADIUS, _RADIUS:-_RADIUS].mean())


def _blur(x: np.ndarray) -> np.ndarray:
    blurred: np.ndarray = gaussian_filter(x, (_SIGMA, _SIGMA, 0), truncate=_RADIUS / _SIGMA)
    return blurred
