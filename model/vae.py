"""The VAE of Qwen-Image for single images: AutoencoderKLQwenImage's exact 2-D path.

    image (B, 3, H, W) in [-1, 1] --encode--> normalized latents (B, 16, H/8, W/8) --decode--> image

Normalization, (z - mean) / std with the constants of the config, happens here and nowhere else.
Weights come from and go to the 3-D form in ``vae_weights.py``. Pictures larger than ``_TILE`` px on a side
run in windows, with the result of the whole.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from model.config import VAEConfig
from model.vae_layers import Decoder, Encoder, Recomputed

_TILE = 1024  # chosen: px; at the released width a window's decoding takes about 2 GB in fp32


class ImageVAE(nn.Module):
    """Encoder and decoder; parameters can be trained (``posterior`` and ``reconstruct`` are for that)."""

    def __init__(self, config: VAEConfig) -> None:
        super().__init__()
        self.config = config
        self.tile = _TILE
        shape = (config.base_dim, config.dim_mult, config.num_res_blocks, config.dropout, config.input_channels)
        c, mult, blocks, dropout, channels = shape
        self.encoder = Encoder(c, 2 * config.z_dim, mult, blocks, dropout, channels)
        self.quant_conv = nn.Conv2d(2 * config.z_dim, 2 * config.z_dim, 1)
        self.post_quant_conv = nn.Conv2d(config.z_dim, config.z_dim, 1)
        self.decoder = Decoder(c, config.z_dim, mult, blocks, dropout, channels)
        self.to(memory_format=torch.channels_last)  # up to twice as fast on a CPU at few channels

    @property
    def tile(self) -> int | None:
        """Pixels of a side above which a picture runs in windows, 8 at least; None for no windows."""
        return self._tile

    @tile.setter
    def tile(self, side: int | None) -> None:
        if side is not None and side < 8:
            raise ValueError(f"tile is {side} px; at least 8 is needed, or None for no windows")
        self._tile = side

    def posterior(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and log-variance (clamped to -30..20) of the *unnormalized* latents, each (B, z, H/8, W/8)."""
        moments = self.quant_conv(self.encoder(self._pixels(images), self.tile))
        mean, logvar = moments.chunk(2, dim=1)
        return mean, logvar.clamp(-30.0, 20.0)

    def encode(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """uint8 0..255 or float -1..1 images (B, 3, H, W) -> normalized latents (B, z, H/8, W/8).

        The posterior's mean, or a draw from it when a (CPU) ``generator`` is given.
        """
        mean, logvar = self.posterior(images)
        if generator is not None:
            noise = torch.randn(mean.shape, generator=generator, dtype=torch.float32).to(mean)
            mean = mean + (0.5 * logvar).exp() * noise
        return self.normalize(mean)

    def decode(self, latents: Tensor, clamp: bool = True) -> Tensor:
        """Normalized latents -> images in -1..1. Training wants ``clamp=False``: a clamp has no gradient outside."""
        images = self.decode_raw(self.denormalize(self._latents(latents)))
        return images.clamp(-1.0, 1.0) if clamp else images

    def decode_raw(self, z: Tensor) -> Tensor:
        """Unnormalized latents -> unclamped images."""
        return self.decoder(self.post_quant_conv(self._latents(z)), self.tile)

    def checkpoint_gradients(self, on: bool = True) -> None:
        """Training keeps the inputs of residual blocks and enlargements only and computes their inside twice."""
        for module in self.modules():
            if isinstance(module, Recomputed):
                module.checkpointing = on

    def normalize(self, z: Tensor) -> Tensor:
        mean, std = self._statistics(z)
        return (z - mean) / std

    def denormalize(self, latents: Tensor) -> Tensor:
        mean, std = self._statistics(latents)
        return latents * std + mean

    def _pixels(self, images: Tensor) -> Tensor:
        _check_shape("images", images, self.config.input_channels)
        height, width = images.shape[-2:]
        if width < 8 or height < 8 or width % 8 or height % 8:
            raise ValueError(f"images of {width} x {height}: width and height must be positive multiples of 8")
        if images.dtype != torch.uint8 and not images.is_floating_point():
            raise ValueError(f"images of {images.dtype}: uint8 (0..255) or floating point (-1..1) is needed")
        weight = self.quant_conv.weight
        if images.dtype == torch.uint8:
            images = images.to(weight.device).float() / 127.5 - 1.0
        return images.to(weight).contiguous(memory_format=torch.channels_last)

    def _latents(self, z: Tensor) -> Tensor:
        _check_shape("latents", z, self.config.z_dim)
        if 0 in z.shape[-2:]:
            raise ValueError(f"latents of {z.shape[-1]} x {z.shape[-2]}: width and height must be positive")
        if not z.is_floating_point():
            raise ValueError(f"latents of {z.dtype}: floating point is needed")
        return z.to(self.post_quant_conv.weight.dtype).contiguous(memory_format=torch.channels_last)

    def _statistics(self, like: Tensor) -> tuple[Tensor, Tensor]:
        mean, std = like.new_tensor(self.config.latents_mean), like.new_tensor(self.config.latents_std)
        return mean.view(1, -1, 1, 1), std.view(1, -1, 1, 1)


def _check_shape(name: str, x: Tensor, channels: int) -> None:
    if x.ndim != 4 or x.shape[1] != channels:
        raise ValueError(f"{name} of shape {list(x.shape)}: (B, {channels}, height, width) is needed")
