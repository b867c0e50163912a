"""Frozen encoders with a memory: pictures to latents, captions to conditions.

Each picture and each caption is encoded alone, so that its numbers depend on nothing but itself: a
batched kernel may round differently with other batch-mates, and a resumed run meets other ones.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from model.condition import Conditioner
from model.latents import patchify
from model.vae import ImageVAE


class _TensorCache:
    """Tensors by key, the least recently used dropped beyond ``limit`` bytes."""

    def __init__(self, limit: int) -> None:
        self.limit, self.used = limit, 0
        self._kept: OrderedDict[Hashable, Tensor] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Tensor]) -> Tensor:
        """The tensor of ``key``, made where it is not kept."""
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        value = make()
        self._kept[key] = value
        self.used += value.nbytes
        while self.used > self.limit and len(self._kept) > 1:
            self.used -= self._kept.popitem(last=False)[1].nbytes
        return value

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept


class Encoders:
    """VAE and conditioner, frozen. Results lie on the CPU."""

    def __init__(self, vae: ImageVAE, conditioner: Conditioner, limit: int, device: torch.device) -> None:
        self.vae, self.conditioner, self.device = vae.eval().requires_grad_(False), conditioner, device
        self.latents, self.conditions = _TensorCache(limit), _TensorCache(limit // 4)

    @torch.no_grad()
    def image(self, key: Hashable, pixels: Callable[[], np.ndarray]) -> Tensor:
        """(tokens, 64) normalised latents, posterior mean, of the uint8 (H, W, 3) that ``pixels`` gives."""

        def encode() -> Tensor:
            picture = torch.from_numpy(np.ascontiguousarray(pixels().transpose(2, 0, 1)))[None]
            return patchify(self.vae.encode(picture.to(self.device)).float())[0].cpu()

        return self.latents.get(key, encode)

    def texts(self, prompts: Sequence[str]) -> list[Tensor]:
        """(n_i, d) condition of each prompt."""
        return [self.conditions.get(p, partial(self._condition, p)) for p in prompts]

    def _condition(self, prompt: str) -> Tensor:
        return self.conditioner.encode([prompt])[0].float().cpu()
