"""Weights stored in bf16, and what they are multiplied in."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.precision import product_dtype


def store_in_bf16(model: nn.Module, device: torch.device | str) -> torch.dtype:
    """Turn all weights to bf16, in place; returns the dtype of products, to which inputs are then cast.

    Call it in one process or under DDP, and without autocast. Under FSDP2 ``model.bfloat16()`` and a mixed
    precision policy do the same. On a CPU without bf16 kernels each layer widens its weights while it
    works, so that storage, gradients and updates are those of a GPU.
    """
    model.bfloat16()
    computed = product_dtype(torch.bfloat16, device)
    assert computed is not None
    if computed != torch.bfloat16:
        for module in model.modules():
            if isinstance(module, nn.Linear | nn.RMSNorm):
                module.forward = _Widened(module)  # type: ignore[method-assign]
    model.register_forward_pre_hook(_Cast(computed))
    return computed


class _Widened:
    """A layer's forward pass in fp32."""

    def __init__(self, layer: nn.Linear | nn.RMSNorm) -> None:
        self.layer = layer

    def __call__(self, x: Tensor) -> Tensor:
        layer = self.layer
        weights = layer.weight.float()
        if isinstance(layer, nn.RMSNorm):
            return F.rms_norm(x.float(), layer.normalized_shape, weights, layer.eps)
        return F.linear(x.float(), weights, None if layer.bias is None else layer.bias.float())


class _Cast:
    """Image and text to the dtype of products; sigma, third, stays in fp32 (FACTS 3)."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.dtype = dtype

    def __call__(self, _model: nn.Module, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
        image, text, *rest = inputs
        return (image.to(self.dtype), text.to(self.dtype), *rest)
