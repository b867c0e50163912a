"""Frozen encoders with a memory: pictures to latents, prompts (with or without pictures) to conditions.

Each picture and each prompt is encoded alone, so that its numbers depend on nothing but itself: a
batched kernel may round differently with other batch-mates, and a resumed run meets other ones.
Threads may ask at once: each decodes what it wants encoded, and the encoders run for one of them at a time.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from model.condition import Conditioner
from model.latents import patchify
from model.vae import ImageVAE

if TYPE_CHECKING:
    from PIL.Image import Image


class _TensorCache:
    """Tensors by key, the least recently used dropped beyond ``limit`` bytes."""

    def __init__(self, limit: int) -> None:
        self.limit, self.used = limit, 0
        self._kept: OrderedDict[Hashable, Tensor] = OrderedDict()
        self._lock = threading.Lock()

    def get(self, key: Hashable, make: Callable[[], Tensor]) -> Tensor:
        """The tensor of ``key``, made where it is not kept."""
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        value = make()
        with self._lock:
            return self._keep(key, value)

    def _keep(self, key: Hashable, value: Tensor) -> Tensor:
        if key in self._kept:  # another thread has made the same meanwhile
            return self._kept[key]
        self._kept[key] = value
        self.used += value.nbytes
        while self.used > self.limit and len(self._kept) > 1:
            self.used -= self._kept.popitem(last=False)[1].nbytes
        return value

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept


class Encoders:
    """VAE and conditioner, frozen. Results lie on the CPU. ``limit``: bytes of latents kept; of conditions, a quarter.

    Implements ``trainer.tasks.base.Encoder``. ``dtype``: of the results.
    """

    def __init__(
        self,
        vae: ImageVAE,
        conditioner: Conditioner,
        limit: int,
        device: torch.device,
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.vae, self.conditioner, self.device = vae.eval().requires_grad_(False), conditioner, device
        self.dtype = dtype
        self._latents, self._conditions = _TensorCache(limit), _TensorCache(limit // 4)
        self._one = threading.Lock()

    def holds(self, key: Hashable) -> bool:
        """Whether the latents of ``key`` are had without its picture."""
        return key in self._latents

    def latents(self, key: Hashable, pixels: Callable[[], np.ndarray]) -> Tensor:
        """(tokens, 64) normalized latents, posterior mean, of the uint8 (H, W, 3) that ``pixels`` gives."""

        def encode() -> Tensor:
            picture = torch.from_numpy(np.ascontiguousarray(pixels().transpose(2, 0, 1)))[None]
            with self._one, torch.no_grad():
                return patchify(self.vae.encode(picture.to(self.device)))[0].to("cpu", self.dtype)

        return self._latents.get(key, encode)

    def text(self, prompt: str) -> Tensor:
        """(m, d) condition of a prompt without references."""
        return self._conditions.get(prompt, lambda: self._condition(prompt, (), None))

    def text_with_pictures(
        self, key: Hashable, prompt: str, pictures: Callable[[], Sequence[Image]], area: int | None
    ) -> Tensor:
        """(m, d) condition of a prompt and the ``pictures`` that ``key`` stands for, each seen at ``area`` px."""
        return self._conditions.get((key, prompt, area), lambda: self._condition(prompt, pictures(), area))

    def _condition(self, prompt: str, pictures: Sequence[Image], area: int | None) -> Tensor:
        with self._one:
            return self.conditioner.encode([prompt], [pictures], area)[0].to("cpu", self.dtype)
