"""The Fréchet distance of two sets of features, each taken for a Gaussian (Heusel et al. 2017)."""

from __future__ import annotations

import numpy as np


def frechet(a: np.ndarray, b: np.ndarray) -> float:
    """|mean_a - mean_b|^2 + trace(A + B - 2 (A B)^(1/2)) of (N, D) and (M, D) features, at least 2 rows each."""
    if min(len(a), len(b)) < 2:
        raise ValueError(f"features of {len(a)} and {len(b)} pictures; at least 2 each are needed")
    a, b = a.astype(np.float64), b.astype(np.float64)
    shift = a.mean(0) - b.mean(0)
    left, right = np.cov(a, rowvar=False).reshape(a.shape[1], -1), np.cov(b, rowvar=False).reshape(a.shape[1], -1)
    # The trace of (A B)^(1/2) is that of (S B S)^(1/2) with S = A^(1/2), which is symmetric: real roots, no complex noise.
    values, vectors = np.linalg.eigh(left)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ right @ root).clip(0)).sum()
    return max(
        0.0, float(shift @ shift + np.trace(left) + np.trace(right) - 2 * cross)
    )  # of equal sets but for rounding
