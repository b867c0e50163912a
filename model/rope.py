"""Queries and keys: RMSNorm over each head, then MSRoPE, rotary positions over (frame, height, width).

The head's channels are split among the three axes; neighboring channels (2k, 2k + 1) are one
complex number that turns with the position. The text runs along the diagonal of the same grid
(``layout.text_start``), so text and image share one coordinate system.

Shape suffixes: T tokens, H heads, D channels of a head.
"""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor

_THETA = 10000.0
EPS = 1e-6


def rope_table(positions_T3: Tensor, axes_dims: tuple[int, int, int]) -> Tensor:
    """Cosine and sine of every angle, (T, 1, D/2, 2) float32 with D = sum(axes_dims); the last axis is (cos, sin).

    Recomputed once per forward: as a buffer it would be cast with the weights, or stay on the meta device.
    """
    axes = [torch.outer(positions_T3[:, i], _frequencies(dim, positions_T3.device)) for i, dim in enumerate(axes_dims)]
    angles = torch.cat(axes, dim=-1)
    return torch.stack((angles.cos(), angles.sin()), dim=-1).unsqueeze(1)


def norm_rotate(x_THD: Tensor, weight_D: Tensor, table: Tensor) -> Tensor:
    """rotate(x / rms(x) * weight), computed in at least float32, returned in x's dtype."""
    out: Tensor = _NormRotate.apply(x_THD, weight_D, table)
    return out


class _NormRotate(torch.autograd.Function):
    """With its derivative written out: autograd's own would keep four fp32 copies of x and pass over them more often."""

    @staticmethod
    def forward(ctx: Any, x_THD: Tensor, weight_D: Tensor, table: Tensor) -> Tensor:
        wide = _wide(x_THD)
        scale_TH1 = torch.rsqrt(wide.square().mean(-1, keepdim=True) + EPS)
        ctx.save_for_backward(x_THD, weight_D, table, scale_TH1)
        return (_turn(wide * weight_D.to(wide.dtype), table, 1) * scale_TH1).to(x_THD.dtype)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None]:  # type: ignore[override]
        x, weight, table, scale = ctx.saved_tensors
        wide = _wide(x)
        # d loss / d (x * weight), before what the norm takes out along x
        normed_grad = _turn(_wide(grad).contiguous(), table, -1) * scale
        product = normed_grad * wide
        radial = torch.matmul(product, weight.to(wide.dtype)).unsqueeze(-1) * (scale.square() / -x.shape[-1])
        grad_x = torch.addcmul(normed_grad * weight.to(wide.dtype), wide, radial)
        return grad_x.to(x.dtype), product.sum((0, 1)).to(weight.dtype), None


def _turn(x: Tensor, table: Tensor, direction: Literal[1, -1]) -> Tensor:
    """Channel pairs turned by the angles of ``table``, or back."""
    pairs, table = x.unflatten(-1, (-1, 2)), table.to(x.dtype)
    if _by_complex_numbers(x.device):
        turns = torch.view_as_complex(table)
        return torch.view_as_real(torch.view_as_complex(pairs) * (turns if direction > 0 else turns.conj())).flatten(-2)
    (real, imaginary), (cos, sin) = pairs.unbind(-1), table.unbind(-1)
    sin = sin * direction
    return torch.stack((real * cos - imaginary * sin, real * sin + imaginary * cos), dim=-1).flatten(-2)


def _by_complex_numbers(device: torch.device) -> bool:
    """On a CPU two to three times as fast as strided real halves; elsewhere the compiler can fuse only reals."""
    return device.type == "cpu"


def _wide(x: Tensor) -> Tensor:
    return x.to(torch.promote_types(x.dtype, torch.float32))


def _frequencies(dim: int, device: torch.device) -> Tensor:
    """(dim / 2,) angular frequencies theta^(-2k / dim)."""
    exponents = torch.arange(0, dim, 2, dtype=torch.float32, device=device) / dim
    return 1.0 / torch.pow(_THETA, exponents)
