"""LoRA into the weights of a model: for sampling, and as ``python -m model merge FOLDER OUT --lora FILE[:WEIGHT]``."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

import torch

from configs import UserError
from configs.files import filled
from model.checkpoint import load_transformer, save_like
from model.lora_files import Lora, LoraForm, linear_shapes, read_lora, write_lora
from model.mmdit import MMDiT
from model.quantized import EightBitLinear

_EXPORTED: dict[LoraForm, str] = {"diffusers": "lora.safetensors", "comfyui": "lora-comfyui.safetensors"}

LoraFile = tuple[Path, float]
"""A file and how strongly it counts; 1 as trained."""


def lora_file(text: str) -> LoraFile:
    """``style.safetensors`` or ``style.safetensors:0.8``. Raises UserError for a weight that is no finite number."""
    name, colon, weight = text.rpartition(":")
    if not colon or Path(text).is_file():
        return Path(text), 1.0
    try:
        strength = float(weight)
    except ValueError:
        strength = math.nan
    if not math.isfinite(strength):
        raise UserError(f"--lora: '{text}': what follows the colon must be a number, for example {name}:0.8")
    return Path(name), strength


def merge_files(model: MMDiT, files: Sequence[LoraFile]) -> None:
    """Add every file's update, in place. All files are read before the first weight changes."""
    shapes = linear_shapes(model)
    for lora, weight in [(read_lora(path, shapes), weight) for path, weight in files]:
        merge_lora(model, lora, weight)


@torch.no_grad()
def merge_lora(model: MMDiT, lora: Lora, weight: float = 1.0) -> None:
    """W + weight * alpha / rank * up @ down for every linear of ``lora``, in place; summed in fp32, rounded once.

    Raises UserError for a model in eight bits, whose weights are not to be had back, and for a sum that is not finite.
    """
    for name, pair in lora.items():
        linear = model.get_submodule(name)
        if isinstance(linear, EightBitLinear):
            raise UserError(f"'{name}' is in eight bits: merge into the folder's own weights, without base_dtype")
        stored = linear.get_parameter("weight")
        stored.copy_(stored.float() + weight * pair.delta().to(stored.device))
        if not stored.isfinite().all():
            raise UserError(
                f"'{name}' is not finite with the LoRA merged into it in {stored.dtype}; take a smaller weight for the "
                "LoRA, a wider dtype, or another file"
            )


def export_lora(base: str | Path, out: str | Path, lora: Lora, merge: bool = False) -> None:
    """What a LoRA training ends with: OUT/lora.safetensors for diffusers and OUT/lora-comfyui.safetensors; ``merge``:
    a whole pipeline folder instead, like ``base`` and in its dtype."""
    if not merge:
        with filled(Path(out)):
            for form, name in _EXPORTED.items():
                write_lora(Path(out) / name, lora, form)
        return
    model = load_transformer(base)
    merge_lora(model, lora)
    save_like(base, out, model.state_dict(), model.config)


def merge_folder(
    folder: str | Path,
    out: str | Path,
    files: Sequence[LoraFile],
    weights: str | Path | None = None,
    dtype: str | None = None,
) -> None:
    """Write OUT: the folder with the LoRA files merged; ``weights``: a single file in place of its transformer.

    ``dtype``: torch's name of the one to write; None keeps what is stored (bfloat16 where a single file holds fp8).
    """
    out = Path(out)
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError(f"{out}: exists and is not empty; name a new folder")
    model = load_transformer(folder, getattr(torch, dtype) if dtype else None, weights=weights)
    merge_files(model, files)
    save_like(folder, out, model.state_dict(), model.config)
