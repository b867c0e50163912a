"""The noise schedule: a shift towards noise that grows with the number of image tokens.

Training draws sigma from any density on (0, 1) and shifts it; sampling walks a shifted, stretched
ladder from 1 down to 0. sigma = 1 is pure noise, ``x_sigma = (1 - sigma) data + sigma noise``.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy as np
from torch import Tensor

from model.config import ScheduleConfig

Number = TypeVar("Number", float, np.ndarray, Tensor)
Count = TypeVar("Count", float, np.ndarray)


QWEN_IMAGE = ScheduleConfig()


def mu(n_tokens: Count, config: ScheduleConfig = QWEN_IMAGE) -> Count:
    """The shift's exponent for ``n_tokens`` *target* tokens: 0.5 at 256, 0.694 at 4096 (1024 x 1024)."""
    slope = (config.max_shift - config.base_shift) / (config.max_image_seq_len - config.base_image_seq_len)
    return n_tokens * slope + (config.base_shift - slope * config.base_image_seq_len)


def shift(sigma: Number, mu: float | Tensor) -> Number:
    """Exponential time shift, e^mu / (e^mu + 1/sigma - 1); keeps 0 and 1. ``mu`` broadcasts against ``sigma``."""
    e: Any = mu.exp() if isinstance(mu, Tensor) else math.exp(mu)
    return e / (e + (1 / sigma - 1))


def sigmas(steps: int, n_tokens: int, config: ScheduleConfig = QWEN_IMAGE) -> np.ndarray:
    """(steps + 1,) float32 ladder of the sampler, from 1 to 0, as FlowMatchEulerDiscreteScheduler makes it.

    The last value before 0 is stretched to ``shift_terminal``.
    """
    if steps < 1:
        raise ValueError(f"steps: {steps}; at least 1 is needed")
    linear = np.linspace(1.0, 1 / steps, steps).astype(np.float32)
    shifted = shift(linear, mu(n_tokens, config))
    if config.shift_terminal and steps > 1:  # a single step has nothing to stretch: it starts at pure noise
        gap = 1 - shifted
        shifted = 1 - gap / (gap[-1] / (1 - config.shift_terminal))
    return np.append(shifted, 0).astype(np.float32)
