"""The optimizer in the backward pass: what it computes, what it frees, what it refuses."""

from __future__ import annotations

import math

import pytest
import torch

from configs import RunFailed
from tests.trainer.optim.networks import Training, apart, batches, layout
from trainer.optim.backward import squared_norm, unit_of
from trainer.optim.config import OptimizerConfig
from trainer.optim.optimizer import make_optimizer

CLIP = 0.05  # some blocks' norms are above, some below


@pytest.mark.parametrize("plan", ["adamw", "adamw8bit", "adafactor"])
@pytest.mark.parametrize("checkpointing", ["none", "full"])
def test_it_equals_clipping_each_block_and_stepping_after(plan, checkpointing):
    inside = Training(OptimizerConfig(plan=plan, in_backward=True, lr=1e-3), checkpointing, CLIP)
    after = Training(OptimizerConfig(plan=plan, in_backward=True, lr=1e-3))
    after.model = Training(OptimizerConfig()).model  # without hooks
    optimizer = make_optimizer(after.model, after.config, seed=5)
    clipped = []
    for inputs, target in batches(4):
        (after.model(*inputs, layout()) - target).square().mean().backward()
        units: dict[str, list[torch.nn.Parameter]] = {}
        for name, parameter in after.model.named_parameters():
            if parameter.requires_grad:
                units.setdefault(unit_of(name), []).append(parameter)
        norms = [math.sqrt(squared_norm(unit).item()) for unit in units.values()]
        theirs = [torch.nn.utils.get_total_norm([p.grad for p in unit]).item() for unit in units.values()]
        assert norms == pytest.approx(theirs, rel=1e-5)
        for unit in units.values():
            scale = CLIP / squared_norm(unit).sqrt().clamp_min(CLIP)
            for parameter in unit:
                parameter.grad *= scale
        clipped += [norm > CLIP for norm in norms]
        optimizer.step()
        optimizer.zero_grad()
        inside.run(1)
        assert inside.norms[-1] == pytest.approx(sum(n**2 for n in norms) ** 0.5, rel=1e-4)
    assert any(clipped)
    assert not all(clipped)
    assert apart(inside.weights(), dict(after.model.state_dict())) == 0


def test_gradients_of_one_unit_exist_at_a_time():
    training = Training(OptimizerConfig(plan="adafactor", in_backward=True))
    parameters = dict(training.model.named_parameters())
    seen: list[set[str]] = []
    for parameter in parameters.values():
        if parameter.requires_grad:
            parameter.register_post_accumulate_grad_hook(
                lambda _: seen.append({unit_of(n) for n, p in parameters.items() if p.grad is not None})
            )
    training.run(1)
    blocks = [{unit for unit in units if unit.startswith("transformer_blocks")} for units in seen]
    assert max(map(len, blocks)) == 1
    assert {unit for units in blocks for unit in units} == {f"transformer_blocks.{i}" for i in range(3)}
    assert all(p.grad is None for p in parameters.values())


def test_a_second_backward_pass_is_refused():
    training = Training(OptimizerConfig(in_backward=True))
    (inputs, target), *_ = batches(1)
    training.stepper.begin(0, 1e-3)
    (training.model(*inputs, layout()) - target).square().mean().backward()
    with pytest.raises(RunFailed, match="second backward pass"):
        (training.model(*inputs, layout()) - target).square().mean().backward()


def test_it_stops_at_the_first_block_that_is_not_finite():
    training = Training(OptimizerConfig(in_backward=True, lr=1e-3))
    before = training.weights()
    broken = training.model.transformer_blocks[1].img_mlp.net[2].bias
    broken.register_hook(lambda gradient: gradient * float("nan"))
    with pytest.raises(RunFailed, match=r"the gradient of transformer_blocks\.1 is not finite \(nan\)"):
        training.run(1)
    moved = {unit_of(name) for name, weights in training.weights().items() if not torch.equal(weights, before[name])}
    assert moved == {"transformer_blocks.2"}  # behind it in the backward pass
    assert all(weights.isfinite().all() for weights in training.weights().values())


def test_a_parameter_without_gradient_does_not_hold_up_its_block():
    training = Training(OptimizerConfig(in_backward=True, lr=1e-3))
    extra = torch.nn.Parameter(torch.ones(3))
    training.model.transformer_blocks[0].unused = extra
    training = _again(training)
    before = training.weights()
    training.run(1)
    after = training.weights()
    assert torch.equal(extra, torch.ones(3))
    assert not torch.equal(
        after["transformer_blocks.0.attn.to_q.weight"], before["transformer_blocks.0.attn.to_q.weight"]
    )


def _again(training: Training) -> Training:
    """Hooks for the model as it is now."""
    from trainer.optim.backward import BackwardOptimizer

    for parameter in training.model.parameters():
        hooks = parameter._post_accumulate_grad_hooks
        if hooks:
            hooks.clear()
    training.optimizer = make_optimizer(training.model, training.config)
    training.stepper = BackwardOptimizer(training.model, training.optimizer, 1e9)
    return training
