"""Rectified flow in the released sign: ``x = (1 - sigma) x0 + sigma eps``, the network predicts ``eps - x0``.

Sigma is a logit-normal, shifted by mu of the target's tokens as in sampling. The loss of a sample is
the mean over its target's tokens in fp32; a micro-batch gives the sum over its samples divided by the
size of the global batch, so that adding up micro-batches and ranks gives the global mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from model.attention import kernel_for
from model.layout import Layout, make_layout, to_device
from model.mmdit import MMDiT
from model.schedule import ScheduleConfig, mu, shift
from trainer.data.loader import Prepared
from trainer.rng import SIGMA, KeyedRandom
from trainer.tasks.config import ObjectiveConfig


@dataclass(frozen=True)
class MicroBatch:
    """What the network is given. ``noised``, ``target``: (N, 64); ``text``: (M, d); ``sigma``: (B,), all fp32.

    ``weight``: 1 / samples of the global batch, 0 for a dummy.
    """

    noised: Tensor
    target: Tensor
    text: Tensor
    sigma: Tensor
    layout: Layout
    weight: float


def micro_batch(
    prepared: Prepared,
    slots: np.ndarray,
    seed: int,
    config: ObjectiveConfig,
    schedule: ScheduleConfig,
    device: torch.device,
    dtype: torch.dtype | None = None,
) -> MicroBatch:
    """Noise and pack the samples at ``slots`` of the global batch; none of them makes a dummy of the first."""
    size = len(prepared.latents)
    rng = KeyedRandom(seed, prepared.batch.step, size)
    weight = 1.0 / size if len(slots) else 0.0
    chosen = slots.tolist() or [0]
    sigma = _draw_sigma(rng, [len(x) for x in prepared.latents], config, schedule)[chosen]
    clean = torch.cat([prepared.latents[i] for i in chosen])
    noise = torch.cat([rng.noise(i, tuple(prepared.latents[i].shape)) for i in chosen])
    layout = make_layout(
        [len(prepared.texts[i]) for i in chosen],
        [[prepared.sizes[i]] for i in chosen],
        kernel_for(device, dtype or torch.float32),
    )
    at = sigma[layout.target_samples][:, None]
    return MicroBatch(
        noised=to_device((1 - at) * clean + at * noise, device),
        target=to_device(noise - clean, device),
        text=to_device(torch.cat([prepared.texts[i] for i in chosen]), device),
        sigma=to_device(sigma, device),
        layout=layout.to(device),
        weight=weight,
    )


def _draw_sigma(rng: KeyedRandom, tokens: Sequence[int], config: ObjectiveConfig, schedule: ScheduleConfig) -> Tensor:
    """(slots,) fp32 in (0, 1), shifted by mu of each slot's target tokens."""
    raw = torch.from_numpy(config.sigma_mean + config.sigma_std * rng.normal(SIGMA))
    shifts = torch.tensor([mu(n, schedule) for n in tokens], dtype=torch.float64)
    return shift(torch.sigmoid(raw), shifts).float()


def loss_of(model: MMDiT, micro: MicroBatch, dtype: torch.dtype | None) -> Tensor:
    """The micro-batch's part of the global loss, fp32 scalar. ``dtype``: of autocast, None for none."""
    with torch.autocast(micro.noised.device.type, dtype, enabled=dtype is not None):
        predicted = model(micro.noised, micro.text, micro.sigma, micro.layout)
    layout = micro.layout
    error = (predicted.float()[layout.target] - micro.target[layout.target]).square().mean(dim=1)
    return (error / layout.target_tokens).sum() * micro.weight
