"""Checkpointed blocks: the same gradients, bitwise, from less."""

from __future__ import annotations

from functools import partial

import pytest
import torch

from model.layout import Padding, make_layout
from model.memory import activation_bytes
from tests.model.test_compile import loop
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


@pytest.mark.parametrize("mode", ["none", "selective", "full"])
def test_a_graph_serves_batches_of_any_length(monkeypatch, mode):
    """Of 20 ragged batches; those of a curriculum have new sizes in every step, and torch gives up at the ninth graph."""
    from torch._dynamo.utils import counters

    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", loop)
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    torch._dynamo.reset()
    counters.clear()
    model, generator, sizes, longests = network(), torch.Generator().manual_seed(0), set(), set()
    prepare_blocks(model, mode, compiled=True)
    for _ in range(20):
        count = int(torch.randint(2, 20, (), generator=generator))
        texts = torch.randint(4, 60, (count,), generator=generator).tolist()
        sides = torch.randint(2, 9, (count, 2), generator=generator).tolist()
        longest = max(n + h * w for n, (h, w) in zip(texts, sides, strict=True))
        padding = Padding(8 * -(-count // 8), 16 * -(-longest // 16), 32)
        order = make_layout(texts, [[(h, w)] for h, w in sides], "varlen", padding)
        sizes.add((order.n_image, order.n_text))
        longests.add(order.joint.every.longest)
        image = torch.randn(sum(h * w for h, w in sides), SMALL.in_channels, generator=generator)
        text = torch.randn(sum(texts), SMALL.joint_attention_dim, generator=generator)
        model(image, text, torch.rand(count, generator=generator), order).square().mean().backward()
    assert len(sizes) > 10
    assert len(longests) > 3
    # The last block is another graph than the others, and each learns from the second longest sample on that they vary.
    assert counters["stats"]["unique_graphs"] == 4


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
