"""Blocks of the image VAE: what AutoencoderKLQwenImage's 3-D blocks do to a single image, in two dimensions.

With one frame every causal 3-D convolution sees zeros in the past, so only its last temporal slice
matters and it is a 2-D convolution. The temporal convolutions (``time_conv``) never run on a first
frame and do not exist here. Module names follow diffusers, so that state dicts map one to one.
All tensors are (B, C, h, w).

Encoder and decoder are cut where attention over all positions begins or ends: the part on its other
side is convolutions alone, holds nearly all the memory, and can run in windows (``tiles.py``).
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from model.tiles import tiled


def _silu(x: Tensor) -> Tensor:
    """Of a tensor that nobody else reads: in place where no gradient needs it."""
    return F.silu(x, inplace=not torch.is_grad_enabled())


class ChannelNorm(nn.Module):
    """x / |x| * sqrt(C) * gamma over the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        inverse = torch.linalg.vector_norm(wide, dim=1, keepdim=True).clamp_min(1e-12).reciprocal()
        scale = self.gamma * self.gamma.shape[0] ** 0.5
        unit = (wide * inverse).to(x.dtype)
        return unit * scale if torch.is_grad_enabled() else unit.mul_(scale)


class Recomputed(nn.Module):
    """With ``checkpointing`` on, training keeps the input only and the backward pass computes ``inside`` again."""

    checkpointing = False

    def forward(self, x: Tensor) -> Tensor:
        if self.checkpointing and torch.is_grad_enabled():
            out: Tensor = checkpoint(self.inside, x, use_reentrant=False)
            return out
        return self.inside(x)

    def inside(self, x: Tensor) -> Tensor:
        raise NotImplementedError


class ResidualBlock(Recomputed):
    def __init__(self, c_in: int, c_out: int, dropout: float) -> None:
        super().__init__()
        self.norm1, self.conv1 = ChannelNorm(c_in), nn.Conv2d(c_in, c_out, 3, padding=1)
        self.norm2, self.conv2 = ChannelNorm(c_out), nn.Conv2d(c_out, c_out, 3, padding=1)
        self.dropout = nn.Dropout(dropout)
        self.conv_shortcut = nn.Conv2d(c_in, c_out, 1) if c_in != c_out else nn.Identity()

    def inside(self, x: Tensor) -> Tensor:
        h = self.conv1(_silu(self.norm1(x)))
        h = self.conv2(self.dropout(_silu(self.norm2(h))))
        return h + self.conv_shortcut(x) if torch.is_grad_enabled() else h.add_(self.conv_shortcut(x))


class AttentionBlock(nn.Module):
    """Single-head self-attention over all positions."""

    def __init__(self, c: int) -> None:
        super().__init__()
        self.norm, self.to_qkv, self.proj = ChannelNorm(c), nn.Conv2d(c, 3 * c, 1), nn.Conv2d(c, c, 1)

    def forward(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        qkv = self.to_qkv(self.norm(x)).flatten(2).transpose(1, 2).unsqueeze(1)  # (B, 1, h w, 3 C)
        q, k, v = qkv.contiguous().chunk(3, dim=-1)
        out = F.scaled_dot_product_attention(q, k, v).squeeze(1).transpose(1, 2).reshape(b, c, h, w)
        return x + self.proj(out)


class MidBlock(nn.Module):
    def __init__(self, c: int, dropout: float) -> None:
        super().__init__()
        self.resnets = nn.ModuleList([ResidualBlock(c, c, dropout), ResidualBlock(c, c, dropout)])
        self.attentions = nn.ModuleList([AttentionBlock(c)])

    def forward(self, x: Tensor) -> Tensor:
        return self.resnets[1](self.attentions[0](self.resnets[0](x)))


class Double(nn.Module):
    """Nearest-neighbor enlargement by two."""

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2.0, mode="nearest-exact")


