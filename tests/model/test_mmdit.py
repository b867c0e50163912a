"""The MMDiT against diffusers 0.42.1: outputs, all gradients, ragged batches, references, golden counts."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import configs
from model.config import ModelConfig
from model.layout import Padding, make_layout
from model.mmdit import MMDiT, MMDiTConfig
from model.precision import cpu_multiplies_bf16
from model.rope import rope_table
from tests.model.reference import (
    SMALL,
    batch,
    difference,
    gradient_error,
    output_error,
    pair,
    run_ours,
    run_theirs,
    worst_gradient,
)
from tests.tolerance import rounding

TEXT_TO_IMAGE = [(4, 6)]
ONE_REFERENCE = [(4, 6), (2, 4)]
THREE_REFERENCES = [(5, 4), (2, 4), (3, 3), (6, 2)]


@pytest.mark.parametrize("zero_cond_t", [False, True])
@pytest.mark.parametrize("images", [TEXT_TO_IMAGE, ONE_REFERENCE, THREE_REFERENCES])
def test_one_sample_equals_diffusers_in_output_and_every_gradient(images: Any, zero_cond_t: bool) -> None:
    ours, theirs = pair(dataclasses.replace(SMALL, zero_cond_t=zero_cond_t))
    inputs = batch(SMALL, [7], [images])
    a, b = run_ours(ours, inputs, [7], [images]), run_theirs(theirs, inputs, images)
    assert difference(a, b) <= output_error(SMALL)
    upstream = torch.randn_like(a)
    a.backward(upstream)
    b.backward(upstream)
    assert worst_gradient(ours, theirs)[0] <= gradient_error(SMALL)


def test_double_precision_agrees_to_its_own_rounding(monkeypatch: pytest.MonkeyPatch) -> None:
    """diffusers rounds to fp32 inside RMSNorm and the rotation whatever the dtype; here both stay in fp64.

    The rotation's table is fp32 in both and differs by one rounding (test_rope.py compares it); both use ours.
    """
    from diffusers.models.normalization import RMSNorm
    from diffusers.models.transformers import transformer_qwenimage

    def rms_norm(self: Any, x: torch.Tensor) -> torch.Tensor:
        return x * torch.rsqrt(x.square().mean(-1, keepdim=True) + self.eps) * self.weight

    def rotate(x: torch.Tensor, table: torch.Tensor, use_real: bool) -> torch.Tensor:
        turned = torch.view_as_complex(x.unflatten(-1, (-1, 2))) * table.to(torch.complex128).unsqueeze(1)
        return torch.view_as_real(turned).flatten(3)

    monkeypatch.setattr(RMSNorm, "forward", rms_norm)
    monkeypatch.setattr(transformer_qwenimage, "apply_rotary_emb_qwen", rotate)
    config = dataclasses.replace(SMALL, zero_cond_t=True)
    ours, theirs = pair(config, torch.float64)
    inputs = batch(config, [7], [THREE_REFERENCES], torch.float64)
    layout = make_layout([7], [THREE_REFERENCES])
    tables = [
        torch.view_as_complex(rope_table(positions, config.axes_dims_rope)).squeeze(1)
        for positions in (layout.image_positions, layout.text_positions)
    ]
    monkeypatch.setattr(theirs.pos_embed, "forward", lambda *_, **__: tables)
    a = run_ours(ours, inputs, [7], [THREE_REFERENCES])
    b = run_theirs(theirs, inputs, THREE_REFERENCES)
    assert difference(a, b) <= output_error(SMALL, torch.float64)
    upstream = torch.randn_like(a)
    a.backward(upstream)
    b.backward(upstream)
    assert worst_gradient(ours, theirs)[0] <= gradient_error(SMALL, torch.float64)


@pytest.mark.parametrize("zero_cond_t", [False, True])
def test_ragged_batch_has_the_gradients_of_its_samples_alone_in_diffusers(zero_cond_t: bool) -> None:
    """The sum of diffusers' gradients, one sample at a time, against one packed backward."""
    ours, theirs = pair(dataclasses.replace(SMALL, zero_cond_t=zero_cond_t))
    texts, images = [5, 9, 5, 17], [[(4, 6)], THREE_REFERENCES, [(4, 6)], [(3, 2), (3, 2)]]
    image, text, sigma = batch(SMALL, texts, images)
    out = run_ours(ours, (image, text, sigma), texts, images)
    upstream = torch.randn_like(out)
    out.backward(upstream)
    lengths = [sum(h * w for h, w in sample) for sample in images]
    parts = zip(image.split(lengths), text.split(texts), sigma.split(1), strict=True)
    for sample, inputs, expected, up in zip(images, parts, out.split(lengths), upstream.split(lengths), strict=True):
        alone = run_theirs(theirs, inputs, sample)
        assert difference(expected, alone) <= output_error(SMALL)
        alone.backward(up)
    assert worst_gradient(ours, theirs)[0] <= gradient_error(SMALL)


