"""What is checked and prepared before the first step."""

from __future__ import annotations

import shutil
from pathlib import Path

import torch
import yaml

import configs
from configs import UserError
from configs.files import replace_text
from configs.renamed import renamed_fields
from model.checkpoint import check_folder
from model.config import ModelConfig
from model.init import init_folder, vae_file
from model.precision import WIDER, multiplies_bf16
from pipeline.dataset import Dataset
from trainer.config import FitConfig


def save_config(config: FitConfig, dataset: Dataset, out: Path) -> None:
    """Write config.yaml, or check that ``out`` was started with the same. Raises UserError naming what differs."""
    path = out / "config.yaml"
    now = {**configs.to_plain(config), "dataset": dataset.digest}
    if path.exists():
        renamed = renamed_fields(FitConfig)
        stored = yaml.safe_load(path.read_text(encoding="utf-8"))
        before = {renamed.get(name, name): value for name, value in stored.items()}
        changed = [name for name in now if before.get(name) != now[name]]
        if changed:
            raise UserError(
                f"OUT {out}: was started with another '{changed[0]}'; a resumed training would not be the one that was "
                "started: take a new OUT folder, or put the field back"
            )
        return
    replace_text(path, yaml.safe_dump(now, sort_keys=False, allow_unicode=True), durable=False)


def check_start(config: FitConfig, out: Path) -> None:
    """Raise UserError for a model, a device or an OUT with which training cannot begin."""
    if out.exists() and not out.is_dir():
        raise UserError(f"OUT '{out}': a folder is expected, found a file")
    pick_device(config.device)
    start = _start_of(config)
    if isinstance(start, ModelConfig):
        vae_file(start)


def _start_of(config: FitConfig) -> Path | ModelConfig:
    """What training starts from: a pipeline folder, or a model to be made with fresh weights."""
    path = Path(config.model)
    if path.is_dir():
        return check_folder(path)
    if path.suffix not in (".yaml", ".yml"):
        raise UserError(f"field 'model': expected a YAML under configs/model or a diffusers folder, found '{path}'")
    return configs.load(path, ModelConfig)


def base_folder(config: FitConfig, out: Path) -> Path:
    """The pipeline folder to start from: the named one, or OUT/base with fresh weights."""
    start = _start_of(config)
    if isinstance(start, Path):
        return start
    base = out / "base"
    if not (base / "model_index.json").exists():
        shutil.rmtree(base, ignore_errors=True)  # half written by a killed process
        init_folder(start, base, config.seed)
    return base


def pick_device(name: str) -> torch.device:
    """Raises UserError when CUDA is asked for and is not there."""
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise UserError(
            "field 'device': found 'cuda', but this machine offers none to torch; 'auto' takes what is there"
        )
    return torch.device("cuda" if there and name != "cpu" else "cpu")


def autocast_dtype(precision: str, device: torch.device) -> torch.dtype | None:
    """Of the forward pass under autocast, None for none; says so where bf16 is asked for and float32 is used."""
    if precision != "bf16":
        return None
    if multiplies_bf16(device):
        return torch.bfloat16
    print(WIDER, flush=True)
    return None
