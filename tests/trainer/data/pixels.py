"""An encoder that gives back what it is shown, and counts: what remains is the loader."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from PIL.Image import Image
from torch import Tensor


class PixelEncoder:
    """Latents are the target's pixels, (h w, 768) of 16 x 16 px each; a condition is the bytes of its text and sizes.

    Implements ``trainer.tasks.base.Encoder`` and keeps nothing. ``pictures``: keys of what was asked for.
    """

    def __init__(self) -> None:
        self.pictures: list[Any] = []
        self._lock = threading.Lock()

    def holds(self, key: Any) -> bool:
        return False

    def take_lacking(self) -> int:
        return 0

    def latents(self, key: Any, pixels: Callable[[], np.ndarray]) -> Tensor:
        with self._lock:
            self.pictures.append(key)
        shown = torch.from_numpy(pixels().copy())
        h, w = shown.shape[0] // 16, shown.shape[1] // 16
        return shown.view(h, 16, w, 16, 3).permute(0, 2, 1, 3, 4).reshape(h * w, 768)

    def text(self, prompt: str) -> Tensor:
        return torch.tensor([list(prompt.encode()) or [0]]).T.float()

    def text_with_pictures(
        self, key: Any, prompt: str, pictures: Callable[[], Sequence[Image]], area: int | None
    ) -> Tensor:
        return torch.cat(
            [self.text(prompt), *(torch.tensor([[w], [h]]).float() for w, h in (p.size for p in pictures()))]
        )


class Work:
    """Stands for ``trainer.data.encoding.EncodingWork`` with any encoder, which is told nothing of the dataset."""

    class _Here:
        leaves = False
        at_work = staticmethod(contextlib.nullcontext)

    frozen = _Here()

    def __init__(self, encoder: Any) -> None:
        self.made = encoder

    def encoder(self, _dataset: Any) -> Any:
        return self.made
