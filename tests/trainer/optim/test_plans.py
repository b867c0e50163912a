"""Every plan against fp32 AdamW and against torch's own, and that a resumed one goes on bitwise alike."""

from __future__ import annotations

import copy

import pytest
import torch

from tests.trainer.optim.networks import Training, apart
from trainer.optim.config import OptimizerConfig
from trainer.optim.plans import Adafactor, AdamW

STEPS = 30
# Of the distance that fp32 AdamW walks, how far from its end a plan may end; and of its loss, how far the last losses
# may lie. fp32 in another order of operations: a few ulp a step. 8 bits: a moment's code is off by up to 1/28 (half the
# distance of two codes in the upper decade), at random; a walk of 30 such steps. bf16: a weight of size w is off by up
# to w / 256, at random, whatever AdamW does: with weights of 0.06 and 0.009 walked that is a fifth. Adafactor is
# another method; it must learn as much.
CLOSE = {"adamw": 1e-4, "adamw8bit": 0.05}
OF_BF16 = 0.25
LOSS = {"adamw": 1e-4, "adamw8bit": 0.02}


@pytest.fixture(scope="module")
def reference():
    training = Training(OptimizerConfig(lr=3e-4))
    start = training.weights()
    losses = training.run(STEPS)
    return losses, training.weights(), apart(training.weights(), start)


@pytest.mark.parametrize("in_backward", [False, True])
@pytest.mark.parametrize("weights", ["fp32", "bf16"])
@pytest.mark.parametrize("plan", ["adamw", "adamw8bit"])
def test_a_plan_walks_where_adamw_in_fp32_does(reference, plan, weights, in_backward):
    losses, end, walked = reference
    training = Training(OptimizerConfig(plan=plan, weights=weights, in_backward=in_backward, lr=3e-4))
    mine = training.run(STEPS)
    room = CLOSE[plan] + (OF_BF16 if weights == "bf16" else 0)
    assert apart(training.weights(), end) < room * walked
    assert sum(mine[-5:]) == pytest.approx(sum(losses[-5:]), rel=LOSS[plan] + (0.01 if weights == "bf16" else 0))


@pytest.mark.parametrize("weights", ["fp32", "bf16"])
def test_adafactor_learns_as_much(reference, weights):
    losses, _, walked = reference
    training = Training(OptimizerConfig(plan="adafactor", weights=weights, lr=3e-4))
    start = training.weights()
    mine = training.run(STEPS)
    assert sum(mine[-5:]) < sum(losses[-5:]) * 1.2
    assert 0.5 < apart(training.weights(), start) / walked < 2  # the rate means the same


def _walk(optimizer, parameters, steps, seed=0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        for parameter in parameters:
            parameter.grad = (1e-4 * torch.randn(parameter.shape, generator=generator)).to(dtype)
        optimizer.step()


def _parameters(dtype=torch.float32):
    generator = torch.Generator().manual_seed(1)
    shapes = {"a.weight": (64, 128), "a.bias": (64,)}
    return {
        name: torch.nn.Parameter(torch.randn(shape, generator=generator).to(dtype)) for name, shape in shapes.items()
    }


def test_our_adamw_is_torchs():
    mine, theirs = _parameters(), _parameters()
    settings = {"lr": 1e-3, "betas": (0.9, 0.95), "eps": 1e-15, "weight_decay": 0.1}
    _walk(AdamW([{"params": list(mine.values())}], mine, **settings), mine.values(), 20)
    _walk(torch.optim.AdamW(theirs.values(), **settings), theirs.values(), 20)
    for name in mine:
        torch.testing.assert_close(mine[name], theirs[name], rtol=1e-6, atol=1e-7)


def test_our_adafactor_is_torchs_with_an_absolute_rate():
    """torch's multiplies the rate by the weights' root mean square, which is told to it anew before every step."""
    mine, theirs = _parameters(), _parameters()
    ours = Adafactor([{"params": list(mine.values())}], mine, lr=1e-3, eps=1e-15, weight_decay=0.0)
    them = [torch.optim.Adafactor([p], lr=1e-3, eps=(1e-15, 1e-30), weight_decay=0.0) for p in theirs.values()]

    class Both:
        def step(self):
            for optimizer, parameter in zip(them, theirs.values(), strict=True):
                optimizer.param_groups[0]["lr"] = 1e-3 / parameter.detach().square().mean().sqrt().item()
                optimizer.step()

    _walk(ours, mine.values(), 20)
    _walk(Both(), theirs.values(), 20)
    for name in mine:
        torch.testing.assert_close(mine[name], theirs[name], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("plan", ["adamw", "adamw8bit", "adafactor"])
def test_a_resumed_plan_goes_on_bitwise_alike_with_bf16_weights(plan):
    config = OptimizerConfig(plan=plan, weights="bf16", lr=1e-3)
    first = Training(config)
    first.run(3)
    second = Training(config)
    second.model.load_state_dict(first.weights())
    second.optimizer.load_state_dict(copy.deepcopy(first.optimizer.state_dict()))
    second.done = 3
    for mine, theirs in zip(
        first.optimizer.parts[0].state.values(), second.optimizer.parts[0].state.values(), strict=True
    ):
        assert {n: t.dtype for n, t in mine.items()} == {n: t.dtype for n, t in theirs.items()}
        assert torch.bfloat16 not in {t.dtype for t in theirs.values()}
    assert first.run(3) == second.run(3)
    assert apart(first.weights(), second.weights()) == 0
