"""Qwen-Image: the MMDiT on packed sequences, its VAE, its conditioning, its sampler, its files.

from model import QwenImage
QwenImage.load(folder).sample("the word \"glyph\"", height=64, width=64)
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model.qwen_image import QwenImage

__all__ = ["QwenImage"]

# transformers imports torchao where it is installed, which warns of its own registrations.
logging.getLogger("torch.utils._pytree").setLevel(logging.ERROR)


def __getattr__(name: str) -> Any:
    """Import torch only when the model is asked for, so that ``--help`` answers at once."""
    if name == "QwenImage":
        from model.qwen_image import QwenImage

        return QwenImage
    raise AttributeError(f"module 'model' has no attribute {name!r}")
