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
from model.layout import Size, make_layout
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


class Packed:
    """Requests in one packed batch, as the network is asked for their velocity. ``model``: whose dtype and device they
    take. ``samples``: (M,) whose request each row of the targets is."""

    def __init__(self, model: MMDiT, requests: Sequence[Request]) -> None:
        weight = model.img_in.weight
        self.guided = requests[0].negative is not None
        both = 2 if self.guided else 1
        texts = [r.text for r in requests] + [r.negative for r in requests if r.negative is not None]
        sizes = [[size for _, size in r.images] for r in requests] * both
        layout = make_layout([len(t) for t in texts], sizes, kernel_for(weight.device, weight.dtype))
        self.layout = layout.to(weight.device)
        self.text = torch.cat(texts).to(weight)
        self.stream = torch.cat([tokens for r in requests for tokens, _ in r.images] * both).to(weight)
        self.noise = torch.cat([r.noise for r in requests]).to(weight.device, torch.float32)
        self.lengths = [len(r.noise) for r in requests]
        self.samples = self.layout.target_samples[: len(self.noise)]

    def velocity(self, model: Callable[..., Tensor], x_MC: Tensor, sigma_B: Tensor, cfg: float) -> Tensor:
        """(M, C) fp32: the prediction of noise - data for the targets ``x_MC`` at ``sigma_B``, guided where the requests
        have negatives."""
        both = 2 if self.guided else 1
        tokens = self.stream.index_copy(0, self.layout.target, x_MC.to(self.stream.dtype).repeat(both, 1))
        out = model(tokens, self.text, sigma_B.repeat(both), self.layout)[self.layout.target].float()
        if not self.guided:
            return out
        cond, negative = out.chunk(2)
        return guide(cond, negative, cfg)

    def ladder(self, steps: int, schedule: ScheduleConfig) -> Tensor:
        """(steps + 1, B) sigmas from 1 to 0, of each request by its size."""
        each = np.stack([sigmas(steps, length, schedule) for length in self.lengths], axis=1)
        return torch.from_numpy(each).to(self.noise.device)


def _sample_batch(
    model: MMDiT,
    requests: Sequence[Request],
    steps: int,
    cfg: float,
    schedule: ScheduleConfig,
    progress: Callable[[int], None] | None,
) -> list[Tensor]:
    packed = Packed(model, requests)
    x = packed.noise
    for sigma_B, next_B in pairwise(packed.ladder(steps, schedule)):
        velocity = packed.velocity(model, x, sigma_B, cfg)
        x = x + (next_B - sigma_B)[packed.samples, None] * velocity
        if progress:
            progress(len(x))
    return list(x.split(packed.lengths))


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
