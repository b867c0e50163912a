"""Text and image to image: an instruction and one to three references, each encoded twice (report, section 2).

reference ──Qwen2.5-VL's vision tower──> vision tokens in the condition     what it shows
          ──VAE──> latents after the target's in the image stream           what it looks like
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL.Image import Resampling

from pipeline.dataset import Texts
from trainer.order.bucket import Bucket
from trainer.tasks.base import (
    Encoded,
    Encoder,
    Item,
    Pictures,
    ReferenceKey,
    ReferencesKey,
    Task,
    patches,
    target_latents,
)

if TYPE_CHECKING:
    from PIL.Image import Image


class TextImageToImage(Task):
    name = "ti2i"

    def texts(self, texts: Texts) -> tuple[str, ...]:
        return texts.instructions

    def encode(self, item: Item, pictures: Pictures, encoder: Encoder) -> Encoded:
        references = [
            encoder.latents(ReferenceKey(item.row, index, size), partial(_resized, pictures, index, size))
            for index, size in enumerate(item.references)
        ]
        sizes = (item.bucket, *item.references)
        return Encoded(
            self._condition(item, pictures, encoder),
            (target_latents(item, pictures, encoder), *references),
            sizes=tuple(map(patches, sizes)),
        )

    def _condition(self, item: Item, pictures: Pictures, encoder: Encoder) -> Any:
        if not item.sees:
            return encoder.text(item.prompt)
        count = len(item.references)

        def shown() -> list[Image]:
            return [pictures.reference(index) for index in range(count)]

        return encoder.text_with_pictures(ReferencesKey(item.row, count), item.prompt, shown, item.vision_area)


def _resized(pictures: Pictures, index: int, size: Bucket) -> np.ndarray:
    return resize_reference(pictures.reference(index), size)


def resize_reference(picture: Image, size: Bucket) -> np.ndarray:
    """(H, W, 3) uint8 as the released edit pipelines resize what the VAE sees: nothing is cut."""
    return np.asarray(picture.resize(size, Resampling.LANCZOS))
