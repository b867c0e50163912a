"""Cut a slanted line out of a picture."""

from __future__ import annotations

import numpy as np


def cut_out(picture: np.ndarray, quad: np.ndarray) -> np.ndarray:
    """The inside of ``quad`` ((4, 2) px, clockwise from its top left) as an upright picture, bicubic.

    Size: the longer ones of opposite edges, rounded down, at least 1 px. What lies outside of the picture repeats its edge.
    """
    import cv2

    lengths = np.linalg.norm(quad - np.roll(quad, -1, axis=0), axis=1)
    width, height = (max(1, int(max(lengths[i], lengths[i + 2]))) for i in (0, 1))
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], dtype=np.float32)
    transform = cv2.getPerspectiveTransform(quad.astype(np.float32), corners)
    return cv2.warpPerspective(
        picture, transform, (width, height), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )
