"""Compiled blocks: the same result, and no more graphs than padded shapes however ragged the batches are."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor

from model.layout import Padding, make_layout
from model.mmdit import MMDiT
from tests.model.reference import SMALL, batch, difference, gradient_error, output_error, pair

PADDING = Padding(samples=4, longest=64, multiple=32)


@torch.library.custom_op("glyphmill_tests::varlen_attn", mutates_args=())
def loop(q: Tensor, k: Tensor, v: Tensor, cu_q: Tensor, cu_k: Tensor, max_q: int, max_k: int) -> Tensor:
    """The CUDA kernel's stand-in: opaque to the compiler as the kernel is, with its signature."""
    return attention(q, k, v, cu_q, cu_k)


def attention(q: Tensor, k: Tensor, v: Tensor, cu_q: Tensor, cu_k: Tensor) -> Tensor:
    split = [x.split(cu.diff().tolist()) for x, cu in ((q, cu_q), (k, cu_k), (v, cu_k))]
    outs = [
        torch.nn.functional.scaled_dot_product_attention(*(x.transpose(0, 1) for x in qkv)).transpose(0, 1)
        for qkv in zip(*split, strict=True)
    ]
    return torch.cat(outs)


@loop.register_fake
def _(q: Tensor, *_: Any) -> Tensor:
    return torch.empty_like(q)


def save(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
    ctx.save_for_backward(*inputs[:5])


def gradients(ctx: Any, upstream: Tensor) -> tuple[Any, ...]:
    q, k, v, *cu = ctx.saved_tensors
    with torch.enable_grad():
        qkv = [x.detach().requires_grad_() for x in (q, k, v)]
        return *torch.autograd.grad(attention(*qkv, *cu), qkv, upstream), None, None, None, None


loop.register_autograd(gradients, setup_context=save)


def ragged(generator: torch.Generator) -> tuple[list[int], list[list[tuple[int, int]]]]:
    count = int(torch.randint(2, 5, (), generator=generator))
    texts = torch.randint(1, 12, (count,), generator=generator).tolist()
    sides = torch.randint(1, 6, (count, 2), generator=generator).tolist()
    return texts, [[(h, w)] for h, w in sides]


def gradients_of(model: MMDiT, output: Tensor, upstream: Tensor) -> tuple[Tensor, ...]:
    trained = [p for p in model.parameters() if p.requires_grad]
    return torch.autograd.grad(output, trained, upstream)


@pytest.mark.parametrize("zero_cond_t", [False, True])
def test_graphs_are_as_few_as_padded_shapes(monkeypatch: pytest.MonkeyPatch, zero_cond_t: bool) -> None:
    from torch._dynamo.utils import counters

    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", loop)
    plain = pair(replace(SMALL, num_layers=3, zero_cond_t=zero_cond_t))[0]
    compiled = MMDiT(plain.config)
    compiled.load_state_dict(plain.state_dict())
    torch._dynamo.reset()
    counters.clear()
    for block in compiled.transformer_blocks:
        block.compile(backend="eager", fullgraph=True, dynamic=False)
    generator = torch.Generator().manual_seed(0)
    shapes = set()
    for _ in range(30):
        texts, images = ragged(generator)
        layout = make_layout(texts, images, "varlen", PADDING)
        shapes.add((layout.n_text, layout.n_image))
        inputs = batch(SMALL, texts, images)
        outputs = compiled(*inputs, layout), plain(*inputs, make_layout(texts, images))
        assert difference(*outputs) <= output_error(plain.config)
        upstream = torch.randn_like(outputs[0])
        found, expected = (gradients_of(m, x, upstream) for m, x in zip((compiled, plain), outputs, strict=True))
        assert max(map(difference, found, expected)) <= gradient_error(plain.config)
    graphs = counters["stats"]["unique_graphs"]
    assert 2 <= len(shapes) <= 8
    assert graphs <= 2 * len(shapes)  # the last block is another graph than the others


def numbers(value: Any, name: str = "") -> dict[str, Any]:
    """Everything in what a block is given that is no tensor, by its place; of tensors, that they are there."""
    if isinstance(value, Tensor):
        return {name: Tensor}
    if is_dataclass(value):
        value = {field.name: getattr(value, field.name) for field in fields(value)}
    elif isinstance(value, tuple):
        value = {"len": len(value), **dict(enumerate(value))}
    if not isinstance(value, dict):
        return {name: value}
    return {place: found for key, part in value.items() for place, found in numbers(part, f"{name}.{key}").items()}


@pytest.mark.parametrize("zero_cond_t", [False, True])
def test_a_block_is_given_no_number_that_differs_from_batch_to_batch(
    monkeypatch: pytest.MonkeyPatch, zero_cond_t: bool
) -> None:
    """torch 2.11 compiles a block anew for every change of a field, read or not, and not at all after the eighth."""
    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", loop)
    model = pair(replace(SMALL, zero_cond_t=zero_cond_t))[0]
    given: list[dict[str, Any]] = []
    model.transformer_blocks[0].register_forward_pre_hook(lambda _, args: given.append(numbers(args)))
    for texts, images in (([3, 9], [[(2, 3)], [(4, 4), (1, 2)]]), ([5, 5, 5, 1], [[(2, 2)]] * 4)):
        model(*batch(SMALL, texts, images), make_layout(texts, images, "varlen", PADDING))
    assert given[0] == given[1]
    assert any(value is not Tensor for value in given[0].values())
