"""A trainer in this process, without the command around it."""

from __future__ import annotations

from pathlib import Path

import torch

from pipeline.dataset import Dataset
from trainer.config import FitConfig
from trainer.data.growth import PhaseDatasets
from trainer.loop import Trainer
from trainer.parallel.world import open_world
from trainer.setup import Start, base_folder, open_phases, start_shape


def open_trainer(config: FitConfig, out: Path, data: Path) -> Trainer:
    """As ``fit`` opens it, after ``out``'s newest checkpoint where there is one."""
    datasets = PhaseDatasets(out, Dataset.open(data), config.grow)
    order = open_phases(config, datasets, Start())
    heads = start_shape(config, Start()).num_attention_heads
    world = open_world(config.parallel, torch.device("cpu"), config.optimizer.kind == "muon", heads)
    return Trainer(config, out, datasets, order, world, base_folder(config, out, Start()))
