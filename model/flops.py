"""What a sample costs in floating-point operations, from the shapes alone."""

from __future__ import annotations

from model.config import MMDiTConfig

TRAINING_FACTOR = 3  # forward once, backward twice
PEAK_FLOPS = 989.4e12  # H100 / H200 SXM, dense bf16: the denominator of MFU


def forward_flops(config: MMDiTConfig, n_image: int, n_text: int) -> int:
    """FLOPs of one sample's forward pass through the blocks; a product of (a, b) and (b, c) is 2 a b c.

    Per block: 24 d^2 for every token (projections and MLP of its own stream), 4 d (n_image + n_text)^2
    of attention, and the modulation once per sample and stream (once more with ``zero_cond_t``).
    ``n_image`` counts references too.
    """
    d, n = config.dim, n_image + n_text
    modulation = 36 if config.zero_cond_t else 24
    return config.num_layers * (24 * d * d * n + 4 * d * n * n + modulation * d * d)
