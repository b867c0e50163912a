"""Masked loss: from the picture of a mask to a weight for every image token."""

from __future__ import annotations

import numpy as np

from synth.sizes import MULTIPLE


def token_weights(mask: np.ndarray, outside: float = 0.0) -> np.ndarray:
    """(H, W) or (H, W, 3) uint8, resized and cut as its picture was -> (N,) float32 weights of the N = H/16 * W/16
    target tokens, row by row.

    White counts 1, black ``outside``, gray in between; a token takes the mean over its 16 x 16 px. The weights are
    scaled to a mean of 1, so that a sample counts the same whether its mask is small or large: its loss is the
    weighted mean over its tokens. Where nothing counts (the crop may have cut the marked part away) all are 0.
    """
    gray = mask if mask.ndim == 2 else mask.mean(axis=2)
    height, width = gray.shape
    blocks = gray.reshape(height // MULTIPLE, MULTIPLE, width // MULTIPLE, MULTIPLE)
    share = blocks.mean(axis=(1, 3), dtype=np.float64).ravel() / 255
    weights = outside + (1 - outside) * share
    total = weights.sum()
    return (weights * (len(weights) / total if total > 0 else 0.0)).astype(np.float32)
