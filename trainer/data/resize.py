"""Pictures to the size of their bucket."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image

from trainer.order.bucket import Bucket, windows


def resize_to_cover(pixels: np.ndarray, bucket: Bucket, keep: Sequence[int] | np.ndarray = (0, 0, 0, 0)) -> np.ndarray:
    """Resize (H, W, 3) uint8 to cover the bucket and cut what is beyond: (bucket height, bucket width, 3).

    ``keep``: left, top, right, bottom in px of what must not be cut, as in ``Batch.keeps``; the order has chosen a bucket
    that can hold it.
    """
    height, width = pixels.shape[:2]
    if (width, height) == tuple(bucket):
        return pixels
    box, _ = windows(np.array([[width, height]]), np.array([bucket]), np.array([keep]))
    return np.asarray(Image.fromarray(pixels).resize(bucket, Image.Resampling.LANCZOS, box=tuple(box[0].tolist())))
