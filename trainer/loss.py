"""Rectified flow in the released sign: ``x = (1 - sigma) x0 + sigma eps``, the network predicts ``eps - x0``.

Sigma is a logit-normal, shifted by mu of the target's tokens as in sampling. References stay clean and are not in the
loss. The loss of a sample is the mean over its target's tokens in fp32; a step's loss is the sum over the samples of
the *global* batch divided by their number, so adding up micro-batches and ranks gives the global mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from model.attention import kernel_for
from model.layout import Layout, Padding, make_layout, to_device
from model.schedule import ScheduleConfig, mu, shift
from trainer.rng import SIGMA, KeyedRandom
from trainer.tasks.base import Encoded
from trainer.tasks.config import ObjectiveConfig

Precision = torch.dtype | None
"""Of the forward pass under autocast; None for none."""


@dataclass(frozen=True)
class MicroBatch:
    """What the network is given. ``images``: (N, 64) noised targets and clean references; ``text``: (M, d); ``sigma``:
    (B,); ``target``: (N_target, 64) noise - data; ``weights``: (N_target,) or None for ones. ``slots``: (B,) places in
    the global batch, none for a dummy."""

    slots: list[int]
    images: Tensor
    text: Tensor
    sigma: Tensor
    target: Tensor
    weights: Tensor | None
    layout: Layout


def draw_sigma(
    rng: KeyedRandom, target_tokens: Sequence[int] | np.ndarray, config: ObjectiveConfig, schedule: ScheduleConfig
) -> Tensor:
    """(slots,) float64 in (0, 1), shifted by mu of each slot's target tokens."""
    raw = torch.from_numpy(config.sigma_mean + config.sigma_std * rng.normal(SIGMA))
    shifts = mu(np.asarray(target_tokens, dtype=np.float64), schedule)
    return shift(torch.sigmoid(raw), torch.from_numpy(shifts))


def micro_batch(
    samples: Sequence[Encoded],
    slots: list[int],
    sigma: Tensor,
    rng: KeyedRandom,
    device: torch.device,
    dtype: Precision = None,
    fixed: bool = False,
) -> MicroBatch:
    """Noise and pack ``samples``, which stand at ``slots`` of the global batch; ``sigma``: (slots of the batch,).

    ``fixed``: pad to one of few shapes, so that compiled blocks are compiled a few times only.
    """
    targets = [s.images[0] for s in samples]
    sizes = [len(target) for target in targets]
    clean, noise = (
        torch.cat(targets),
        torch.cat([rng.noise(slot, tuple(x.shape)) for slot, x in zip(slots, targets, strict=True)]),
    )
    noise, at = noise.to(clean), sigma[slots].to(clean)
    each = at.repeat_interleave(torch.tensor(sizes))[:, None]
    noised = ((1 - each) * clean + each * noise).split(sizes)
    layout = make_layout(
        [len(s.text) for s in samples],
        [s.sizes for s in samples],
        kernel_for(device, dtype or at.dtype),
        _padding(samples) if fixed else None,
    )
    weighted = any(s.weights is not None for s in samples)
    return MicroBatch(
        slots=list(slots),
        images=to_device(
            torch.cat([x for s, n in zip(samples, noised, strict=True) for x in (n, *s.images[1:])]), device
        ),
        text=to_device(torch.cat([s.text for s in samples]), device),
        sigma=to_device(at, device),
        target=to_device(noise - clean, device),
        weights=to_device(torch.cat([_weights(s) for s in samples]), device) if weighted else None,
        layout=layout.to(device),
    )


def dummy(
    channels: int, text_channels: int, device: torch.device, like: torch.dtype, dtype: Precision = None
) -> MicroBatch:
    """One token of zeros without a slot: a rank that has nothing to do takes part in every exchange with it.

    ``like``: dtype of its numbers; ``dtype``: of products, as in ``micro_batch``.
    """
    nothing = Encoded(torch.zeros(1, text_channels, dtype=like), (torch.zeros(1, channels, dtype=like),), ((1, 1),))
    return MicroBatch(
        slots=[],
        images=nothing.images[0].to(device),
        text=nothing.text.to(device),
        sigma=torch.full((1,), 0.5, dtype=like, device=device),
        target=nothing.images[0].to(device),
        weights=None,
        layout=make_layout([1], [((1, 1),)], kernel_for(device, dtype or like)).to(device),
    )


def sample_losses(model: nn.Module, micro: MicroBatch, dtype: Precision) -> Tensor:
    """(B,) losses in fp32 (fp64 for such a model). ``dtype``: of autocast, None for none."""
    with torch.autocast(micro.images.device.type, dtype, enabled=dtype is not None):
        predicted = model(micro.images, micro.text, micro.sigma, micro.layout)
    error = (predicted[micro.layout.target].to(micro.target.dtype) - micro.target).square().mean(dim=1)
    if micro.weights is not None:
        error = error * micro.weights
    lengths = [h * w for (h, w), *_ in micro.layout.images]
    return torch.stack([part.mean() for part in error.split(lengths)])  # an index_add would not be deterministic


def _padding(samples: Sequence[Encoded]) -> Padding:
    """Room for these samples, in coarse steps (chosen)."""
    longest = max(len(s.text) + sum(map(len, s.images)) for s in samples)
    return Padding(samples=8 * -(-len(samples) // 8), longest=1024 * -(-longest // 1024))


def _weights(sample: Encoded) -> Tensor:
    return torch.ones(len(sample.images[0])) if sample.weights is None else sample.weights
