"""Datasets of edits and of all three tasks, and a tiny model that takes them, each made once."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import configs
from model.checkpoint import load_transformer, save_transformer
from model.config import ModelConfig
from model.init import init_folder
from tests.model.folders import TINY
from tests.pipeline import commands
from tests.shared import Shared
from tests.trainer.edits import mixed_tasks, render_edits
from trainer.config import FitConfig
from trainer.fit import fit

RUN = """
sources:
- {kind: synth, name: glyphs, recipe: configs/synth/glyphs.yaml, count: 40}
- {kind: synth, name: edit, recipe: EDIT, count: 40}
fragments: {inputs: 40}
annotate: [{kind: measure}]
pack: {rows: 32}
"""
SMALL = (
    "transformer={num_layers: 2, num_attention_heads: 4, attention_head_dim: 16, joint_attention_dim: 128, "
    "axes_dims_rope: [4, 6, 6]}",
    "pipeline=QwenImageEditPlusPipeline",
)


@pytest.fixture(scope="session")
def tasks_data(shared: Shared) -> Path:
    """A dataset of 40 single glyphs (t2i) and 40 edit pairs and reconstructions. Read only."""

    def make(folder: Path) -> None:
        (folder / "config.yaml").write_text(RUN.replace("EDIT", str(Path("configs/synth/edit.yaml").absolute())))
        commands.run_inline("run", folder / "config.yaml", folder / "run")

    return shared("tasks", make) / "run" / "dataset"


@pytest.fixture(scope="session")
def edit_base(shared: Shared) -> Path:
    """A tiny EditPlus folder whose every weight takes part: fresh ones start with modulations of zero. Read only."""

    def make(folder: Path) -> None:
        init_folder(configs.load(TINY, ModelConfig, SMALL), folder / "model", seed=1)
        model = load_transformer(folder / "model")
        generator = torch.Generator().manual_seed(2)
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
        save_transformer(model.state_dict(), model.config, folder / "model" / "transformer")

    return shared("base", make) / "model"


TASKS = """
model: BASE
phases:
- name: mixed
  steps: 20
  resolutions: [64]
  upscale: 100
  where: width > 0
  tokens: 210
  references: {vae_area: 4096, vision_area: 3136}
  mixture:
  - {where: task == 't2i', weight: 3}
  - {where: task == 'ti2i', weight: 3}
  - {where: width > 0, weight: 1, task: i2i}
optimizer: {lr: 1.0e-3, warmup: 2, ema: 0.9}
checkpoint: {every: 8, keep: 2}
max_micro_batch_tokens: 700
device: cpu
threads: 1
"""


@pytest.fixture(scope="session")
def tasks_config(edit_base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A training of all three tasks, 20 steps of about seven samples in two micro-batches."""
    path = tmp_path_factory.mktemp("config") / "fit.yaml"
    path.write_text(TASKS.replace("BASE", str(edit_base)))
    return path


@pytest.fixture(scope="session")
def tasks_trained(tasks_config: Path, tasks_data: Path, shared: Shared) -> Path:
    """What it leaves when nothing disturbs it. Read only."""
    config = configs.load(tasks_config, FitConfig)
    return shared("trained", lambda folder: fit(config, folder / "out", tasks_data)) / "out"


@pytest.fixture(scope="session")
def edits(shared: Shared) -> Path:
    """40 rows of ``configs/synth/edit.yaml``. Read only."""
    return shared("edits", lambda folder: render_edits(folder / "dataset")) / "dataset"


@pytest.fixture(scope="session")
def all_tasks(edits: Path, shared: Shared) -> Path:
    """The same with captions, and edits of one to three references. Read only."""
    return shared("all", lambda folder: mixed_tasks(edits, folder / "dataset")) / "dataset"
