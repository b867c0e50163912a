"""A tiny edit model and a training of all tasks on it."""

from __future__ import annotations

import json
from pathlib import Path

from configs import load
from pipeline.dataset import Dataset
from tests.model.folders import edit_folder
from tests.trainer.edits import copy
from tests.trainer.trainers import open_trainer
from trainer.base import Base
from trainer.config import FitConfig
from trainer.loop import Trainer
from trainer.setup import open_order
from trainer.start import Start

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


def damaged(dataset: Path, out: Path, config: FitConfig) -> tuple[Path, str]:
    """A copy in which the first T2I picture that ``config`` trains on is no picture any more; and the sample's id."""
    copy(dataset, out)
    about = json.loads((out / "dataset.json").read_text())
    (out / "dataset.json").write_text(json.dumps({**about, "digest": "d" * 64}))
    copied = Dataset.open(out)
    order = open_order(config, copied, Base.find(config, Start()))
    batches = (order.batch(step) for step in range(order.steps))
    number = next(int(number) for batch in batches for number in batch.rows[batch.tasks == "t2i"])
    (row,) = copied.manifest(["id", "shard", "image_offset", "bytes_len"]).slice(number, 1).to_pylist()
    with (out / "data" / row["shard"]).open("r+b") as file:
        file.seek(row["image_offset"])
        file.write(b"\0" * row["bytes_len"])
    return out, row["id"]
