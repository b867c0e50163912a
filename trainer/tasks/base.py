"""What all tasks have in common: a sample of the dataset becomes a condition and the images beside it.

    sample ──Task.texts──> prompts, one is drawn ──Task.encode──> Encoded: condition, [target, references]

The first image is the target: it is noised and predicted. The others are references: they stay free of noise and
out of the loss.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Protocol

from pipeline.dataset import Texts
from trainer.order.bucket import Bucket

if TYPE_CHECKING:
    import numpy as np
    from PIL.Image import Image
    from torch import Tensor


@dataclass(frozen=True)
class TargetKey:
    """A row's picture at its bucket's size. ``keep`` is in it, because the crop depends on it: a caption's quoted text is
    kept, a reconstruction has nothing to keep."""

    row: int
    bucket: Bucket
    keep: tuple[int, int, int, int]


@dataclass(frozen=True)
class ReferenceKey:
    """A row's reference, by its number, at the size that the VAE sees."""

    row: int
    index: int
    size: Bucket


@dataclass(frozen=True)
class ReferencesKey:
    """The first ``count`` references of a row, as they are stored: what the vision tower is shown."""

    row: int
    count: int


@dataclass(frozen=True)
class Item:
    """What one slot of a batch asks for. ``row``: of the manifest. Sizes are width, height in px.

    ``keep``: left, top, right, bottom in px of what of the stored picture no crop may cut, zeros for nothing.
    ``prompt``: the drawn caption or instruction, empty where it was dropped. ``sees``: whether the condition holds the
    references' vision tokens. ``vision_area``: px of a reference for the vision tower, None as the model was released.
    """

    slot: int
    row: int
    task: str
    prompt: str
    bucket: Bucket
    keep: tuple[int, int, int, int] = (0, 0, 0, 0)
    references: tuple[Bucket, ...] = ()
    sees: bool = True
    vision_area: int | None = None

    @property
    def target_key(self) -> TargetKey:
        """What an encoder keeps the target's latents under."""
        return TargetKey(self.row, self.bucket, self.keep)


@dataclass(frozen=True)
class Encoded:
    """A sample as the network takes it. ``text``: (m, d) condition. ``images``: (n, 64) latents each, the target first;
    ``sizes``: their (h, w) in patches. ``weights``: (n of the target,) of the loss, None for ones."""

    text: Tensor
    images: tuple[Tensor, ...]
    sizes: tuple[tuple[int, int], ...]
    weights: Tensor | None = None


class Pictures(Protocol):
    """The decoded pictures of one sample; each is read when it is asked for."""

    def target(self, bucket: Bucket, keep: Sequence[int]) -> np.ndarray:
        """(H, W, 3) uint8 of the bucket's size, with ``keep`` inside."""
        ...

    def reference(self, index: int) -> Image:
        """As it is stored, RGB and upright."""
        ...


class Encoder(Protocol):
    """The frozen VAE and Qwen2.5-VL, wherever they run; threads may ask at once. What was encoded before is not asked
    for again."""

    def holds(self, key: TargetKey | ReferenceKey) -> bool:
        """Whether the latents of ``key`` are had without its picture."""
        ...

    def latents(self, key: TargetKey | ReferenceKey, pixels: Callable[[], np.ndarray]) -> Tensor:
        """(tokens, 64) normalized latents of the uint8 (H, W, 3) that ``pixels`` gives."""
        ...

    def text(self, prompt: str) -> Tensor:
        """(m, d) condition of a prompt without references."""
        ...

    def text_with_pictures(
        self,
        key: TargetKey | ReferencesKey,
        prompt: str,
        pictures: Callable[[], Sequence[Image]],
        area: int | None,
    ) -> Tensor:
        """(m, d) condition of a prompt and the pictures that it speaks of, vision tokens included."""
        ...


class Task(ABC):
    """One task, by its ``name`` in the manifest and in a mixture."""

    name: ClassVar[str]

    @abstractmethod
    def texts(self, texts: Texts) -> tuple[str, ...]:
        """The prompts that may be drawn for a sample with these captions and instructions."""

    @abstractmethod
    def encode(self, item: Item, pictures: Pictures, encoder: Encoder) -> Encoded:
        """Condition and latents of one sample."""


def patches(bucket: Bucket) -> tuple[int, int]:
    """(h, w) in patches of 16 px."""
    return bucket[1] // 16, bucket[0] // 16


def target_latents(item: Item, pictures: Pictures, encoder: Encoder) -> Tensor:
    return encoder.latents(item.target_key, lambda: pictures.target(item.bucket, item.keep))