sizes = st.tuples(st.integers(1, 5), st.integers(1, 5))
samples = st.lists(st.tuples(st.integers(1, 9), st.lists(sizes, min_size=1, max_size=3)), min_size=1, max_size=5)


@settings(max_examples=25, deadline=None)
@given(samples, st.booleans(), st.booleans())
def test_any_batch_equals_its_samples_alone(drawn: Any, zero_cond_t: bool, alike: bool) -> None:
    drawn = [drawn[0]] * len(drawn) if alike else drawn
    texts, images = [n for n, _ in drawn], [sample for _, sample in drawn]
    torch.manual_seed(len(texts))
    model = MMDiT(dataclasses.replace(SMALL, num_layers=1 + alike, zero_cond_t=zero_cond_t)).double()
    image, text, sigma = batch(SMALL, texts, images, torch.float64)
    together = run_ours(model, (image, text, sigma), texts, images)
    lengths = [sum(h * w for h, w in sample) for sample in images]
    parts = zip(image.split(lengths), text.split(texts), sigma.split(1), strict=True)
    for (n, sample), inputs, expected in zip(drawn, parts, together.split(lengths), strict=True):
        assert difference(run_ours(model, inputs, [n], [sample]), expected) <= output_error(SMALL, torch.float64)


@settings(max_examples=20, deadline=None)
@given(samples, st.booleans(), st.integers(0, 3), st.sampled_from([1, 8, 64]))
def test_a_dummy_that_fills_the_streams_changes_nothing(
    drawn: Any, zero_cond_t: bool, room: int, multiple: int
) -> None:
    texts, images = [n for n, _ in drawn], [sample for _, sample in drawn]
    torch.manual_seed(len(texts))
    model = pair(dataclasses.replace(SMALL, zero_cond_t=zero_cond_t), torch.float64)[0]
    inputs = batch(SMALL, texts, images, torch.float64)
    layout = make_layout(texts, images, padding=Padding(len(texts) + room, 200, multiple))
    assert layout.n_text % multiple == layout.n_image % multiple == 0
    assert layout.table_rows == len(texts) + room + 1
    upstream = torch.randn(len(inputs[0]), 64, dtype=torch.float64)
    results = []
    for each in (make_layout(texts, images), layout):
        model.zero_grad()
        out = model(*inputs, each)
        out.backward(upstream)
        results.append([out, *(p.grad for p in model.parameters() if p.grad is not None)])
    for a, b in zip(*results, strict=True):
        assert difference(b, a) <= gradient_error(SMALL, torch.float64)


def test_varlen_layout_gives_the_kernel_each_sample_and_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    """The CUDA kernel cannot run here: a loop with its signature, over its cumulative lengths, stands in for it."""

    def varlen_attn(q: Any, k: Any, v: Any, cu_q: Any, cu_k: Any, max_q: int, max_k: int) -> torch.Tensor:
        assert int(cu_q.diff().max()) <= max_q
        assert int(cu_k.diff().max()) <= max_k
        split = [x.split(cu.diff().tolist()) for x, cu in ((q, cu_q), (k, cu_k), (v, cu_k))]
        outs = [
            torch.nn.functional.scaled_dot_product_attention(*(x.transpose(0, 1) for x in qkv)).transpose(0, 1)
            for qkv in zip(*split, strict=True)
        ]
        return torch.cat(outs)

    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", varlen_attn)
    model, texts, images = MMDiT(SMALL), [5, 9, 5], [[(4, 6)], THREE_REFERENCES, [(4, 6)]]
    inputs = batch(SMALL, texts, images)
    expected = run_ours(model, inputs, texts, images)
    for padding in (None, Padding(samples=5, longest=100, multiple=32)):
        layout = make_layout(texts, images, "varlen", padding)
        assert difference(model(*inputs, layout), expected) <= output_error(SMALL)


