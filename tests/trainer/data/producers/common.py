"""A tiny edit model and a training of all tasks on it."""

from __future__ import annotations

from pathlib import Path

from configs import load
from tests.model.folders import edit_folder
from tests.trainer.trainers import open_trainer
from trainer.config import FitConfig
from trainer.loop import Trainer

TRAINING = """
phases:
- {name: first, steps: 4, resolutions: [64], where: "true", tokens: 256, references: {vae_area: 4096, vision_area: 3136}}
- {name: second, steps: 3, resolutions: [96, 64], where: "true", tokens: 256, references: {vae_area: 4096, vision_area: 3136}}
objective: {dropout: 0.3}
optimizer: {warmup: 2}
checkpoint: {every: 2, keep: 9}
device: cpu
threads: 1
"""


def training(folder: Path, *overrides: str) -> FitConfig:
    """``folder``: for the YAML."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "fit.yaml").write_text(TRAINING)
    return load(folder / "fit.yaml", FitConfig, [f"model={edit_folder()}", *overrides])


def losses(trainer: Trainer) -> list[float]:
    """Of every step that is left; no checkpoint is written."""
    found = []
    for prepared in trainer._prepared():
        found.append(float(trainer.step(prepared)[0]["loss"]))
        trainer.done += 1
    return found


def losses_of(config: FitConfig, out: Path, data: Path) -> list[float]:
    out.mkdir(parents=True, exist_ok=True)
    return losses(open_trainer(config, out, data))
