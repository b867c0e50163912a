"""Euler sampling with true classifier-free guidance, for any mixture of prompts and sizes at once.

    noise (sigma 1) --[ model on (prompt | negative) in one packed batch, guide, step ]--> latents (sigma 0)

Every sample walks its own ladder of sigmas, because the shift depends on its size. References lie
beside their target in the image stream and stay as they are. Samples do not see each other, so
how they are cut into batches does not change a picture.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from model.attention import kernel_for
from model.latents import patchify
from model.layout import Layout, Size, make_layout
from model.mmdit import MMDiT
from model.schedule import QWEN_IMAGE, ScheduleConfig, sigmas

BATCH_TOKENS = 16384  # chosen: tokens (text and image, both halves of the guidance) of one forward pass


@dataclass(frozen=True)
class Request:
    """One picture to make: condition (n, d), its negative or None, start noise and references as tokens (h * w, C)."""

    text: Tensor
    negative: Tensor | None
    noise: Tensor
    size: Size  # (h, w) in patches
    references: tuple[tuple[Tensor, Size], ...] = ()

    @property
    def images(self) -> list[tuple[Tensor, Size]]:
        """The sample's part of the image stream, the target first."""
        return [(self.noise, self.size), *self.references]

    @property
    def tokens(self) -> int:
        texts = [self.text] if self.negative is None else [self.text, self.negative]
        return sum(map(len, texts)) + len(texts) * sum(len(image) for image, _ in self.images)


def draw_noise(seed: int, h: int, w: int, channels: int = 16) -> Tensor:
    """Start noise of one picture of (h, w) patches as tokens (h * w, 4 * channels), fp32.

    Drawn on the CPU in the shape (1, 1, channels, 2 h, 2 w), as diffusers' pipeline draws it for a
    CPU generator of that seed.
    """
    generator = torch.Generator("cpu").manual_seed(seed)
    return patchify(torch.randn((1, 1, channels, 2 * h, 2 * w), generator=generator).squeeze(0))[0]


@torch.no_grad()
def sample_tokens(
    model: MMDiT,
    requests: Sequence[Request],
    steps: int,
    cfg: float,
    schedule: ScheduleConfig = QWEN_IMAGE,
    progress: Callable[[int], None] | None = None,
) -> list[Tensor]:
    """Image tokens (h * w, C) in fp32 for each request. ``progress`` is called with the tokens done in each step."""
    out: list[Tensor] = []
    for part in _batches(requests):
        out.extend(_sample_batch(model, part, steps, cfg, schedule, progress))
    return out


def guide(cond: Tensor, negative: Tensor, cfg: float) -> Tensor:
    """negative + cfg (cond - negative), rescaled per token to the norm of ``cond``."""
    guided = negative + cfg * (cond - negative)
    norm = guided.norm(dim=-1, keepdim=True)
    return guided * (cond.norm(dim=-1, keepdim=True) / norm.clamp_min(torch.finfo(norm.dtype).tiny))


def _sample_batch(
    model: MMDiT,
    requests: Sequence[Request],
    steps: int,
    cfg: float,
    schedule: ScheduleConfig,
    progress: Callable[[int], None] | None,
) -> list[Tensor]:
    weight = model.img_in.weight
    guided = requests[0].negative is not None
    texts = [r.text for r in requests] + [r.negative for r in requests if r.negative is not None]
    images = [image for r in requests for image in r.images]
    sizes = [[size for _, size in r.images] for r in requests] * (2 if guided else 1)
    layout = make_layout([len(t) for t in texts], sizes, kernel_for(weight.device, weight.dtype)).to(weight.device)
    text = torch.cat(texts).to(weight)
    stream = torch.cat([tokens for tokens, _ in images] * (2 if guided else 1)).to(weight)
    x = torch.cat([r.noise for r in requests]).to(weight.device, torch.float32)
    ladder_SB = torch.from_numpy(np.stack([sigmas(steps, len(r.noise), schedule) for r in requests], axis=1))
    ladder_SB = ladder_SB.to(weight.device)
    samples_M = layout.target_samples[: len(x)]
    for sigma_B, next_B in pairwise(ladder_SB):
        velocity = _predict(model, x, stream, text, sigma_B, layout, cfg if guided else None)
        x = x + (next_B - sigma_B)[samples_M, None] * velocity
        if progress:
            progress(len(x))
    return list(x.split([len(r.noise) for r in requests]))


def _predict(
    model: MMDiT, x_MC: Tensor, stream: Tensor, text: Tensor, sigma_B: Tensor, layout: Layout, cfg: float | None
) -> Tensor:
    """The guided prediction of noise - data for the targets ``x``, fp32; ``stream`` holds the references."""
    both = 1 if cfg is None else 2
    tokens = stream.index_copy(0, layout.target, x_MC.to(stream.dtype).repeat(both, 1))
    out = model(tokens, text, sigma_B.repeat(both), layout)[layout.target].float()
    if cfg is None:
        return out
    cond, negative = out.chunk(2)
    return guide(cond, negative, cfg)


def _batches(requests: Sequence[Request]) -> list[list[Request]]:
    """Consecutive requests, as many as fit BATCH_TOKENS."""
    parts: list[list[Request]] = []
    total = 0
    for request in requests:
        if not parts or total + request.tokens > BATCH_TOKENS:
            parts.append([])
            total = 0
        parts[-1].append(request)
        total += request.tokens
    return parts
