"""The optimizer (AdamW, or Muon beside it), its rate over the run, and the averaged weights."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from trainer.optim.config import OptimizerConfig
from trainer.optim.muon import Muon


def make_optimizer(model: nn.Module, config: OptimizerConfig) -> OptimizerGroup:
    """Over parameters that train; biases and norms do not decay. ``kind: muon`` takes the blocks' matrices from AdamW."""
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    chosen = [n for n, p in trained.items() if config.kind == "muon" and _is_block_matrix(n, p)]
    matrices = [trained.pop(n) for n in chosen]
    groups = [
        {"params": [p for p in trained.values() if p.ndim > 1], "weight_decay": config.weight_decay},
        {"params": [p for p in trained.values() if p.ndim <= 1], "weight_decay": 0.0},
    ]
    adamw = torch.optim.AdamW(groups, lr=config.lr, betas=config.betas, eps=config.eps, fused=True)
    return (
        OptimizerGroup(adamw, Muon(matrices, lr=config.lr, weight_decay=config.weight_decay))
        if matrices
        else OptimizerGroup(adamw)
    )


def _is_block_matrix(name: str, parameter: Tensor) -> bool:
    """Attention's and the MLPs' weights. Modulations start at zero and depend on few inputs: they stay with AdamW."""
    return parameter.ndim == 2 and name.startswith("transformer_blocks.") and "_mod." not in name


class OptimizerGroup:
    """Several optimizers that are driven, saved and restored as one."""

    def __init__(self, *parts: torch.optim.Optimizer) -> None:
        self.parts = parts

    @property
    def param_groups(self) -> list[dict[str, Any]]:
        """The groups of all parts; setting a field there sets it."""
        return [group for part in self.parts for group in part.param_groups]

    def step(self) -> None:
        for part in self.parts:
            part.step()

    def zero_grad(self, set_to_none: bool = True) -> None:
        for part in self.parts:
            part.zero_grad(set_to_none)

    def state_dict(self) -> dict[str, Any]:
        return {"parts": [part.state_dict() for part in self.parts]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        for part, saved in zip(self.parts, state["parts"], strict=True):
            part.load_state_dict(saved)
