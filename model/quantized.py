"""Frozen linears in eight bits: half the memory of bfloat16 for a base that LoRA trains on top of.

    weight (out, in) --quantize--> q (out, in) int8 or float8_e4m3fn,  scale (out, 1)
    y = (x q^T) * scale + bias         gradient of x = (dy * scale) q;  the weight itself never gets one

The scale stands behind the product, so that no weight is ever written down in full, neither for the forward pass
nor for the backward one. Eight-bit numbers are exact in bfloat16, and so are the scales, which are rounded to it when
they are made: all of the error is that of ``quantize``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

EightBit = Literal["int8", "fp8"]
_DTYPES = {"int8": torch.int8, "fp8": torch.float8_e4m3fn}
EIGHT_BITS = tuple(_DTYPES.values())
_LARGEST = {"int8": 127.0, "fp8": torch.finfo(torch.float8_e4m3fn).max}
_SMALLEST = 2.0**-120  # of a scale: a row of zeros divides by it, and its reciprocal is still finite


def quantize(weight: Tensor, kind: EightBit) -> tuple[Tensor, Tensor]:
    """(out, in) -> eight-bit (out, in) and fp32 scale (out, 1): weight ~ q * scale, symmetric, by row (chosen).

    int8 errs by at most half a scale, fp8 by 2^-4 of each number.
    """
    weight = weight.float()
    largest = _LARGEST[kind]
    scale = (weight.abs().amax(dim=1, keepdim=True) / largest).clamp_min(_SMALLEST).bfloat16().float()
    scaled = (weight / scale).clamp(-largest, largest)  # a scale that was rounded down would let the largest overflow
    return (scaled.round() if kind == "int8" else scaled).to(_DTYPES[kind]), scale


class _Product(torch.autograd.Function):
    """x (..., in) -> (x q^T) * scale (..., out); what is kept for the backward pass are the eight bits."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, q: Tensor, scale: Tensor) -> Tensor:
        ctx.save_for_backward(q, scale)
        return F.linear(x, q.to(x.dtype)) * scale.T.to(x.dtype)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        q, scale = ctx.saved_tensors
        return (gradient * scale.T.to(gradient.dtype)) @ q.to(gradient.dtype), None, None


class EightBitLinear(nn.Linear):
    """A frozen linear whose weight is eight-bit, made of another one (on meta too).

    It is an ``nn.Linear`` by type, which is what peft looks for. Loading a floating-point weight quantizes it.
    """

    weight_scale: Tensor  # (out, 1) fp32

    def __init__(self, linear: nn.Linear, kind: EightBit) -> None:
        nn.Module.__init__(self)
        self.in_features, self.out_features, self.kind = linear.in_features, linear.out_features, kind
        q, scale = quantize(linear.weight.detach(), kind)
        self.weight = nn.Parameter(q, requires_grad=False)
        self.register_buffer("weight_scale", scale)
        self.register_parameter("bias", linear.bias)
        self.requires_grad_(False)

    def forward(self, input: Tensor) -> Tensor:
        kind = input.device.type
        narrow = kind != "meta" and torch.is_autocast_enabled(kind)  # of meta it may not be asked
        x = input.to(torch.get_autocast_dtype(kind)) if narrow else input
        y = _Product.apply(x, self.weight, self.weight_scale)
        return y if self.bias is None else y + self.bias.to(y.dtype)

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, kind={self.kind}"

    def _load_from_state_dict(self, state_dict: Any, prefix: str, *rest: Any) -> None:
        weight = state_dict.get(f"{prefix}weight")
        if weight is not None and weight.dtype != _DTYPES[self.kind]:
            q, scale = quantize(weight, self.kind)
            state_dict = {**state_dict, f"{prefix}weight": q, f"{prefix}weight_scale": scale}
        super()._load_from_state_dict(state_dict, prefix, *rest)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> EightBitLinear:
        def moved(tensor: Tensor) -> Tensor:
            result = fn(tensor)  # float8 counts as floating point: `model.to(dtype)` would make it large again
            return tensor.to(result.device) if tensor is self.weight and result.dtype != tensor.dtype else result

        return super()._apply(moved, recurse)


def quantize_blocks(model: nn.Module, kind: EightBit) -> None:
    """Turn every linear of ``model.transformer_blocks`` to eight bits, in place, one by one; freeze all of ``model``.

    The blocks hold 99.8 % of the released model's parameters. What is outside of them keeps its dtype.
    """
    model.requires_grad_(False)
    blocks = model.get_submodule("transformer_blocks")
    for module in list(blocks.modules()):
        for name, child in list(module.named_children()):
            if type(child) is nn.Linear:
                setattr(module, name, EightBitLinear(child, kind))