@pytest.mark.filterwarnings("ignore:flex_attention called without torch.compile")
@torch.no_grad()  # it has no backward on a CPU
def test_flex_kernel_gives_the_same_result() -> None:
    model, texts, images = pair(SMALL)[0], [5, 9, 5], [[(4, 6)], THREE_REFERENCES, [(4, 6)]]
    inputs = batch(SMALL, texts, images)
    expected = run_ours(model, inputs, texts, images)
    for padding in (None, Padding(samples=5, longest=100, multiple=32)):
        layout = make_layout(texts, images, "flex", padding).to("cpu")
        assert difference(model(*inputs, layout), expected) <= output_error(SMALL)


def test_parameters_of_the_released_model() -> None:
    config = configs.load("configs/model/qwen-image.yaml", ModelConfig).transformer
    with torch.device("meta"):
        model = MMDiT(config)
    assert sum(p.numel() for p in model.transformer_blocks[0].parameters()) == 339_831_296
    assert sum(p.numel() for p in model.parameters()) == 20_430_401_088


def test_only_parameters_without_effect_are_frozen() -> None:
    model = MMDiT(SMALL)
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    dead = ("attn.add_q_proj.", "attn.norm_added_q.", "attn.to_add_out.", "txt_mlp.")
    expected = {
        n for n, _ in model.named_parameters() if n.startswith(tuple(f"transformer_blocks.1.{d}" for d in dead))
    }
    assert frozen == expected


@pytest.mark.skipif(not cpu_multiplies_bf16(), reason="this CPU has no kernels for it")
@pytest.mark.parametrize("autocast", [False, True])
@pytest.mark.parametrize("texts", [[5, 9], [5, 5]])
@pytest.mark.filterwarnings("error")
def test_bfloat16_stays_near_float32(texts: list[int], autocast: bool) -> None:
    model, images = pair(SMALL)[0], [[(4, 6)], [(4, 6)]]
    image, text, sigma = batch(SMALL, texts, images)
    expected = run_ours(model, (image, text, sigma), texts, images)
    upstream = torch.randn_like(expected)
    expected.backward(upstream)
    gradients = {n: p.grad for n, p in model.named_parameters() if p.grad is not None}
    model.zero_grad()
    if not autocast:
        model, image, text = model.bfloat16(), image.bfloat16(), text.bfloat16()
    with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
        rounded = run_ours(model, (image, text, sigma), texts, images)
    assert rounded.dtype == torch.bfloat16
    # products add up in fp32 and are rounded once: one term, whatever the width
    assert difference(rounded.float(), expected) < rounding(1, dtype=torch.bfloat16, layers=22)
    rounded.float().backward(upstream)
    assert max(
        difference(p.grad.float(), gradients[n]) for n, p in model.named_parameters() if n in gradients
    ) < rounding(1, dtype=torch.bfloat16, layers=44)


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"axes_dims_rope": (4, 14, 12)}, "axes_dims_rope"),
        ({"axes_dims_rope": (5, 13, 14)}, "axes_dims_rope"),
        ({"axes_dims_rope": (16, 16)}, "axes_dims_rope"),
        ({"num_layers": 0}, "num_layers"),
    ],
)
def test_impossible_configs_name_the_field(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        MMDiTConfig(**{**dataclasses.asdict(SMALL), **fields})


@pytest.mark.parametrize("padding", [None, Padding(samples=3, longest=99, multiple=32)])
@pytest.mark.parametrize(("which", "named"), [(0, "image tokens"), (1, "text tokens"), (2, "sigmas")])
def test_another_batchs_layout_is_refused(padding: Padding | None, which: int, named: str) -> None:
    texts, images = [3, 5], [[(2, 2)], [(2, 3), (1, 2)]]
    inputs = list(batch(SMALL, texts, images))
    inputs[which] = inputs[which][:-1]
    with pytest.raises(ValueError, match=f"{len(inputs[which])} {named} for a layout of"):
        MMDiT(SMALL)(*inputs, make_layout(texts, images, padding=padding))
