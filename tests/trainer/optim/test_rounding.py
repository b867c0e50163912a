"""Stochastic rounding: right on average, the same for the same key, and harmless where there is nothing to round."""

import pytest
import torch

from tests.tolerance import counting
from trainer.optim.rounding import parameter_key, rounding_key, store


def rounded(wide, key):
    narrow = torch.empty(wide.shape, dtype=torch.bfloat16)
    store(narrow, wide, rounding_key(narrow.device, key))
    return narrow


@pytest.mark.parametrize("share", [0.1, 0.5, 0.93])
@pytest.mark.parametrize("sign", [1, -1])
def test_a_number_goes_up_as_often_as_it_lies_high(share, sign):
    low, high = 1.0, 1.0 + 2**-7  # neighbors in bf16
    draws = 200_000
    result = rounded(torch.full((draws,), sign * (low + share * (high - low))), (0, 1, 2)).float() * sign
    assert set(result.unique().tolist()) == {low, high}
    assert (result == high).double().mean().item() == pytest.approx(share, abs=counting(share, draws) + 2**-16)


def test_an_update_below_half_a_step_is_not_lost():
    """A hundred updates of 1/1000 of the weight: rounded to nearest none of them would move it."""
    weights = torch.ones(10_000, dtype=torch.bfloat16)
    for step in range(100):
        store(weights, weights.float() + 1e-3, rounding_key(weights.device, (7, step, 0)))
    # Of a sum of 100 steps of up to one bf16 distance, over 10,000 weights: four deviations of the mean.
    assert weights.double().mean().item() == pytest.approx(1.1, abs=4 * 10 * 2**-7 / 100)


def test_the_key_decides():
    wide = torch.rand(1000)
    first = rounded(wide, (3, 5, parameter_key("a.weight"), 0))
    assert torch.equal(first, rounded(wide, (3, 5, parameter_key("module.a._orig_mod.weight"), 0)))
    for other in (
        (4, 5, parameter_key("a.weight"), 0),
        (3, 6, parameter_key("a.weight"), 0),
        (3, 5, 1, 0),
        (3, 5, 1, 1),
    ):
        assert not torch.equal(first, rounded(wide, other))


def test_what_bf16_has_stays_what_it_is():
    exact = torch.tensor([0.0, -0.0, 1.0, -3.5, 2.0**-130, torch.finfo(torch.bfloat16).max])
    assert torch.equal(rounded(exact, (1,)).float(), exact)
    odd = rounded(torch.tensor([float("inf"), -float("inf"), float("nan")]), (1,))
    assert odd[0] == float("inf")
    assert odd[1] == -float("inf")
    assert odd[2].isnan()
