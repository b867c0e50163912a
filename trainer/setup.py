"""What is checked and prepared before the first step. Whatever is wrong with the end is found here, too."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import torch

from configs import UserError
from model.checkpoint import check_folder, check_transformer, load_schedule
from model.config import ModelConfig
from model.export import base_of, step_folder
from model.init import vae_file
from model.mmdit import MMDiT
from model.precision import WIDER, multiplies_bf16
from model.templates import PICTURE_TOKENS
from trainer.base import Base
from trainer.config import FitConfig
from trainer.data.folder import Data, open_data
from trainer.data.growth import PhaseDatasets
from trainer.monitor.examples import examples
from trainer.monitor.metrics import read_metrics
from trainer.order.curriculum import Phase
from trainer.order.held_out import held_out_rows, hold_out, marked, trained_phases
from trainer.order.index import read_index
from trainer.order.order import Order
from trainer.start import Start
from trainer.state.fitting import check_from
from trainer.state.folders import checkpoints, read_best


@dataclass(frozen=True)
class Setup:
    """What is known before the first step. ``start``: the one that is taken; ``order`` knows the phases that have begun."""

    start: Start
    base: Base
    datasets: PhaseDatasets
    order: Order


def prepare(config: FitConfig, out: Path, data: Path, given: Start) -> Setup:
    """Open and check everything; nothing is written. ``given``: the start that the command line names.

    Raises UserError for a dataset, a model, a device, a task or an OUT with which training cannot begin, or cannot end;
    RunFailed for damaged files of a training that is to go on.
    """
    own = checkpoints(out)
    start = _own_start(own, config, given) if own else given
    datasets = PhaseDatasets(out, open_data(data), config.grow)
    base = Base.find(config, start)
    order = open_phases(config, datasets, base)
    _check(config, out, start, base, order, datasets.first())
    return Setup(start, base, datasets, order)


def _own_start(own: list[Path], config: FitConfig, given: Start) -> Start:
    """What OUT began from may have been moved by now: the newest of its ``own`` checkpoints that finds its base names it,
    else the command does, and that it is the same base is seen by its fingerprint."""
    problems = []
    for folder in reversed(own):
        try:
            check_folder(base_of(folder))
        except UserError as error:
            problems.append(error)
        else:
            return Start(checkpoint=folder)
    if given.init is not None or (config.model is not None and Path(config.model).is_dir()):
        return given
    raise problems[0]


def sampled_rows(config: FitConfig) -> str:
    """Which rows ``samples.rows`` takes where it does not say it."""
    return config.validation.where if config.validation else config.phases[-1].where


def _check(config: FitConfig, out: Path, start: Start, base: Base, order: Order, data: Data) -> None:
    if out.exists() and not out.is_dir():
        raise UserError(f"OUT '{out}': a folder is expected, found a file")
    read_best(out), read_metrics(out)  # damaged ones are told before there is anything to lose
    pick_device(config.device)
    if config.samples:
        examples(config.samples, data, sampled_rows(config), order.conditioning.most_references)
    _check_tasks(order, base.pipeline)
    if start.lora is not None and config.lora is None:
        raise UserError("--lora: the config trains all weights; give lora: {rank: ...} in it, or merge the LoRA first")
    _check_fields(config, base.shape.num_layers)
    found = base.found
    if config.weights or isinstance(found, Path):
        where = found if isinstance(found, Path) else Path(str(config.model))
        check_transformer(base.shape, where, config.weights)
    if isinstance(found, ModelConfig):
        vae_file(found)
        return
    if start.checkpoint is not None and not checkpoints(out):
        check_from(step_folder(start.checkpoint), config, _trained_shapes(config, base))
    export = (out / "export").resolve()
    if export == found.resolve() or export in found.resolve().parents:
        raise UserError(f"{found}: lies in {out / 'export'}, which the end of this training replaces; name another OUT")
    load_schedule(found)
    if config.lora:
        from trainer.lora.base import check_lora

        check_lora(found, config.lora, config.seed, start.lora)


def _trained_shapes(config: FitConfig, base: Base) -> dict[str, tuple[int, ...]]:
    """Of the parameters that train, by name."""
    with torch.device("meta"):
        model = MMDiT(base.shape)
    if config.lora:
        from trainer.lora.base import prepare_lora

        prepare_lora(model, config.lora, config.seed)
    return {name: tuple(p.shape) for name, p in model.named_parameters() if p.requires_grad}


def open_order(config: FitConfig, dataset: Data, base: Base) -> Order:
    """What will be trained on, as the base model takes it. Raises UserError as ``Order`` does."""
    index, phases, held = training_index(config, dataset), config.phases, config.validation
    if held is None:
        return Order(index, phases, config.seed, base.style, config.max_text_tokens)
    order = Order(index, trained_phases(phases), config.seed, base.style, config.max_text_tokens)

    def order_of(phase: Phase) -> Order:
        return Order(index, (phase,), config.seed, base.style, config.max_text_tokens)

    order.held_out = hold_out(held, order_of, phases[-1], held_out_rows(index))
    return order


def training_index(config: FitConfig, dataset: Data) -> pa.Table:
    """What the order is made from; what is held out is marked."""
    index = read_index(dataset, config.phases, config.validation)
    return marked(index, config.validation) if config.validation else index


def open_phases(config: FitConfig, datasets: PhaseDatasets, base: Base) -> Order:
    """As ``open_order``, with the phases that have begun as they began."""

    def grown(order: Order, dataset: Data, first: int) -> Order:
        return order.grown(training_index(config, dataset), first)

    return datasets.replay(open_order(config, datasets.first(), base), grown)


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
        how, most = order.conditioning, max(s.references for s in phase.strata)
        announced = most * PICTURE_TOKENS[how.style]
        if edits and how.max_text_tokens <= announced:
            raise UserError(
                f"field 'max_text_tokens': {announced} of {how.max_text_tokens} announce the {most} references of phase "
                f"{phase.phase.name}, which leaves none for an instruction; take at least {announced + 1}"
            )


def _check_fields(config: FitConfig, layers: int) -> None:
    """Raise UserError for fields that cannot be kept, which would be found out hours later."""
    if config.optimizer.offload_blocks > layers:
        found = config.optimizer.offload_blocks
        raise UserError(f"field 'optimizer.offload_blocks': the model has {layers} blocks, found {found}")
    if config.monitor.wandb and importlib.util.find_spec("wandb") is None:
        raise UserError("field 'monitor.wandb': the Python package 'wandb' is not installed; pip install wandb")
    metric = config.checkpoint.best.metric.partition(".")[0] if config.checkpoint.best else "loss"
    known = ["loss", "loss_by_task", "loss_by_level", "grad_norm", "seconds", "data_seconds"]
    known += ["validation_loss", "validation_loss_by_task"] if config.validation else []
    if metric not in known:
        more = "" if config.validation else "; validation_loss needs validation: {where: ...}"
        raise UserError(f"field 'checkpoint.best.metric': expected one of {', '.join(known)}, found '{metric}'{more}")


def pick_device(name: str) -> torch.device:
    """Raises UserError when CUDA is asked for and is not there."""
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise UserError(
            "field 'device': found 'cuda', but this machine offers none to torch; 'auto' takes what is there"
        )
    return torch.device("cuda" if there and name != "cpu" else "cpu")


def product_dtype_of(precision: str, device: torch.device, tell: Callable[[str], None]) -> torch.dtype | None:
    """Of the forward pass's products, None for the weights' own; says so where bf16 is asked for and not to be had."""
    if precision != "bf16":
        return None
    if multiplies_bf16(device):
        return torch.bfloat16
    tell(WIDER)
    return None
