"""The MMDiT of Qwen-Image (report, figure 6), on packed sequences.

    text  (from Qwen2.5-VL) --norm, linear--+                                  +-- dropped
                                            |-- 60 x double-stream block ------|
    image (noised target, references) ------+      ^ joint attention           +-- norm, linear --> noise - data
                                                   | modulation from sigma alone

Names and shapes of the parameters are those of diffusers' ``QwenImageTransformer2DModel``, so that
state dicts pass in both directions. A batch is samples end to end (``layout.py``).

Shape suffixes: N text tokens, M image tokens, B samples, R rows of modulation, H heads, D channels.
``T`` in place of a token axis: (N,) or (B, n) when all samples are alike (``modulation.py``).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from model.attention import attend, merge, reorder, restore, split_streams
from model.config import MMDiTConfig
from model.joint import JointLayout
from model.layout import Layout, RowIndex
from model.modulation import add_gated, by_row, modulate
from model.rope import EPS, norm_rotate, rope_table

_TIME_CHANNELS = 256


class MMDiT(nn.Module):
    """Predicts ``noise - data`` for every image token of a packed batch."""

    def __init__(self, config: MMDiTConfig) -> None:
        super().__init__()
        self.config = config
        d = config.dim
        self.time_text_embed = TimeEmbedding(d)
        self.txt_norm = nn.RMSNorm(config.joint_attention_dim, eps=EPS)
        self.img_in = nn.Linear(config.in_channels, d)
        self.txt_in = nn.Linear(config.joint_attention_dim, d)
        last = config.num_layers - 1
        self.transformer_blocks = nn.ModuleList(Block(config, last=i == last) for i in range(config.num_layers))
        self.norm_out = OutputNorm(d)
        self.proj_out = nn.Linear(d, config.patch_size**2 * config.out_channels)

    def forward(self, image_MC: Tensor, text_NC: Tensor, sigma_B: Tensor, layout: Layout) -> Tensor:
        """(M, in_channels) packed image tokens, (N, joint_attention_dim) packed text, (B,) sigma in [0, 1].

        Returns (M, patch_size^2 * out_channels). Only the target's tokens (``layout.target``) mean something.
        The layout's dummy, where it has one, is added here and cut off again. ValueError for another batch's layout.
        """
        layout.check(len(image_MC), len(text_NC), len(sigma_B))
        tokens = len(image_MC)
        image_MC, text_NC = _filled(image_MC, layout.n_image), _filled(text_NC, layout.n_text)
        sigma_B = _filled(sigma_B, layout.table_rows)
        image_rows = layout.image_rows_zero_cond if self.config.zero_cond_t else layout.image_rows
        x_image = by_row(self.img_in(image_MC), image_rows)
        x_text = by_row(self.txt_in(self.txt_norm(text_NC)), layout.text_rows)
        samples = len(sigma_B)
        if self.config.zero_cond_t:  # one more row, of time 0, for the references
            sigma_B = torch.cat((sigma_B, sigma_B.new_zeros(1)))
        time_RD = self.time_text_embed(sigma_B)
        time_BD = time_RD[:samples]
        axes = self.config.axes_dims_rope
        ropes = (rope_table(layout.image_positions, axes), rope_table(layout.text_positions, axes))
        rows = (image_rows, layout.text_rows)
        for block in self.transformer_blocks:
            x_image, x_text = block(x_image, x_text, time_RD, time_BD, ropes, rows, layout.joint)
        x_image = _flat(x_image, image_rows)
        return _flat(self.proj_out(self.norm_out(x_image, time_BD, layout.image_rows)), layout.image_rows)[:tokens]


class Block(nn.Module):
    """One double-stream block: each stream has its own weights, the attention is common.

    After the last block the text is dropped, so there the text's query, output and MLP feed nothing.
    They exist for the checkpoint, are frozen and are not computed.
    """

    def __init__(self, config: MMDiTConfig, last: bool) -> None:
        super().__init__()
        d = config.dim
        self.last = last
        self.img_mod = nn.Sequential(nn.SiLU(), nn.Linear(d, 6 * d))
        self.txt_mod = nn.Sequential(nn.SiLU(), nn.Linear(d, 6 * d))
        self.attn = JointAttention(d, config.num_attention_heads)
        self.img_mlp = MLP(d)
        self.txt_mlp = MLP(d)
        if last:
            for dead in (self.attn.add_q_proj, self.attn.norm_added_q, self.attn.to_add_out, self.txt_mlp):
                dead.requires_grad_(False)

    def forward(
        self,
        image: Tensor,  # (T, D)
        text: Tensor,  # (T, D)
        time_RD: Tensor,
        time_BD: Tensor,
        ropes: tuple[Tensor, Tensor],
        rows: tuple[RowIndex, RowIndex],
        joint: JointLayout,
    ) -> tuple[Tensor, Tensor]:
        """``ropes`` and ``rows``: of the image, of the text. Not the whole layout, whose sizes differ from batch to
        batch: torch 2.11 compiles a block anew for every change of a field that it is given, read or not."""
        image_rows, text_rows = rows
        shift1, scale1, gate1, shift2, scale2, gate2 = self.img_mod(time_RD).chunk(6, dim=-1)
        txt_shift1, txt_scale1, txt_gate1, txt_shift2, txt_scale2, txt_gate2 = self.txt_mod(time_BD).chunk(6, dim=-1)

        normed = modulate(image, shift1, scale1, image_rows)
        txt_normed = modulate(text, txt_shift1, txt_scale1, text_rows)
        attended, txt_attended = self.attn(normed, txt_normed, ropes, joint, image_only=self.last)

        image = add_gated(image, attended.view_as(image), gate1, image_rows)
        image = add_gated(image, self.img_mlp(modulate(image, shift2, scale2, image_rows)), gate2, image_rows)
        if txt_attended is not None:
            text = add_gated(text, txt_attended.view_as(text), txt_gate1, text_rows)
            text = add_gated(
                text, self.txt_mlp(modulate(text, txt_shift2, txt_scale2, text_rows)), txt_gate2, text_rows
            )
        return image, text


class JointAttention(nn.Module):
    """Queries, keys and values from each stream's own projections; RMSNorm on q and k; one attention over both."""

    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q, self.to_k, self.to_v = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)
        self.add_q_proj, self.add_k_proj, self.add_v_proj = nn.Linear(d, d), nn.Linear(d, d), nn.Linear(d, d)
        self.norm_q, self.norm_k = nn.RMSNorm(d // heads, eps=EPS), nn.RMSNorm(d // heads, eps=EPS)
        self.norm_added_q, self.norm_added_k = nn.RMSNorm(d // heads, eps=EPS), nn.RMSNorm(d // heads, eps=EPS)
        self.to_out = nn.ModuleList([nn.Linear(d, d)])
        self.to_add_out = nn.Linear(d, d)

    def forward(
        self, image: Tensor, text: Tensor, ropes: tuple[Tensor, Tensor], joint: JointLayout, image_only: bool
    ) -> tuple[Tensor, Tensor | None]:
        """Normed streams (T, D) -> attention's output for the image (M, D) and, unless ``image_only``, the text (N, D)."""
        rope, txt_rope = ropes
        q = norm_rotate(self._heads(self.to_q(image)), self.norm_q.weight, rope)
        k = norm_rotate(self._heads(self.to_k(image)), self.norm_k.weight, rope)
        txt_k = norm_rotate(self._heads(self.add_k_proj(text)), self.norm_added_k.weight, txt_rope)
        k, v = merge(txt_k, k, joint), merge(self._heads(self.add_v_proj(text)), self._heads(self.to_v(image)), joint)
        if image_only:
            out = restore(attend(reorder(q, joint.image), k, v, joint.image, joint), joint.image)
            return self.to_out[0](out), None
        txt_q = norm_rotate(self._heads(self.add_q_proj(text)), self.norm_added_q.weight, txt_rope)
        out = attend(merge(txt_q, q, joint), k, v, joint.every, joint)
        text, image = split_streams(out, joint, len(txt_q))
        return self.to_out[0](image), self.to_add_out(text)

    def _heads(self, x: Tensor) -> Tensor:
        """(T, H * D) -> (tokens, H, D)."""
        return x.view(-1, self.heads, x.shape[-1] // self.heads)


class MLP(nn.Module):
    """Linear, tanh-GELU, linear with four times the width; indices and names of diffusers' FeedForward."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.net = nn.Sequential(_Up(d), nn.Identity(), nn.Linear(4 * d, d))

    def forward(self, x: Tensor) -> Tensor:
        return self.net(x)


class _Up(nn.Module):
    def __init__(self, d: int) -> None:
        super().__init__()
        self.proj = nn.Linear(d, 4 * d)

    def forward(self, x: Tensor) -> Tensor:
        return F.gelu(self.proj(x), approximate="tanh")


class TimeEmbedding(nn.Module):
    """sigma (B,) -> (B, D): 256 sinusoids (cosines first) of 1000 sigma, then linear, SiLU, linear."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.timestep_embedder = _TimeMLP(d)

    def forward(self, sigma_B: Tensor) -> Tensor:
        half = _TIME_CHANNELS // 2
        steps = torch.arange(half, dtype=torch.float32, device=sigma_B.device)
        frequencies = torch.exp(-math.log(10000) * steps / half)
        angles = 1000 * torch.outer(sigma_B.float(), frequencies)  # fp32: bf16 knows only 506 of the times 1..1000
        sinusoids = torch.cat((angles.cos(), angles.sin()), dim=-1)
        return self.timestep_embedder(sinusoids.to(self.timestep_embedder.linear_1.weight.dtype))


class _TimeMLP(nn.Module):
    def __init__(self, d: int) -> None:
        super().__init__()
        self.linear_1 = nn.Linear(_TIME_CHANNELS, d)
        self.linear_2 = nn.Linear(d, d)

    def forward(self, x: Tensor) -> Tensor:
        return self.linear_2(F.silu(self.linear_1(x)))


class OutputNorm(nn.Module):
    """The final modulated norm; here the table is (scale, shift), the other way round than in the blocks."""

    def __init__(self, d: int) -> None:
        super().__init__()
        self.linear = nn.Linear(d, 2 * d)

    def forward(self, x_MD: Tensor, time_BD: Tensor, rows: RowIndex) -> Tensor:
        scale, shift = self.linear(F.silu(time_BD)).chunk(2, dim=-1)
        return modulate(by_row(x_MD, rows), shift, scale, rows)


def _flat(x: Tensor, rows: RowIndex) -> Tensor:
    """(T, D) -> (tokens, D)."""
    return x if rows.run is None else x.flatten(0, 1)


def _filled(x: Tensor, count: int) -> Tensor:
    """Zeros after the rows of ``x`` up to ``count`` of them."""
    return x if len(x) == count else torch.cat((x, x.new_zeros(count - len(x), *x.shape[1:])))