class Upsample(Recomputed):
    def __init__(self, c: int) -> None:
        super().__init__()
        self.resample = nn.Sequential(Double(), nn.Conv2d(c, c // 2, 3, padding=1))

    def inside(self, x: Tensor) -> Tensor:
        return self.resample(x)


class Downsample(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        self.resample = nn.Sequential(nn.ZeroPad2d((0, 1, 0, 1)), nn.Conv2d(c, c, 3, stride=2))

    def forward(self, x: Tensor) -> Tensor:
        return self.resample(x)


class UpBlock(nn.Module):
    def __init__(self, c_in: int, c_out: int, blocks: int, dropout: float, last: bool) -> None:
        super().__init__()
        self.resnets = nn.ModuleList(ResidualBlock(c_in if i == 0 else c_out, c_out, dropout) for i in range(blocks))
        self.upsamplers = nn.ModuleList([] if last else [Upsample(c_out)])

    def forward(self, x: Tensor) -> Tensor:
        for layer in [*self.resnets, *self.upsamplers]:
            x = layer(x)
        return x


class Encoder(nn.Module):
    def __init__(self, c: int, z: int, mult: tuple[int, ...], blocks: int, dropout: float, input_channels: int) -> None:
        super().__init__()
        dims = [c * m for m in (1, *mult)]
        self.conv_in = nn.Conv2d(input_channels, dims[0], 3, padding=1)
        self.down_blocks = nn.ModuleList()
        for level, (c_in, c_out) in enumerate(pairwise(dims)):
            self.down_blocks.extend(ResidualBlock(c_in if i == 0 else c_out, c_out, dropout) for i in range(blocks))
            if level < len(mult) - 1:
                self.down_blocks.append(Downsample(c_out))
        self.mid_block = MidBlock(dims[-1], dropout)
        self.norm_out = ChannelNorm(dims[-1])
        self.conv_out = nn.Conv2d(dims[-1], z, 3, padding=1)
        self.cut = len(self.down_blocks) - blocks  # after the last reduction
        self.halo = encoder_halo(blocks)

    def forward(self, x: Tensor, tile: int | None = None) -> Tensor:
        """(B, 3, H, W) -> (B, z, H/8, W/8); ``tile``: pixels of a window's side, None for no windows."""
        x = tiled(self._local, x, 1, 8, tile // 8, self.halo) if tile else self._local(x)
        for layer in self.down_blocks[self.cut :]:
            x = layer(x)
        return self.conv_out(_silu(self.norm_out(self.mid_block(x))))

    def _local(self, x: Tensor) -> Tensor:
        """(B, 3, H, W) -> (B, C, H/8, W/8)."""
        x = self.conv_in(x)
        for layer in self.down_blocks[: self.cut]:
            x = layer(x)
        return x


class Decoder(nn.Module):
    def __init__(
        self, c: int, z: int, mult: tuple[int, ...], blocks: int, dropout: float, output_channels: int
    ) -> None:
        super().__init__()
        dims = [c * m for m in (mult[-1], *reversed(mult))]
        self.conv_in = nn.Conv2d(z, dims[0], 3, padding=1)
        self.mid_block = MidBlock(dims[0], dropout)
        self.up_blocks = nn.ModuleList()
        for level, (c_in, c_out) in enumerate(pairwise(dims)):
            halved = c_in if level == 0 else c_in // 2  # the upsampler before has halved the channels
            self.up_blocks.append(UpBlock(halved, c_out, blocks + 1, dropout, last=level == len(mult) - 1))
        self.norm_out = ChannelNorm(dims[-1])
        self.conv_out = nn.Conv2d(dims[-1], output_channels, 3, padding=1)
        self.halo = decoder_halo(blocks)

    def forward(self, z: Tensor, tile: int | None = None) -> Tensor:
        """(B, z, h, w) -> (B, 3, 8 h, 8 w); ``tile``: pixels of a window's side, None for no windows."""
        x = self.up_blocks[0](self.mid_block(self.conv_in(z)))
        return tiled(self._local, x, 4, 1, tile // 4, self.halo) if tile else self._local(x)

    def _local(self, x: Tensor) -> Tensor:
        """(B, C, 2 h, 2 w) -> (B, 3, 8 h, 8 w)."""
        for block in self.up_blocks[1:]:
            x = block(x)
        return self.conv_out(_silu(self.norm_out(x)))


def encoder_halo(blocks: int) -> int:
    """How far a latent sees through ``Encoder._local``, in steps of 8 px. Counted from the latent to the picture."""
    reach = 0
    for _ in range(3):
        reach = 2 * reach + 1 + 2 * blocks  # a reduction reads 1 px beyond its own two; then two convolutions a block
    return math.ceil((reach + 1) / 8)  # and the first convolution


def decoder_halo(blocks: int) -> int:
    """How far a pixel sees through ``Decoder._local``, in steps of 4 px. Counted from the pixel inwards."""
    reach = 1  # the last convolution
    for _ in range(2):
        reach += 2 * (blocks + 1) + 1  # two convolutions a block, and the one after the enlargement
        reach = math.ceil(reach / 2)
    return reach + 2 * (blocks + 1)
