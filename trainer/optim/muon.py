"""Muon: momentum whose every matrix is made orthogonal before it is applied (K. Jordan, 2024).

An update that is dominated by a few directions moves a layer only along those; orthogonalised, it moves
along all of them alike. In the same number of steps the tiny model learns three times as many characters
as with AdamW (``benchmarks/learning.md``). For matrices and convolution kernels, seen as (outputs,
everything else); vectors, embeddings and the first and last layers belong to AdamW.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

# Coefficients of the quintic iteration as published: they push singular values into about 0.7..1.2 in five rounds.
A, B, C = 3.4445, -4.7750, 2.0315


def orthogonalise(matrices: Tensor, rounds: int = 5) -> Tensor:
    """(..., m, n) -> matrices of the same singular vectors with singular values near 1. Computed in bfloat16."""
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = (matrices.mT if tall else matrices).to(torch.bfloat16).reshape(-1, *sorted(matrices.shape[-2:]))
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(rounds):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=B, alpha=C), x, beta=A)
    x = x.mT if tall else x
    return x.reshape(matrices.shape).to(matrices.dtype)


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised, with the root mean square of AdamW's updates.

    That is 0.2 sqrt(longer side) (J. Liu et al., 2025, arXiv 2502.16982), so that a learning rate and a
    weight decay mean the same here and there. Matrices of one shape are worked on together.
    """

    def __init__(
        self, parameters: Iterable[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        for group in self.param_groups:
            alike: dict[torch.Size, list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    alike.setdefault(parameter.flatten(1).shape, []).append(parameter)
            for parameters in alike.values():
                self._update(parameters, group["lr"], group["momentum"], group["weight_decay"])

    def _update(self, parameters: list[Tensor], lr: float, momentum: float, weight_decay: float) -> None:
        moving = torch.stack([self._with_momentum(p, momentum) for p in parameters])
        updates = orthogonalise(moving).mul_(0.2 * max(moving.shape[1:]) ** 0.5)
        for parameter, update in zip(parameters, updates, strict=True):
            parameter.mul_(1 - lr * weight_decay)
            parameter.add_(update.view(parameter.shape), alpha=-lr)

    def _with_momentum(self, parameter: Tensor, momentum: float) -> Tensor:
        assert parameter.grad is not None
        gradient, state = parameter.grad.flatten(1), self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(gradient)
        return gradient.lerp(state["momentum"].lerp_(gradient, 1 - momentum), momentum)
