"""AdamW, its rate over the run, and the averaged weights."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from trainer.config import OptimizerConfig


def make_optimizer(model: nn.Module, config: OptimizerConfig) -> torch.optim.AdamW:
    """Over parameters that train; biases and norms do not decay."""
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=config.lr, betas=config.betas, eps=config.eps, fused=True)


def rate(step: int, steps: int, config: OptimizerConfig, factor: float = 1.0) -> float:
    """Learning rate of ``step`` (0..steps-1): linear warm-up, then cosine to ``final`` or constant; times ``factor``."""
    warm = min(1.0, (step + 1) / config.warmup) if config.warmup else 1.0
    if config.schedule == "cosine":
        progress = (step + 1) / steps
        warm *= config.final + (1 - config.final) * 0.5 * (1 + math.cos(math.pi * progress))
    return config.lr * factor * warm


class Average:
    """Exponential moving average of the trained parameters, by name."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights: dict[str, Tensor] = {
            n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad
        }

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights after ``step``. The decay grows from 0.1: an average of the start is of no use."""
        decay = min(self.decay, (1 + step) / (10 + step))
        mine = list(self.weights.values())
        theirs = [p for p in model.parameters() if p.requires_grad]
        torch._foreach_lerp_(mine, theirs, 1 - decay)

    def state(self, model: nn.Module) -> dict[str, Tensor]:
        """A whole state dict: averaged where there is an average, the model's own elsewhere."""
        return {**model.state_dict(), **self.weights}
