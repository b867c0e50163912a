"""Muon: momentum whose every matrix is made orthogonal before it is applied (K. Jordan, 2024).

An update that is dominated by a few directions moves a layer only along those; orthogonalized, it moves
along all of them alike. In the same number of steps the tiny model learns three times as many characters
as with AdamW (``benchmarks/learning.md``). For matrices and convolution kernels, seen as (outputs,
everything else); vectors, embeddings and the first and last layers belong to AdamW.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from model.precision import product_dtype

Rounds = tuple[tuple[float, float, float], ...]
# In float32: round by round the odd quintic a x + b x^3 + c x^5 that stays nearest to 1 on the interval which the
# round before leaves, first [LOW, 1] (Polar Express: N. Amsel et al., 2025, arXiv 2505.16932). Remez' algorithm found
# them; the tests check that their errors equioscillate.
LOW = 0.01  # chosen: singular values from here to 1 come out within ERROR of 1
ERROR = 0.26944
NEAREST: Rounds = (
    (8.0933685125, -23.6204303288, 17.4461517498),
    (3.6365855543, -2.7219267466, 0.5365462883),
    (2.6612999858, -1.9771545219, 0.452616407),
)
# In bfloat16: the quintic as published by K. Jordan, to 0.67..1.21. Those above shoot up beyond their interval, where
# rounding to 8 bits takes singular values. In five rounds it was published, with values counted by Frobenius' norm.
GENTLE: Rounds = ((3.4445, -4.7750, 2.0315),) * 4
STACK_BYTES = 256 * 2**20  # chosen: of matrices worked on together; the products of larger stacks are no faster


def orthogonalize(matrices: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """(..., m, n) -> matrices of the same singular vectors, with singular values near 1 (NEAREST, GENTLE).

    They are counted in units of the eighth root of the sum of their eighth powers, which lies just above the largest
    and comes for nothing out of the first round. ``dtype``: of the products; None is bfloat16 where the device has
    kernels for it, else float32.
    """
    dtype = dtype or product_dtype(torch.bfloat16, matrices.device)
    tall = matrices.shape[-2] > matrices.shape[-1]
    x = (matrices.mT if tall else matrices).to(dtype).reshape(-1, *sorted(matrices.shape[-2:]))
    x = x / (_size(x) + 1e-7)
    # Working on the m x m Gram matrix squares small singular values, for which bfloat16 has too few digits.
    work = _by_gram if dtype != torch.bfloat16 and x.shape[-1] >= 2 * x.shape[-2] else _directly
    x = work(x, GENTLE if dtype == torch.bfloat16 else NEAREST)
    x = x.mT if tall else x
    return x.reshape(matrices.shape).to(matrices.dtype)


def _size(x: Tensor) -> Tensor:
    """Frobenius norm of each matrix, (N, 1, 1)."""
    return x.norm(dim=(-2, -1), keepdim=True)


def _scaled(gram: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """The scale of the singular values, and Gram matrix and its square in that unit."""
    square = gram @ gram
    scale = _size(square).sqrt() * (1 + 4 * torch.finfo(gram.dtype).eps)  # of the Gram matrix; room for rounding
    scale = scale.clamp_min(1e-12)  # of zeros
    return scale.sqrt(), gram / scale, square / scale.square()


def _directly(x: Tensor, rounds: Rounds) -> Tensor:
    """x <- (a + b G + c G^2) x with G = x x^T, round by round."""
    gram = x @ x.mT
    scale, gram, square = _scaled(gram)
    x = x / scale
    for number, (a, b, c) in enumerate(rounds):
        if number:
            gram = x @ x.mT
            square = gram @ gram
        x = torch.baddbmm(x, square.mul_(c).add_(gram, alpha=b), x, beta=a)
    return x


def _by_gram(x: Tensor, rounds: Rounds) -> Tensor:
    """The same from two products with x: the rounds run on the small Gram matrix, since all factors commute."""
    scale, gram, square = _scaled(x @ x.mT)
    total: Tensor | None = None
    for number, (a, b, c) in enumerate(rounds):
        if number:
            square = gram @ gram
        factor = square.mul_(c).add_(gram, alpha=b)
        factor.diagonal(dim1=-2, dim2=-1).add_(a)
        total = factor if total is None else total @ factor
        if number < len(rounds) - 1:
            gram = (gram @ factor) @ factor
    assert total is not None
    return total @ (x / scale)


class Muon(torch.optim.Optimizer):
    """Nesterov momentum, orthogonalized, with the root mean square of AdamW's updates.

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
            for shape, parameters in alike.items():
                count = max(1, STACK_BYTES // (4 * shape.numel()))
                for start in range(0, len(parameters), count):
                    part = parameters[start : start + count]
                    self._update(part, group["lr"], group["momentum"], group["weight_decay"])

    def _update(self, parameters: list[Tensor], lr: float, momentum: float, weight_decay: float) -> None:
        moving = torch.stack([self._with_momentum(p, momentum) for p in parameters])
        updates = orthogonalize(moving).mul_(0.2 * max(moving.shape[1:]) ** 0.5)
        for parameter, update in zip(parameters, updates, strict=True):
            parameter.mul_(1 - lr * weight_decay)
            parameter.add_(update.view(parameter.shape), alpha=-lr)

    def _with_momentum(self, parameter: Tensor, momentum: float) -> Tensor:
        assert parameter.grad is not None
        gradient, state = parameter.grad.flatten(1), self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(gradient)
        return gradient.lerp(state["momentum"].lerp_(gradient, 1 - momentum), momentum)
