"""Muon: momentum whose every matrix is made orthogonal before it is applied (K. Jordan, 2024).

An update that is dominated by a few directions moves a layer only along those; orthogonalised, it moves
along all of them alike. The tiny models learn in a half to a quarter of AdamW's steps that way
(``benchmarks/learning.md``). For matrices and convolution kernels, seen as (outputs, everything else);
vectors, embeddings and the first and last layers belong to AdamW.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

# Coefficients of the quintic iteration as published: they push singular values into about 0.7..1.2 in five rounds.
A, B, C = 3.4445, -4.7750, 2.0315


def orthogonalise(matrix: Tensor, rounds: int = 5) -> Tensor:
    """(m, n) -> the matrix of the same singular vectors with singular values near 1. Computed in bfloat16."""
    x = matrix.to(torch.bfloat16)
    tall = x.shape[0] > x.shape[1]
    x = x.T if tall else x
    x = x / (x.norm() + 1e-7)
    for _ in range(rounds):
        gram = x @ x.T
        x = A * x + (B * gram + C * gram @ gram) @ x
    return (x.T if tall else x).to(matrix.dtype)


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalised, with the root mean square of AdamW's updates.

    That is 0.2 sqrt(longer side) (J. Liu et al., 2025, arXiv 2502.16982), so that a learning rate and a
    weight decay mean the same here and there.
    """

    def __init__(
        self, parameters: Iterable[Tensor], lr: float, momentum: float = 0.95, weight_decay: float = 0.0
    ) -> None:
        super().__init__(parameters, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self._update(parameter, parameter.grad, group["lr"], group["momentum"], group["weight_decay"])

    def _update(self, parameter: Tensor, gradient: Tensor, lr: float, momentum: float, weight_decay: float) -> None:
        gradient = gradient.flatten(1)
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(gradient)
        average = state["momentum"].lerp_(gradient, 1 - momentum)
        update = orthogonalise(gradient.lerp(average, momentum))
        scale = 0.2 * max(update.shape) ** 0.5
        parameter.mul_(1 - lr * weight_decay)
        parameter.add_(update.view(parameter.shape), alpha=-lr * scale)
