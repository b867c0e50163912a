"""Joint attention over packed samples: every sample attends to itself alone, [text, image] together.

    merge   two streams -> one, in the order of the layout (``joint.py``)
    attend  by the layout's kernel
    split_streams  the way back

Kernels: torch's varlen on CUDA in half precision (FlashAttention 2; from torch 2.12 on cuDNN's on Hopper), FlexAttention
for other CUDA tensors, rectangles of scaled_dot_product_attention anywhere.

Shape suffixes: N text tokens, M image tokens, K tokens in joint order, H heads, D channels of a head.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from model.joint import JointLayout, Kernel, TokenOrder


def kernel_for(device: torch.device, dtype: torch.dtype) -> Kernel:
    """The layout's kernel for queries of ``dtype`` (under autocast: its dtype) on ``device``."""
    if device.type != "cuda":
        return "rectangles"
    return "varlen" if dtype in (torch.float16, torch.bfloat16) else "flex"  # varlen is FlashAttention


def merge(text_NHD: Tensor, image_MHD: Tensor, joint: JointLayout) -> Tensor:
    """(K, H, D): both streams in joint order."""
    if joint.every.order is None:
        samples = joint.every.rectangles[0][0]
        both = (text_NHD.unflatten(0, (samples, -1)), image_MHD.unflatten(0, (samples, -1)))
        return torch.cat(both, dim=1).flatten(0, 1)
    return reorder(torch.cat((text_NHD, image_MHD)), joint.every)


def split_streams(x: Tensor, joint: JointLayout, n_text: int) -> tuple[Tensor, Tensor]:
    """(K, ...) in joint order -> (N, ...) text, N = ``n_text``, and (M, ...) image."""
    if joint.text_run is not None:
        samples, run = joint.every.rectangles[0]
        text, image = x.unflatten(0, (samples, run)).split((joint.text_run, run - joint.text_run), dim=1)
        return text.flatten(0, 1), image.flatten(0, 1)
    streams = restore(x, joint.every)
    text, image = streams.split((n_text, streams.shape[0] - n_text))
    return text, image


def reorder(x: Tensor, queries: TokenOrder) -> Tensor:
    """One stream into the order of ``queries``."""
    return x if queries.order is None else _taken(x, queries.order, queries.inverse, queries.padded)


def restore(x: Tensor, queries: TokenOrder) -> Tensor:
    """The inverse of ``reorder``."""
    return x if queries.inverse is None else _taken(x, queries.inverse, queries.order, queries.padded)


def _taken(x: Tensor, ids: Tensor, back: Tensor | None, padded: bool) -> Tensor:
    if padded:  # token 0 is taken several times, and its gradients add up
        return x.index_select(0, ids)
    out: Tensor = _Permuted.apply(x, ids, back)
    return out


class _Permuted(torch.autograd.Function):
    """Rows in another order. The gradient is taken back by the inverse, where autograd would add up atomically."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, ids: Tensor, back: Tensor) -> Tensor:
        ctx.save_for_backward(back)
        return x.index_select(0, ids)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None, None]:  # type: ignore[override]
        (back,) = ctx.saved_tensors
        return grad.index_select(0, back), None, None


def attend(q: Tensor, k_KHD: Tensor, v_KHD: Tensor, queries: TokenOrder, joint: JointLayout) -> Tensor:
    """Attention within each sample; ``q`` is in the order of ``queries``, keys and values in ``joint.every``'s.

    Returns q's shape with heads and channels flattened.
    """
    if joint.kernel == "varlen":
        return _varlen(q, k_KHD, v_KHD, queries, joint.every)
    if joint.kernel == "flex":
        return _flex(q, k_KHD, v_KHD, queries)
    if q.device.type == "cpu" and q.dtype == torch.bfloat16:
        return _in_float32(q, k_KHD, v_KHD, queries, joint)
    sizes, key_sizes = queries.rectangles, joint.every.rectangles
    rectangles = zip(_cut(q, sizes), _cut(k_KHD, key_sizes), _cut(v_KHD, key_sizes), joint.masks, strict=True)
    outs = [F.scaled_dot_product_attention(*qkv_mask) for qkv_mask in rectangles]
    flat = [out.transpose(1, 2).flatten(0, 1).flatten(1) for out in outs]
    return flat[0] if len(flat) == 1 else torch.cat(flat)


def _cut(x_KHD: Tensor, sizes: tuple[tuple[int, int], ...]) -> list[Tensor]:
    """Rectangles (G, H, S, D)."""
    parts = x_KHD.split([g * s for g, s in sizes]) if len(sizes) > 1 else (x_KHD,)
    return [x.unflatten(0, size).transpose(1, 2) for x, size in zip(parts, sizes, strict=True)]


def _in_float32(q: Tensor, k: Tensor, v: Tensor, queries: TokenOrder, joint: JointLayout) -> Tensor:
    """On a CPU the backward of short sequences takes ten times as long in bf16 as in fp32 (torch 2.14)."""
    with torch.autocast("cpu", enabled=False):  # an enclosing autocast would choose the bf16 kernel again
        return attend(q.float(), k.float(), v.float(), queries, joint).to(q.dtype)


def _varlen(q: Tensor, k: Tensor, v: Tensor, queries: TokenOrder, keys: TokenOrder) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn

    out = varlen_attn(q, k, v, queries.cu_seqlens, keys.cu_seqlens, queries.longest, keys.longest)
    assert isinstance(out, Tensor)  # a tuple only when auxiliary outputs are asked for
    return out.flatten(1)


def _flex(q: Tensor, k: Tensor, v: Tensor, queries: TokenOrder) -> Tensor:
    out = _flex_attention(q.is_cuda)(*(x.transpose(0, 1)[None] for x in (q, k, v)), block_mask=queries.block_mask)
    return out[0].transpose(0, 1).flatten(1)


@cache
def _flex_attention(compiled: bool) -> Any:
    """Uncompiled it would write out all scores, which is right for small tests on a CPU only."""
    from torch.nn.attention.flex_attention import flex_attention

    return torch.compile(flex_attention, dynamic=False) if compiled else flex_attention
