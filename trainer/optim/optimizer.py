"""The optimizer that ``OptimizerConfig`` asks for: which class has which parameter."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from trainer.optim.config import OptimizerConfig
from trainer.optim.eight_bit import AdamW8bit
from trainer.optim.muon import Muon
from trainer.optim.plans import Adafactor, AdamW, Group, PlannedOptimizer

_CHANNELS = 16  # chosen: with fewer, a kernel is hardly a matrix
_PLANS: dict[str, type[PlannedOptimizer]] = {"adamw": AdamW, "adamw8bit": AdamW8bit, "adafactor": Adafactor}


def make_optimizer(model: nn.Module, config: OptimizerConfig, seed: int = 0) -> OptimizerGroup:
    """Over parameters that train; biases and norms do not decay. ``kind: muon`` takes from AdamW the blocks' matrices,
    and of a VAE the kernels between its first and its last convolution.

    After the model was cut over ranks and its blocks offloaded. ``seed``: of the rounding of bf16 weights.
    """
    trained = {n: p for n, p in model.named_parameters() if p.requires_grad}
    chosen = [n for n, p in trained.items() if config.kind == "muon" and _is_hidden_matrix(n, p)]
    matrices = [trained.pop(n) for n in chosen]
    rest = _planned(trained, config, seed)
    return (
        OptimizerGroup(rest, Muon(matrices, lr=config.lr, weight_decay=config.weight_decay))
        if matrices
        else OptimizerGroup(rest)
    )


def _planned(trained: Mapping[str, Tensor], config: OptimizerConfig, seed: int) -> torch.optim.Optimizer:
    groups = _groups(trained, config.weight_decay)
    own = config.plan != "adamw" or config.weights == "bf16" or config.in_backward or config.offload_blocks
    if not own:
        return torch.optim.AdamW(groups, lr=config.lr, betas=config.betas, eps=config.eps, fused=True)
    settings = {"lr": config.lr, "eps": config.eps, "weight_decay": config.weight_decay}
    if config.plan != "adafactor":
        settings["betas"] = config.betas  # type: ignore[assignment]
    return _PLANS[config.plan](groups, trained, seed, **settings)


def _groups(trained: Mapping[str, Tensor], weight_decay: float) -> list[Group]:
    """What decays and what does not; torch's fused kernels take parameters of one mesh at a time."""
    groups: dict[tuple[bool, object], Group] = {}
    for parameter in trained.values():
        decays = parameter.ndim > 1
        key = (not decays, getattr(parameter, "device_mesh", None))
        group = groups.setdefault(key, {"params": [], "weight_decay": weight_decay if decays else 0.0})
        group["params"].append(parameter)
    return [groups[key] for key in sorted(groups, key=lambda k: k[0])]


def is_kernel_matrix(parameter: Tensor) -> bool:
    """Whether a convolution's kernel has enough channels on both sides to be worked on as a matrix."""
    return parameter.ndim > 2 and min(parameter.shape[:2]) >= _CHANNELS


def _is_hidden_matrix(name: str, parameter: Tensor) -> bool:
    """Attention's and the MLPs' weights, and kernels between many channels. Modulations start at zero and depend on few
    inputs: they stay with AdamW, as do a VAE's first and last convolutions."""
    if is_kernel_matrix(parameter):
        return not any(end in name for end in ("conv_in.", "conv_out."))
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
