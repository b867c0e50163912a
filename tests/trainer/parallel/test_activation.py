"""Checkpointed blocks: the same gradients, bitwise, from less."""

from __future__ import annotations

import pytest
import torch

from model.memory import activation_bytes
from tests.model.test_memory import Live
from tests.trainer.optim.networks import IMAGES, SMALL, TEXTS, batches, layout, network
from trainer.parallel.activation import prepare_blocks


@pytest.mark.parametrize("mode", ["selective", "full"])
def test_gradients_are_those_of_keeping_everything(mode):
    (inputs, target), *_ = batches(1)
    gradients = []
    for way in ("none", mode):
        model = network()
        names = list(model.state_dict())
        prepare_blocks(model, way, compiled=False)
        assert list(model.state_dict()) == names
        (model(*inputs, layout()) - target).square().mean().backward()
        gradients.append([p.grad for p in model.parameters() if p.requires_grad])
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(*gradients, strict=True))


@pytest.mark.parametrize("mode", ["none", "selective", "full"])
def test_it_keeps_what_the_memory_plan_says(mode):
    model = network()
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
    prepare_blocks(model, mode, compiled=False)
    (inputs, target), *_ = batches(1)
    order = layout()
    with Live() as live:
        out = model(*(x.clone() for x in inputs), order)
        (out - target).square().mean().backward()
    tokens = sum(h * w for sample in IMAGES for h, w in sample), sum(TEXTS)
    formula = activation_bytes(SMALL, *tokens, 4, mode)
    unit = 4 * sum(tokens) * SMALL.dim
    # Above the formula of 33 to 79 D a token: gradients on their way through a block, and at this width tables per sample.
    assert abs(live.peak - formula) < 11 * unit


@pytest.mark.parametrize("mode", ["selective", "full"])
def test_only_what_was_not_kept_is_computed_again(mode):
    """Products of a step by their number: full repeats all of a block, selective all but attention and the MLP's second."""
    from torch.utils.flop_counter import FlopCounterMode

    (inputs, target), *_ = batches(1)
    flops = {}
    for way in ("none", mode):
        model = network()
        prepare_blocks(model, way, compiled=False)
        with FlopCounterMode(display=False) as counter:
            (model(*inputs, layout()) - target).square().mean().backward()
        flops[way] = counter.get_total_flops()
    more = flops[mode] / flops["none"] - 1
    # A third of forward and backward; of that a block's 24 D^2 products 16 are repeated, and the modulation's.
    assert 0.25 < more < 0.34 if mode == "full" else 0.16 < more < 0.25


@pytest.mark.long
@pytest.mark.parametrize("mode", ["none", "selective", "full"])
def test_compiled_blocks_have_the_same_gradients(mode):
    (inputs, target), *_ = batches(1)
    gradients = []
    for compiled in (False, True):
        model = network()
        prepare_blocks(model, mode, compiled)
        (model(*inputs, layout()) - target).square().mean().backward()
        gradients.append(torch.cat([p.grad.flatten() for p in model.parameters() if p.requires_grad]))
    apart = (gradients[1] - gradients[0]).norm() / gradients[0].norm()
    assert apart < 1e-4  # the rounding of fused kernels
