"""What is checked and prepared before the first step. Whatever is wrong with the end is found here, too."""

from __future__ import annotations

import dataclasses
import shutil
from dataclasses import dataclass
from pathlib import Path

import torch

import configs
from configs import UserError
from model.checkpoint import (
    check_folder,
    load_schedule,
    pipeline_of,
    reference_style,
    style_of,
    transformer_config,
)
from model.config import MMDiTConfig, ModelConfig
from model.export import base_of, step_folder
from model.files import check_weights
from model.init import init_folder, vae_file
from model.mmdit import MMDiT
from model.precision import WIDER, multiplies_bf16
from pipeline.dataset import Dataset
from trainer.config import FitConfig
from trainer.data.growth import PhaseDatasets
from trainer.monitor.samples import check_samples
from trainer.order.index import read_index
from trainer.order.order import Order


@dataclass(frozen=True)
class Start:
    """Where weights come from besides ``config.model``. ``init``: a pipeline folder. ``checkpoint``: of another
    training, with optimizer and averages; it comes first."""

    init: Path | None = None
    checkpoint: Path | None = None

    def named(self, config: FitConfig) -> FitConfig:
        """The config with the folder that its weights come from."""
        return config if self.init is None else dataclasses.replace(config, model=str(self.init))


def check_start(config: FitConfig, out: Path, start: Start, order: Order) -> None:
    """Raise UserError for a model, a device, a task or an OUT with which training cannot begin, or cannot end."""
    if out.exists() and not out.is_dir():
        raise UserError(f"OUT '{out}': a folder is expected, found a file")
    pick_device(config.device)
    check_samples(config.samples)
    found = _find_base(config, start)
    _check_tasks(order, found.pipeline if isinstance(found, ModelConfig) else pipeline_of(found))
    if isinstance(found, ModelConfig):
        vae_file(found)
        return
    export = (out / "export").resolve()
    if export == found.resolve() or export in found.resolve().parents:
        raise UserError(f"{found}: lies in {out / 'export'}, which the end of this training replaces; name another OUT")
    load_schedule(found)
    with torch.device("meta"):
        model = MMDiT(transformer_config(found))
    check_weights(found / "transformer", {name: p.shape for name, p in model.named_parameters()})


def open_order(config: FitConfig, dataset: Dataset, start: Start) -> Order:
    """What will be trained on, as the base model takes it. Raises UserError as ``Order`` and ``_find_base`` do."""
    found = _find_base(config, start)
    style = style_of(found.pipeline) if isinstance(found, ModelConfig) else reference_style(found)
    index = read_index(dataset, config.phases)
    return Order(index, config.phases, config.seed, style, config.max_text_tokens)


def open_phases(config: FitConfig, datasets: PhaseDatasets, start: Start) -> Order:
    """As ``open_order``, with the phases that have begun as they began."""

    def grown(order: Order, dataset: Dataset, first: int) -> Order:
        return order.grown(read_index(dataset, config.phases), first)

    return datasets.replay(open_order(config, datasets.first(), start), grown)


def _check_tasks(order: Order, pipeline: str) -> None:
    """Raise UserError where a phase trains on references and the exported ``pipeline`` would take none."""
    for number, phase in enumerate(order.phases):
        edits = sorted({s.task for s in phase.strata} & {"ti2i", "i2i"})
        if edits and pipeline == "QwenImagePipeline":
            raise UserError(
                f"phase {phase.phase.name}: trains {' and '.join(edits)}, and the base is a QwenImagePipeline, whose "
                "export takes no references; start from an Edit or EditPlus folder (pipeline: QwenImageEditPlusPipeline "
                f"in a config under configs/model), or leave such rows out (phases.{number}.where: task == 't2i')"
            )


def start_shape(config: FitConfig, start: Start) -> MMDiTConfig:
    """The network's."""
    found = _find_base(config, start)
    return found.transformer if isinstance(found, ModelConfig) else transformer_config(found)


def _find_base(config: FitConfig, start: Start) -> Path | ModelConfig:
    """What training starts from: a pipeline folder, or a model to be made with fresh weights."""
    if start.checkpoint is not None:
        return check_folder(base_of(step_folder(start.checkpoint)))
    if start.init is not None:
        return check_folder(start.init)
    if config.model is None:
        raise UserError(
            "field 'model': names no weights; give --init FOLDER (a diffusers folder), --from CHECKPOINT, or "
            "--set model=configs/model/NAME.yaml for fresh ones"
        )
    path = Path(config.model)
    if path.is_dir():
        return check_folder(path)
    if path.suffix not in (".yaml", ".yml"):
        raise UserError(f"field 'model': expected a YAML under configs/model or a diffusers folder, found '{path}'")
    return configs.load(path, ModelConfig)


def existing_base(config: FitConfig, out: Path, start: Start) -> Path | None:
    """The pipeline folder to start from, None where it is still to be made."""
    found = _find_base(config, start)
    base = found if isinstance(found, Path) else out / "base"
    return base if (base / "model_index.json").exists() else None


def base_folder(config: FitConfig, out: Path, start: Start) -> Path:
    """The pipeline folder to start from: the named one, or OUT/base with fresh weights."""
    found = _find_base(config, start)
    if isinstance(found, Path):
        return found
    base = out / "base"
    if not (base / "model_index.json").exists():
        shutil.rmtree(base, ignore_errors=True)  # half written by a killed process
        init_folder(found, base, config.seed)
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
