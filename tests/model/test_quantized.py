"""Frozen linears in eight bits: how far they err, that gradients pass, that loading needs no full copy."""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn

from model import checkpoint
from model.checkpoint import load_transformer
from model.files import iterate_tensors
from model.mmdit import MMDiT
from model.quantized import EightBit, EightBitLinear, quantize, quantize_blocks
from tests.model.folders import random_folder
from tests.model.reference import SMALL, batch, difference, pair, run_ours
from tests.tolerance import rounding

KINDS: tuple[EightBit, ...] = ("int8", "fp8")
TEXTS, IMAGES = [3, 5], [[(4, 4)], [(2, 4)]]


@pytest.mark.parametrize("kind", KINDS)
def test_the_error_is_half_a_step(kind: EightBit) -> None:
    torch.manual_seed(0)
    weight = torch.randn(64, 48) * torch.logspace(-3, 3, 64)[:, None]
    weight[5] = 0
    q, scale = quantize(weight, kind)
    assert q.element_size() == 1
    error = (q.float() * scale - weight).abs()
    # The scale is rounded to bfloat16: where that is downwards, the largest of a row is cut by 2^-9 of itself.
    step = scale * 0.501 if kind == "int8" else weight.abs() / 16 + scale * 2**-9
    assert (error <= step + weight.abs() * 2**-8).all()
    assert not error[5].any()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_output_and_gradient_are_those_of_the_rounded_weight(kind: EightBit, dtype: torch.dtype) -> None:
    torch.manual_seed(0)
    linear = nn.Linear(48, 32)
    small = EightBitLinear(linear, kind)
    plain = nn.Linear(48, 32, dtype=dtype)
    plain.weight.data = (small.weight.float() * small.weight_scale).to(dtype)
    plain.bias.data = linear.bias.to(dtype)
    x, y = (torch.randn(2, 7, 48, dtype=dtype).requires_grad_() for _ in range(2))
    y.data.copy_(x)
    small(x).square().sum().backward()
    plain(y).square().sum().backward()
    assert x.grad is not None
    assert y.grad is not None
    assert difference(x.grad, y.grad) < rounding(48, dtype=dtype, layers=3)
    assert [n for n, p in small.named_parameters() if p.requires_grad] == []


@pytest.mark.parametrize("kind", KINDS)
def test_moving_and_casting_leave_the_eight_bits(kind: EightBit) -> None:
    small = EightBitLinear(nn.Linear(8, 8), kind)
    q, scale = small.weight.clone(), small.weight_scale.clone()
    small.bfloat16()
    assert small.weight.dtype == q.dtype
    assert small.bias.dtype == torch.bfloat16
    assert torch.equal(small.weight.float(), q.float())
    assert torch.equal(small.weight_scale.float(), scale)
    assert small(torch.randn(1, 8, dtype=torch.bfloat16)).dtype == torch.bfloat16
    with torch.autocast("cpu", torch.bfloat16):
        assert small(torch.randn(1, 8)).dtype == torch.bfloat16


@pytest.mark.parametrize(("kind", "limit"), [("int8", 0.02), ("fp8", 0.08)])
def test_the_network_stays_close(kind: EightBit, limit: float) -> None:
    ours, _ = pair(SMALL)
    inputs = batch(SMALL, TEXTS, IMAGES)
    right = run_ours(ours, inputs, TEXTS, IMAGES)
    quantize_blocks(ours, kind)
    found = difference(run_ours(ours, inputs, TEXTS, IMAGES), right)
    assert 0 < found < limit


@pytest.mark.parametrize("kind", KINDS)
def test_weights_are_quantized_as_they_are_read(kind: EightBit) -> None:
    read = load_transformer(random_folder(), torch.float32, base_dtype=kind)
    turned = load_transformer(random_folder(), torch.float32)
    quantize_blocks(turned, kind)
    assert not any(p.requires_grad for p in read.parameters())
    assert read.state_dict().keys() == turned.state_dict().keys()
    for name, tensor in read.state_dict().items():
        assert torch.equal(tensor.float(), turned.state_dict()[name].float()), name
    assert isinstance(read.transformer_blocks[0].img_mod[1], EightBitLinear)
    assert type(read.img_in) is nn.Linear


def test_the_state_of_a_model_in_eight_bits_loads_as_it_is() -> None:
    one, two = MMDiT(SMALL), MMDiT(SMALL)
    quantize_blocks(one, "int8")
    quantize_blocks(two, "int8")
    two.load_state_dict(one.state_dict())
    inputs = batch(SMALL, TEXTS, IMAGES)
    assert torch.equal(run_ours(one, inputs, TEXTS, IMAGES), run_ours(two, inputs, TEXTS, IMAGES))


def test_the_weights_are_never_held_in_full(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the tensors that were read, none but the last is still there when the next one comes."""
    read: list[weakref.ref[torch.Tensor]] = []

    def watched(folder: Path) -> Iterator[tuple[str, torch.Tensor]]:
        for name, tensor in iterate_tensors(folder):
            assert sum(ref() is not None for ref in read) <= 1, name
            read.append(weakref.ref(tensor))
            yield name, tensor
            del tensor

    monkeypatch.setattr(checkpoint, "iterate_tensors", watched)
    model = load_transformer(random_folder(), base_dtype="int8")
    assert len(read) > 60
    assert not any(ref() is not None for ref in read)
    assert sum(p.nbytes for p in model.transformer_blocks.parameters()) < 0.27 * sum(
        4 * p.numel() for p in model.transformer_blocks.parameters()
    )
