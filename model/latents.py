"""Between the VAE's latents and the transformer's tokens: 2 x 2 patches of channels.

latents (B, C, h, w)  --patchify-->  tokens (B, h/2 * w/2, 4 C)  --unpatchify-->  latents
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_PIXELS_PER_LATENT = 8
_PATCH = 2
_PIXELS_PER_TOKEN = _PIXELS_PER_LATENT * _PATCH


def patchify(latents: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, h/2 * w/2, 4 C); channel order (C, row, column) as in the released checkpoint."""
    b, c, h, w = latents.shape
    if h % _PATCH or w % _PATCH:
        raise ValueError(f"latents of {h} x {w} cannot be cut into {_PATCH} x {_PATCH} patches; both must be even")
    tokens = latents.reshape(b, c, h // _PATCH, _PATCH, w // _PATCH, _PATCH).permute(0, 2, 4, 1, 3, 5)
    return tokens.reshape(b, (h // _PATCH) * (w // _PATCH), c * _PATCH * _PATCH)


def unpatchify(tokens: Tensor, h: int, w: int) -> Tensor:
    """(B, h * w, 4 C) with (h, w) in patches -> latents (B, C, 2 h, 2 w)."""
    b, n, channels = tokens.shape
    if n != h * w:
        raise ValueError(f"{n} tokens do not make {h} x {w} patches")
    latents = tokens.reshape(b, h, w, channels // _PATCH**2, _PATCH, _PATCH).permute(0, 3, 1, 4, 2, 5)
    return latents.reshape(b, channels // _PATCH**2, h * _PATCH, w * _PATCH)


def tokens_of(height: int, width: int) -> tuple[int, int]:
    """(h, w) in patches of an image of ``height`` x ``width`` pixels; ValueError unless multiples of 16."""
    if (
        height < _PIXELS_PER_TOKEN
        or width < _PIXELS_PER_TOKEN
        or height % _PIXELS_PER_TOKEN
        or width % _PIXELS_PER_TOKEN
    ):
        raise ValueError(f"size {width} x {height}: width and height must be positive multiples of {_PIXELS_PER_TOKEN}")
    return height // _PIXELS_PER_TOKEN, width // _PIXELS_PER_TOKEN
