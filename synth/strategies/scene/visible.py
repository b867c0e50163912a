"""Whether text can be read on the finished picture: its contrast is measured there, after light, blur and antialiasing.

image, the same without its texts ──check_visible──> Undrawable where one is too faint
"""

from __future__ import annotations

import numpy as np
from PIL import Image

from synth.drawing.colors import luminance
from synth.drawing.layers import Drawing
from synth.errors import Undrawable

_SEEN = 3.0
"""Chosen: least WCAG contrast of a text's better quarter of ink to what lies behind it. Thin strokes of small type do not
reach their color in any pixel, whatever color that is."""
_INK = 1.1  # chosen: contrast from which on a pixel counts as ink
_LINEAR = np.array([luminance((v, v, v)) for v in range(256)], np.float32)
_WEIGHTS = (0.2126, 0.7152, 0.0722)


def check_visible(drawing: Drawing, image: Image.Image, behind: np.ndarray) -> None:
    """Raise Undrawable unless each text can be seen well. ``behind``: (h, w, 3 or more) uint8 without the texts."""
    (w, h), seen = drawing.canvas, np.asarray(image)
    for layer in drawing.texts:
        x0, y0, x1, y1 = layer.bounds()
        part = np.s_[max(int(y0), 0) : min(int(y1) + 1, h), max(int(x0), 0) : min(int(x1) + 1, w)]
        after, before = _luminance(seen[part]), _luminance(behind[part])
        contrast = (np.maximum(after, before) + 0.05) / (np.minimum(after, before) + 0.05)
        ink = contrast[contrast > _INK]
        if not len(ink) or np.quantile(ink, 0.75) < _SEEN:
            raise Undrawable("the text can hardly be seen on this photograph")


def _luminance(pixels: np.ndarray) -> np.ndarray:
    """WCAG relative luminance of (..., 3 or more) uint8."""
    red, green, blue = (_LINEAR[pixels[..., k]] * weight for k, weight in enumerate(_WEIGHTS))
    light: np.ndarray = red + green + blue
    return light
