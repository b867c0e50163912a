"""Joint attention over packed samples: every sample attends to itself alone, [text, image] together.

Two backends, chosen by device. Both take the stream [all text | all images] and give it back.

    CUDA  torch's varlen kernel over sample order: no padding, no mask
    CPU   one rectangle if all samples are alike, else a few rectangles of like lengths (layout.groups)

Shape suffixes: N tokens of both streams, M image tokens, B samples, H heads, D channels of a head.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from model.layout import Layout


def attend(q: Tensor, k_NHD: Tensor, v_NHD: Tensor, layout: Layout) -> Tensor:
    """Attention within each sample.

    ``q`` is (N, H, D) or, when only the image's output is wanted, its image part (M, H, D); the result has q's shape.
    """
    image_only = q.shape[0] != k_NHD.shape[0]
    if q.device.type == "cuda":
        return _varlen(q, k_NHD, v_NHD, layout, image_only)
    if layout.uniform:
        return _rectangular(q, k_NHD, v_NHD, layout, image_only)
    return _grouped(q, k_NHD, v_NHD, layout, image_only)


def _varlen(q: Tensor, k_NHD: Tensor, v_NHD: Tensor, layout: Layout, image_only: bool) -> Tensor:
    from torch.nn.attention.varlen import varlen_attn

    if not image_only:
        q = q[layout.joint_order]
    starts, longest = (
        (layout.cu_seqlens_image, layout.max_seqlen_image) if image_only else (layout.cu_seqlens, layout.max_seqlen)
    )
    k, v = k_NHD[layout.joint_order], v_NHD[layout.joint_order]
    out = varlen_attn(q, k, v, starts, layout.cu_seqlens, longest, layout.max_seqlen)
    assert isinstance(out, Tensor)  # a tuple only when auxiliary outputs are asked for
    return out if image_only else out[layout.joint_inverse]


def _rectangular(q: Tensor, k_NHD: Tensor, v_NHD: Tensor, layout: Layout, image_only: bool) -> Tensor:
    b, n_text = len(layout.text_lengths), layout.text_lengths[0]

    def by_sample(x: Tensor) -> Tensor:
        text, image = x[: layout.n_text], x[layout.n_text :]
        return torch.cat((text.unflatten(0, (b, n_text)), image.unflatten(0, (b, -1))), dim=1)

    q_BSHD = q.unflatten(0, (b, -1)) if image_only else by_sample(q)
    out_BSHD = _sdpa(q_BSHD, by_sample(k_NHD), by_sample(v_NHD))
    if image_only:
        return out_BSHD.flatten(0, 1)
    return torch.cat((out_BSHD[:, :n_text].flatten(0, 1), out_BSHD[:, n_text:].flatten(0, 1)))


def _grouped(q: Tensor, k_NHD: Tensor, v_NHD: Tensor, layout: Layout, image_only: bool) -> Tensor:
    outs = []
    for group in layout.groups:
        k, v = _take(k_NHD, group.index), _take(v_NHD, group.index)
        q_group = _take(q, group.image_index) if image_only else _take(q, group.index)
        outs.append(_sdpa(q_group, k, v, group.mask).flatten(0, 1))
    return torch.cat(outs).index_select(0, layout.group_image_inverse if image_only else layout.group_inverse)


def _take(x: Tensor, index: Tensor) -> Tensor:
    return x.index_select(0, index.flatten()).unflatten(0, index.shape)


def _sdpa(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None = None) -> Tensor:
    """(B, S, H, D) in and out."""
    out = F.scaled_dot_product_attention(q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), attn_mask=mask)
    return out.transpose(1, 2)
