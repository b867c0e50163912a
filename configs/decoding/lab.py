"""CIE L*a*b* to sRGB: D50, as TIFF and ICC have it, brought to D65 by Bradford's matrix. CIE 15, IEC 61966-2-1."""

from __future__ import annotations

import numpy as np

_WHITE = np.array((0.9642, 1.0, 0.8249), dtype=np.float32)
_TO_LINEAR = np.array(
    [
        [3.1338561, -1.6168667, -0.4906146],
        [-0.9787684, 1.9161415, 0.0334540],
        [0.0719453, -0.2289914, 1.4052427],
    ],
    dtype=np.float32,
)
"""XYZ at D50 -> linear sRGB; B. Lindbloom, "RGB/XYZ Matrices"."""


def lab_to_srgb(lab: np.ndarray) -> np.ndarray:
    """(..., 3) floats, L 0..100 -> uint8 sRGB; what lies outside of its gamut is clipped."""
    middle = (lab[..., 0] + 16) / 116
    cubes = np.stack([middle + lab[..., 1] / 500, middle, middle - lab[..., 2] / 200], axis=-1)
    xyz = np.where(cubes > 6 / 29, cubes**3, 3 * (6 / 29) ** 2 * (cubes - 4 / 29)).astype(np.float32) * _WHITE
    return _encoded(xyz @ _TO_LINEAR.T)


def _encoded(linear: np.ndarray) -> np.ndarray:
    """Linear light, 0..1 -> uint8 by the curve of sRGB."""
    linear = linear.clip(0, 1)
    curved = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(curved * 255).astype(np.uint8)
