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

from model.latents import patchify
from trainer.data.frozen import Frozen
from trainer.tasks.base import ReferenceKey, ReferencesKey, TargetKey

if TYPE_CHECKING:
    from PIL.Image import Image


class TensorCache:
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
    """The frozen encoders in this process. Results lie on the CPU. ``limit``: bytes of latents kept; of conditions, a
    quarter.

    Implements ``trainer.tasks.base.Encoder``. ``dtype``: of the results.
    """

    def __init__(self, frozen: Frozen, limit: int, dtype: torch.dtype = torch.float32) -> None:
        self.frozen, self.dtype = frozen, dtype
        self._latents, self._conditions = TensorCache(limit), TensorCache(limit // 4)
        self._one = threading.Lock()

    def holds(self, key: TargetKey | ReferenceKey) -> bool:
        """Whether the latents of ``key`` are had without its picture."""
        return key in self._latents

    def latents(self, key: TargetKey | ReferenceKey, pixels: Callable[[], np.ndarray]) -> Tensor:
        """(tokens, 64) normalized latents, posterior mean, of the uint8 (H, W, 3) that ``pixels`` gives."""

        def encode() -> Tensor:
            picture = pixels()
            with self._one:
                return encode_pictures(self.frozen, [picture])[0].to(self.dtype)

        return self._latents.get(key, encode)

    def text(self, prompt: str) -> Tensor:
        """(m, d) condition of a prompt without references."""
        return self._conditions.get(prompt, lambda: self._condition(prompt, (), None))

    def text_with_pictures(
        self,
        key: TargetKey | ReferencesKey,
        prompt: str,
        pictures: Callable[[], Sequence[Image]],
        area: int | None,
    ) -> Tensor:
        """(m, d) condition of a prompt and the ``pictures`` that ``key`` stands for, each seen at ``area`` px."""
        return self._conditions.get((key, prompt, area), lambda: self._condition(prompt, pictures(), area))

    def take_lacking(self) -> int:
        """What a folder of encodings lacked: there is none."""
        return 0

    def _condition(self, prompt: str, pictures: Sequence[Image], area: int | None) -> Tensor:
        with self._one:
            return self.frozen.conditioner.encode([prompt], [pictures], area)[0].to("cpu", self.dtype)


@torch.no_grad()
def encode_pictures(frozen: Frozen, pictures: Sequence[np.ndarray]) -> Tensor:
    """(B, tokens, 64) normalized latents, posterior mean, of uint8 (H, W, 3) of one size; on the CPU."""
    stacked = torch.from_numpy(np.stack(pictures).transpose(0, 3, 1, 2).copy())
    return patchify(frozen.vae.encode(stacked.to(frozen.device))).cpu()
