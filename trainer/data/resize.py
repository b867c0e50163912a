"""Pictures to the size of their bucket."""

from __future__ import annotations

import numpy as np
from PIL import Image

from trainer.order.bucket import Bucket, growth


def resize_to_cover(pixels: np.ndarray, bucket: Bucket) -> np.ndarray:
    """Resize (H, W, 3) uint8 to cover the bucket and cut its center: (bucket height, bucket width, 3)."""
    height, width = pixels.shape[:2]
    if (width, height) == bucket:
        return pixels
    scale = growth((width, height), bucket)
    left, top = (max(0.0, n - side / scale) / 2 for n, side in ((width, bucket[0]), (height, bucket[1])))
    box = (left, top, width - left, height - top)
    return np.asarray(Image.fromarray(pixels).resize(bucket, Image.Resampling.LANCZOS, box=box))
