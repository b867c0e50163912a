"""Between the VAE's latents and the transformer's tokens: 2 x 2 patches of channels.

latents (B, C, h, w)  --patchify-->  tokens (B, h/2 * w/2, 4 C)  --unpatchify-->  latents
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

PIXELS_PER_LATENT = 8
PATCH = 2
PIXELS_PER_TOKEN = PIXELS_PER_LATENT * PATCH


def patchify(latents: Tensor) -> Tensor:
    """(B, C, h, w) -> (B, h/2 * w/2, 4 C); channel order (C, row, column) as in the released checkpoint."""
    b, c, h, w = latents.shape
    if h % PATCH or w % PATCH:
        raise ValueError(f"latents of {h} x {w} cannot be cut into {PATCH} x {PATCH} patches; both must be even")
    tokens = latents.reshape(b, c, h // PATCH, PATCH, w // PATCH, PATCH).permute(0, 2, 4, 1, 3, 5)
    return tokens.reshape(b, (h // PATCH) * (w // PATCH), c * PATCH * PATCH)


def unpatchify(tokens: Tensor, h: int, w: int) -> Tensor:
    """(B, h * w, 4 C) with (h, w) in patches -> latents (B, C, 2 h, 2 w)."""
    b, n, channels = tokens.shape
    if n != h * w:
        raise ValueError(f"{n} tokens do not make {h} x {w} patches")
    latents = tokens.reshape(b, h, w, channels // PATCH**2, PATCH, PATCH).permute(0, 3, 1, 4, 2, 5)
    return latents.reshape(b, channels // PATCH**2, h * PATCH, w * PATCH)


def tokens_of(height: int, width: int) -> tuple[int, int]:
    """(h, w) in patches of an image of ``height`` x ``width`` pixels; ValueError unless multiples of 16."""
    if height < PIXELS_PER_TOKEN or width < PIXELS_PER_TOKEN or height % PIXELS_PER_TOKEN or width % PIXELS_PER_TOKEN:
        raise ValueError(f"size {width} x {height}: width and height must be positive multiples of {PIXELS_PER_TOKEN}")
    return height // PIXELS_PER_TOKEN, width // PIXELS_PER_TOKEN
