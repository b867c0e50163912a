"""The stochastic sampler of Flow-GRPO (arXiv 2505.05470) in the released sign, where t = sigma = 1 is noise (FACTS 3).

    dx = (v + s_t^2 / (2 t) (x + (1 - t) v)) dt + s_t dw,   s_t = a sqrt(t / (1 - t)),   dt < 0

Its marginals are those of the ODE dx = v dt for any a, so a policy explores without leaving what it was trained on. A step
from t to t' is a Gaussian around ``mean`` with ``std``, so it has a probability, which a gradient can raise or lower.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Move:
    """(M, C) ``mean`` and (M, 1) ``std`` of where a step leads."""

    mean: Tensor
    std: Tensor


def sde_move(x: Tensor, velocity: Tensor, t: Tensor, t_next: Tensor, a: float) -> Move:
    """One Euler-Maruyama step. ``x``, ``velocity``: (M, C); ``t`` > ``t_next``: (M, 1).

    s_t has no bound where t nears 1: there it is taken at ``t_next``, as the authors do.
    """
    at = t.where(t < 1, t_next)
    variance = a * a * at / (1 - at)  # s_t^2
    drift = velocity + variance / (2 * t) * (x + (1 - t) * velocity)
    return Move(x + drift * (t_next - t), (variance * (t - t_next)).sqrt())


def log_probability(x_next: Tensor, move: Move) -> Tensor:
    """(M,) of each token, the mean over its channels: ratios would leave all bounds if thousands of numbers were summed."""
    each = -(x_next - move.mean).square() / (2 * move.std.square()) - move.std.log() - 0.5 * math.log(2 * math.pi)
    return each.mean(dim=1)


def divergence(policy: Move, reference: Move) -> Tensor:
    """(M,) KL divergence of each token, the mean over its channels; both have the same ``std``."""
    return ((policy.mean - reference.mean).square() / (2 * policy.std.square())).mean(dim=1)
