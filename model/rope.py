"""MSRoPE: rotary positions over (frame, height, width), real-valued, from the layout's coordinates.

The head's channels are split among the three axes; neighbouring channels (2k, 2k + 1) are one
complex number that turns with the position. The text runs along the diagonal of the same grid
(``layout.text_start``), so text and image share one coordinate system.
"""

from __future__ import annotations

import torch
from torch import Tensor

THETA = 10000.0


def rope_table(positions_N3: Tensor, axes_dims: tuple[int, int, int]) -> Tensor:
    """Angles' cosine and sine, (N, 1, D/2, 2) float32 with D = sum(axes_dims); the last axis is (cos, sin).

    Recomputed once per forward: as a buffer it would be cast with the weights, or stay on the meta device.
    """
    angles = [
        torch.outer(positions_N3[:, axis], _frequencies(dim, positions_N3.device)) for axis, dim in enumerate(axes_dims)
    ]
    angles_ND = torch.cat(angles, dim=-1)
    return torch.stack((angles_ND.cos(), angles_ND.sin()), dim=-1).unsqueeze(1)


def rotate(x_NHD: Tensor, table: Tensor) -> Tensor:
    """Turn the channel pairs of (N, H, D) by ``table``, in at least float32, and return x's dtype."""
    wide = x_NHD.to(torch.promote_types(x_NHD.dtype, torch.float32)).unflatten(-1, (-1, 2))
    if wide.device.type == "cpu":  # complex multiplication: two to three times the speed of strided real halves
        turned = torch.view_as_real(torch.view_as_complex(wide) * torch.view_as_complex(table.to(wide.dtype)))
        return turned.flatten(-2).to(x_NHD.dtype)
    cos, sin = table.to(wide.dtype).unbind(-1)
    real, imaginary = wide.unbind(-1)
    turned = torch.stack((real * cos - imaginary * sin, real * sin + imaginary * cos), dim=-1)
    return turned.flatten(-2).to(x_NHD.dtype)


def _frequencies(dim: int, device: torch.device) -> Tensor:
    """(dim / 2,) angular frequencies theta^(-2k / dim)."""
    exponents = torch.arange(0, dim, 2, dtype=torch.float32, device=device) / dim
    return 1.0 / torch.pow(THETA, exponents)
