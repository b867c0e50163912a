"""From rewards to what a policy is told: by how much a picture is better than the others of its prompt."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor


def advantages(rewards: np.ndarray) -> tuple[np.ndarray, int]:
    """((P, G) rewards less their group's mean, over its standard deviation; how many groups have none and teach nothing).

    ``rewards``: (P, G), a group of pictures for each prompt; NaN is a picture without one: its advantage is 0.
    """
    known = np.isfinite(rewards)
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    mean = np.where(known, rewards, 0.0).sum(axis=1, keepdims=True) / count
    off = np.where(known, rewards - mean, 0.0)
    deviation = np.sqrt((off**2).sum(axis=1, keepdims=True) / count)
    flat = deviation < 1e-6
    return np.where(flat, 0.0, off / np.where(flat, 1.0, deviation)), int(flat.sum())


def clipped(log_ratio: Tensor, advantage: Tensor, clip: float) -> tuple[Tensor, Tensor]:
    """(B,) losses of PPO's clipped objective, and which of them are cut off. ``log_ratio``: (B,) of the new probability to
    the one that the picture was drawn with."""
    ratio = log_ratio.exp()
    bounded = ratio.clamp(1 - clip, 1 + clip)
    loss = -torch.minimum(ratio * advantage, bounded * advantage)
    return loss, (ratio - bounded).abs() > 0
