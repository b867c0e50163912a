"""Text to image: a caption is the condition, there are no references."""

from __future__ import annotations

from pipeline.dataset import Texts
from trainer.tasks.base import Encoded, Encoder, Item, Pictures, Task, patches, target_latents


class TextToImage(Task):
    name = "t2i"

    def texts(self, texts: Texts) -> tuple[str, ...]:
        return texts.captions

    def encode(self, item: Item, pictures: Pictures, encoder: Encoder) -> Encoded:
        return Encoded(
            encoder.text(item.prompt), (target_latents(item, pictures, encoder),), sizes=(patches(item.bucket),)
        )
