"""The model that is evaluated: a diffusers folder, a finished training, or any checkpoint of one."""

from __future__ import annotations

from pathlib import Path

from configs import UserError
from configs.files import created_once
from model.export import export, step_folder


def find_model(checkpoint: Path, out: Path) -> Path:
    """The diffusers folder of ``checkpoint``: itself, export/ of a finished training, else the newest checkpoint (or the
    one that is named) exported into ``out``, a LoRA merged. Raises UserError where there is none."""
    for folder in (checkpoint, checkpoint / "export"):
        if (folder / "model_index.json").is_file():
            return folder
    try:
        step = step_folder(checkpoint)
    except UserError:
        raise UserError(
            f"{checkpoint}: holds no model; give a diffusers folder, the output of `trainer fit`, or one of its "
            "checkpoints/step-*"
        ) from None
    exported = out / f"model-{step.name}"
    if not exported.is_dir():
        with created_once(exported, durable=False) as work:
            export(step, work, merge=_is_lora(step))
    return exported


def _is_lora(step: Path) -> bool:
    return "lora_alpha" in (step / "base.json").read_text("utf-8")
