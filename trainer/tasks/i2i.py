"""Image to image: reconstruction. The reference is the target itself, so its latents are encoded once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from PIL.Image import fromarray

from pipeline.dataset import Texts
from trainer.tasks.base import Encoded, Encoder, Item, Pictures, Task, patches, target_latents

if TYPE_CHECKING:
    from PIL.Image import Image

INSTRUCTION = "Reproduce the image exactly as it is."
"""Of samples that bring none (chosen)."""


class ImageToImage(Task):
    name = "i2i"

    def texts(self, texts: Texts) -> tuple[str, ...]:
        return texts.instructions or (INSTRUCTION,)

    def encode(self, item: Item, pictures: Pictures, encoder: Encoder) -> Encoded:
        latents = target_latents(item, pictures, encoder)
        return Encoded(self._condition(item, pictures, encoder), (latents, latents), sizes=(patches(item.bucket),) * 2)

    def _condition(self, item: Item, pictures: Pictures, encoder: Encoder) -> Any:
        if not item.sees:
            return encoder.text(item.prompt)

        def shown() -> list[Image]:
            return [fromarray(pictures.target(item.bucket, item.keep))]

        return encoder.text_with_pictures(item.target_key, item.prompt, shown, item.vision_area)
