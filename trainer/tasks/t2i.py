"""Text to image: a caption is the condition, there are no references."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trainer.tasks.base import Encoded, Encoder, Item, Pictures, Task, patches, target_latents, valid_texts


class TextToImage(Task):
    name = "t2i"
    columns = ("captions",)

    def texts(self, sample: Mapping[str, Any]) -> list[str]:
        return valid_texts(sample["captions"])

    def encode(self, item: Item, pictures: Pictures, encoder: Encoder) -> Encoded:
        return Encoded(
            encoder.text(item.prompt), (target_latents(item, pictures, encoder),), sizes=(patches(item.bucket),)
        )
