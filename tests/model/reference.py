"""diffusers' transformer with our weights, and comparisons; used by several tests of this folder."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor

from model.layout import Size, make_layout
from model.mmdit import MMDiT, MMDiTConfig
from tests.tolerance import rounding

SMALL = MMDiTConfig(
    num_layers=2, num_attention_heads=2, attention_head_dim=32, joint_attention_dim=24, axes_dims_rope=(4, 14, 14)
)


def pair(config: MMDiTConfig, dtype: torch.dtype = torch.float32, seed: int = 0) -> tuple[MMDiT, Any]:
    """Our model and diffusers' with the same random weights, norms and biases included."""
    from diffusers import QwenImageTransformer2DModel

    torch.manual_seed(seed)
    ours = MMDiT(config).to(dtype)
    with torch.no_grad():
        for parameter in ours.parameters():
            parameter += 0.05 * torch.randn_like(parameter)
    theirs = QwenImageTransformer2DModel(**asdict(config)).to(dtype)
    theirs.load_state_dict(ours.state_dict())
    return ours, theirs


def batch(
    config: MMDiTConfig, texts: Sequence[int], images: Sequence[Sequence[Size]], dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor, Tensor]:
    """Random image tokens (M, C), text (N, d) and sigma (B,) for the given lengths."""
    tokens = sum(h * w for sample in images for h, w in sample)
    image = torch.randn(tokens, config.in_channels, dtype=dtype)
    return image, torch.randn(sum(texts), config.joint_attention_dim, dtype=dtype), torch.rand(len(texts))


def run_ours(model: MMDiT, inputs: tuple[Tensor, Tensor, Tensor], texts: Sequence[int], images: Any) -> Tensor:
    return model(*inputs, make_layout(texts, images))


def run_theirs(model: Any, inputs: tuple[Tensor, Tensor, Tensor], images: Sequence[Size]) -> Tensor:
    """One sample through diffusers' model."""
    image, text, sigma = inputs
    shapes = [[(1, h, w) for h, w in images]]
    return model(image[None], text[None], None, sigma, shapes, return_dict=False)[0][0]


def difference(a: Tensor, b: Tensor) -> float:
    """|a - b| / |b|, in norms."""
    return ((a - b).norm() / b.norm().clamp_min(1e-30)).item()


def worst_gradient(ours: MMDiT, theirs: Any) -> tuple[float, str]:
    """Largest relative difference over all parameters; none of ours must be zero in theirs."""
    other = dict(theirs.named_parameters())
    worst = (0.0, "")
    for name, parameter in ours.named_parameters():
        gradient = other[name].grad
        if parameter.grad is None:
            assert not parameter.requires_grad, name
            assert gradient is None or not gradient.any(), name
        else:
            worst = max(worst, (difference(parameter.grad, gradient), name))
    return worst


def output_error(config: MMDiTConfig, dtype: torch.dtype = torch.float32) -> float:
    """Relative difference that rounding may make in an output: products of 4 D terms at most, nine in a row a block."""
    return rounding(4 * config.dim, dtype=dtype, layers=9 * config.num_layers + 4)


def gradient_error(config: MMDiTConfig, dtype: torch.dtype = torch.float32) -> float:
    """The same in a gradient, which goes forwards and backwards."""
    return rounding(4 * config.dim, dtype=dtype, layers=2 * (9 * config.num_layers + 4))
