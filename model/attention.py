"""Joint attention over packed samples: every sample attends to itself alone, [text, image] together.

    merge   two streams -> one, in the order of the layout (``joint.py``)
    attend  varlen kernel on CUDA, rectangles of scaled_dot_product_attention elsewhere
    part    the way back

Shape suffixes: N text tokens, M image tokens, K tokens in joint order, H heads, D channels of a head.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from model.joint import Joint, Queries


def merge(text_NHD: Tensor, image_MHD: Tensor, joint: Joint) -> Tensor:
    """(K, H, D): both streams in joint order."""
    if joint.every.order is None:
        samples = joint.every.rectangles[0][0]
        both = (text_NHD.unflatten(0, (samples, -1)), image_MHD.unflatten(0, (samples, -1)))
        return torch.cat(both, dim=1).flatten(0, 1)
    return torch.cat((text_NHD, image_MHD)).index_select(0, joint.every.order)


def part(x: Tensor, joint: Joint) -> tuple[Tensor, Tensor]:
    """(K, ...) in joint order -> (N, ...) text and (M, ...) image."""
    if joint.text_run is not None:
        samples, run = joint.every.rectangles[0]
        text, image = x.unflatten(0, (samples, run)).split((joint.text_run, run - joint.text_run), dim=1)
        return text.flatten(0, 1), image.flatten(0, 1)
    streams = restore(x, joint.every)
    text, image = streams.split((joint.n_text, streams.shape[0] - joint.n_text))
    return text, image


def reorder(x: Tensor, queries: Queries) -> Tensor:
    """One stream into the order of ``queries``."""
    return x if queries.order is None else x.index_select(0, queries.order)


def restore(x: Tensor, queries: Queries) -> Tensor:
    return x if queries.inverse is None else x.index_select(0, queries.inverse)


def attend(q: Tensor, k_KHD: Tensor, v_KHD: Tensor, queries: Queries, joint: Joint) -> Tensor:
    """Attention within each sample; ``q`` is in the order of ``queries``, keys and values in ``joint.every``'s.

    Returns q's shape with heads and channels flattened.
    """
    if joint.varlen and _kernel_takes(q):
        return _varlen(q, k_KHD, v_KHD, queries, joint.every)
    if q.device.type == "cpu" and q.dtype == torch.bfloat16:
        return _in_float32(q, k_KHD, v_KHD, queries, joint)
    sizes, key_sizes = queries.rectangles, joint.every.rectangles
    rectangles = zip(_cut(q, sizes), _cut(k_KHD, key_sizes), _cut(v_KHD, key_sizes), joint.masks, strict=True)
    outs = [F.scaled_dot_product_attention(*qkv_mask) for qkv_mask in rectangles]
    flat = [out.transpose(1, 2).flatten(0, 1).flatten(1) for out in outs]
    return flat[0] if len(flat) == 1 else torch.cat(flat)


def _kernel_takes(q: Tensor) -> bool:
    """The varlen kernel is FlashAttention: half precision on CUDA. Elsewhere its layout is one rectangle a sample."""
    return q.device.type == "cuda" and q.dtype in (torch.float16, torch.bfloat16)


def _cut(x_KHD: Tensor, sizes: tuple[tuple[int, int], ...]) -> list[Tensor]:
    """Rectangles (G, H, S, D)."""
    parts = x_KHD.split([g * s for g, s in sizes]) if len(sizes) > 1 else (x_KHD,)
    return [x.unflatten(0, size).transpose(1, 2) for x, size in zip(parts, sizes, strict=True)]


def _in_float32(q: Tensor, k: Tensor, v: Tensor, queries: Queries, joint: Joint) -> Tensor:
    """On a CPU the backward of short sequences takes ten times as long in bf16 as in fp32 (torch 2.14)."""
    with torch.autocast("cpu", enabled=False):  # which would bring the bf16 kernel back
        return attend(q.float(), k.float(), v.float(), queries, joint).to(q.dtype)


def _varlen(q: Tensor, k: Tensor, v: Tensor, queries: Queries, keys: Queries) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn

    out = varlen_attn(q, k, v, queries.cu_seqlens, keys.cu_seqlens, queries.longest, keys.longest)
    assert isinstance(out, Tensor)  # a tuple only when auxiliary outputs are asked for
    return out.flatten(1)
