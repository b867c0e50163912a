"""Pictures as captioners get them."""

from __future__ import annotations

import io
import math

import numpy as np
from PIL import Image

_QUALITY = 95
"""Of the JPEG that travels; chosen: small writing stays legible."""


def within(pixels: np.ndarray, most: int) -> np.ndarray:
    """uint8 (H, W, 3) shrunk to at most about ``most`` px of area; smaller ones as they are."""
    height, width = pixels.shape[:2]
    scale = math.sqrt(most / (height * width))
    if scale >= 1:
        return pixels
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.LANCZOS, reducing_gap=3.0))


def jpeg(pixels: np.ndarray) -> bytes:
    """As JPEG without subsampled colors."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=_QUALITY, subsampling=0)
    return buffer.getvalue()
