"""Blocks of the image VAE: what AutoencoderKLQwenImage's 3-D blocks do to a single image, in two dimensions.

With one frame every causal 3-D convolution sees zeros in the past, so only its last temporal slice
matters and it is a 2-D convolution. The temporal convolutions (``time_conv``) never run on a first
frame and do not exist here. Module names follow diffusers, so that state dicts map one to one.
All tensors are (B, C, h, w).
"""

from __future__ import annotations

from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class ChannelNorm(nn.Module):
    """x / |x| * sqrt(C) * gamma over the channels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(channels, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        wide = x.to(torch.promote_types(x.dtype, torch.float32))
        inverse = wide.square().sum(1, keepdim=True).clamp_min(1e-24).rsqrt()
        return (wide * inverse).to(x.dtype) * (self.gamma * self.gamma.shape[0] ** 0.5)


class ResidualBlock(nn.Module):
    def __init__(self, c_in: int, c_out: int, dropout: float) -> None:
        super().__init__()
        self.norm1, self.conv1 = ChannelNorm(c_in), nn.Conv2d(c_in, c_out, 3, padding=1)
        self.norm2, self.conv2 = ChannelNorm(c_out), nn.Conv2d(c_out, c_out, 3, padding=1)
        self.dropout = nn.Dropout(dropout)
        self.conv_shortcut = nn.Conv2d(c_in, c_out, 1) if c_in != c_out else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        h = self.conv1(F.silu(self.norm1(x)))
        h = self.conv2(self.dropout(F.silu(self.norm2(h))))
        return h + self.conv_shortcut(x)


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
    """Nearest-neighbour enlargement by two."""

    def forward(self, x: Tensor) -> Tensor:
        return F.interpolate(x, scale_factor=2.0, mode="nearest-exact")


class Upsample(nn.Module):
    def __init__(self, c: int) -> None:
        super().__init__()
        self.resample = nn.Sequential(Double(), nn.Conv2d(c, c // 2, 3, padding=1))

    def forward(self, x: Tensor) -> Tensor:
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

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv_in(x)
        for layer in self.down_blocks:
            x = layer(x)
        return self.conv_out(F.silu(self.norm_out(self.mid_block(x))))


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

    def forward(self, z: Tensor) -> Tensor:
        x = self.mid_block(self.conv_in(z))
        for block in self.up_blocks:
            x = block(x)
        return self.conv_out(F.silu(self.norm_out(x)))
