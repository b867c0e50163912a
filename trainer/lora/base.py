"""A frozen base with adapters around it, ready to train; and the check of both that comes first."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from model.checkpoint import load_transformer, transformer_config
from model.lora_files import LoraPair, linear_shapes, read_lora
from model.mmdit import MMDiT
from trainer.lora.adapters import add_lora, first_lora
from trainer.lora.config import LoraConfig


def open_lora(
    folder: str | Path,
    config: LoraConfig,
    seed: int,
    product: torch.dtype | None,
    device: torch.device | str = "cpu",
    weights: str | Path | None = None,
    start: str | Path | None = None,
) -> MMDiT:
    """The transformer of the pipeline ``folder`` (of a single file: ``weights``), frozen, adapters in fp32.

    ``product``: of matrices, None where it is fp32; then nothing of the base stays in bfloat16. In bfloat16 images and
    text are cast on their way in, so that no autocast is needed (under it norms would be in fp32 and kept so).
    ``start``: a LoRA file to go on from. Raises UserError for files that do not fit, before anything large is read.
    """
    first = check_lora(folder, config, seed, start)
    wide = config.base_dtype == "fp32" or product is None
    kind = config.base_dtype if config.base_dtype in ("int8", "fp8") else None
    model = load_transformer(folder, torch.float32 if wide else torch.bfloat16, device, weights, kind)
    model.register_forward_pre_hook(_cast_inputs)
    add_lora(model, config, first)
    return model.train()


def check_lora(
    folder: str | Path, config: LoraConfig, seed: int, start: str | Path | None = None
) -> dict[str, LoraPair]:
    """The numbers that training begins with. Reads no weights of the folder. Raises UserError for what does not fit."""
    with torch.device("meta"):
        model = MMDiT(transformer_config(folder))
    lora = read_lora(start, linear_shapes(model)) if start else None
    return first_lora(model, config, seed, lora)


def prepare_lora(model: MMDiT, config: LoraConfig, seed: int) -> None:
    """Put adapters around a ``model`` that may be on meta, as ``open_lora`` does with one that has its weights."""
    add_lora(model, config, first_lora(model, config, seed))


def _cast_inputs(model: MMDiT, inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """Image and text in the base's dtype; sigma, the third, stays in fp32 (FACTS 3)."""
    image, text, *rest = inputs
    dtype = model.txt_norm.weight.dtype
    return (image.to(dtype), text.to(dtype), *rest)
