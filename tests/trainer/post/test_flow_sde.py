"""The stochastic sampler has the marginals of the deterministic one; probabilities are those of its Gaussians."""

from __future__ import annotations

import itertools

import pytest
import torch

from trainer.post.flow_sde import Move, divergence, log_probability, sde_move

MEAN, STD = 2.0, 0.5
"""Of the data, one number."""


def velocity(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
    """E[noise - data | x] where data is a Gaussian and x = (1 - t) data + t noise."""
    variance = (1 - t) ** 2 * STD**2 + t**2
    off = x - (1 - t) * MEAN
    return t / variance * off - (MEAN + (1 - t) * STD**2 / variance * off)


@pytest.mark.parametrize("a", [0.3, 0.7, 1.0])
def test_marginals_are_those_of_the_data(a: float) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn((40_000, 1), generator=generator, dtype=torch.float64)
    ladder = torch.linspace(1, 0, 401, dtype=torch.float64)
    for t, t_next in itertools.pairwise(ladder):
        move = sde_move(x, velocity(x, t), t.expand(1, 1), t_next.expand(1, 1), a)
        x = move.mean + move.std * torch.randn(x.shape, generator=generator, dtype=torch.float64)
        if abs(float(t_next) - 0.5) < 1e-9:  # half-way, too
            assert float(x.mean()) == pytest.approx(0.5 * MEAN, abs=0.03)
            assert float(x.std()) == pytest.approx((0.25 * STD**2 + 0.25) ** 0.5, abs=0.02)
    assert float(x.mean()) == pytest.approx(MEAN, abs=0.03)
    assert float(x.std()) == pytest.approx(STD, abs=0.03)


def test_the_first_step_of_a_ladder_is_finite() -> None:
    one = torch.ones(1, 1)
    move = sde_move(torch.zeros(3, 2), torch.ones(3, 2), one, 0.9 * one, 0.7)
    assert move.mean.isfinite().all()
    assert 0 < float(move.std) < 1


def test_probabilities_are_torchs() -> None:
    generator = torch.Generator().manual_seed(1)
    x, mean, other = (torch.randn((5, 4), generator=generator) for _ in range(3))
    std = torch.rand((5, 1), generator=generator) + 0.1
    normal, second = (torch.distributions.Normal(m, std.expand(5, 4)) for m in (mean, other))
    assert torch.allclose(log_probability(x, Move(mean, std)), normal.log_prob(x).mean(dim=1), atol=1e-5)
    expected = torch.distributions.kl_divergence(normal, second).mean(dim=1)
    assert torch.allclose(divergence(Move(mean, std), Move(other, std)), expected, atol=1e-5)
