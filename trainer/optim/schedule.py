"""The learning rate over the run."""

from __future__ import annotations

import math

from trainer.optim.config import OptimizerConfig


def rate(step: int, steps: int, config: OptimizerConfig, factor: float = 1.0) -> float:
    """Learning rate of ``step`` (0..steps-1): linear warm-up, then cosine or constant; times ``factor``.

    The cosine would reach ``final`` one step after the last: with ``final`` 0 the last step still moves the weights.
    """
    warm = min(1.0, (step + 1) / config.warmup) if config.warmup else 1.0
    if config.schedule == "cosine":
        progress = step / steps
        warm *= config.final + (1 - config.final) * 0.5 * (1 + math.cos(math.pi * progress))
    return config.lr * factor * warm
