"""A trainer in this process, without the command around it."""

from __future__ import annotations

from pathlib import Path

import torch

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
