"""A trainer in this process, without the command around it; and rows to hold out."""

from __future__ import annotations

from pathlib import Path

import torch

from pipeline.dataset import Dataset
from trainer.base import Base
from trainer.config import FitConfig
from trainer.data.folder import open_data
from trainer.data.growth import PhaseDatasets
from trainer.loop import Trainer
from trainer.parallel.world import open_world
from trainer.setup import open_phases
from trainer.start import Start


def open_trainer(config: FitConfig, out: Path, data: Path, start: Start | None = None) -> Trainer:
    """As ``fit`` opens it, after ``out``'s newest checkpoint where there is one."""
    start = start or Start()
    datasets = PhaseDatasets(out, open_data(data), config.grow)
    base = Base.find(config, start)
    order = open_phases(config, datasets, base)
    world = open_world(config, torch.device("cpu"), base.shape.num_attention_heads)
    return Trainer(config, out, datasets, order, world, base.folder(out, config.seed), start)


def some_rows(data: Path, count: int) -> str:
    """A condition that ``count`` rows of each task meet, half of them at most, whatever ids they have."""
    ids: dict[str, list[str]] = {}
    for row in Dataset.open(data).manifest(["id", "task"]).to_pylist():
        ids.setdefault(row["task"], []).append(row["id"])
    chosen = [id_ for of_task in ids.values() for id_ in sorted(of_task)[: min(count, len(of_task) // 2)]]
    return f"id in ({', '.join(repr(id_) for id_ in chosen)})"
