"""What a step costs: floating-point operations and bytes, from the shapes alone."""

from __future__ import annotations

from dataclasses import dataclass

from torch import nn

from model.mmdit import MMDiTConfig

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


@dataclass(frozen=True)
class Memory:
    """Bytes of a training state on one device, activations apart."""

    weights: int
    gradients: int
    optimizer: int

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.optimizer


def adamw_memory(module: nn.Module, weight_bytes: int) -> Memory:
    """AdamW with two fp32 moments for each trained parameter, and an fp32 copy of it when weights are narrower."""
    every = sum(p.numel() for p in module.parameters())
    trained = sum(p.numel() for p in module.parameters() if p.requires_grad)
    states = 8 if weight_bytes >= 4 else 12
    return Memory(every * weight_bytes, trained * weight_bytes, trained * states)
