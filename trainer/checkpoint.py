"""Checkpoints that are whole or not there, and the log of losses that agrees with them.

    OUT/checkpoints/step-000500/   base.json, model.safetensors, ema.safetensors, optimizer.pt, step.json
    OUT/metrics.jsonl              a line per step; on resume what lies beyond the checkpoint is cut off

A checkpoint appears when it is complete. ``step``: steps done.
"""

from __future__ import annotations

import os
import pickle
import shutil
from pathlib import Path

import torch

from configs import UserError
from configs.files import remove_temporary, replaced
from model.files import load_weights, read_json, save_weights, write_json
from model.mmdit import MMDiT
from trainer.optim.ema import EMA
from trainer.optim.optimizer import OptimizerGroup

_PREFIX = "step-"


def checkpoints(out: Path) -> list[Path]:
    """Complete checkpoints, oldest first."""
    return sorted(p for p in (out / "checkpoints").glob(f"{_PREFIX}[0-9]*") if p.is_dir())


def save(out: Path, step: int, base: Path, model: MMDiT, average: EMA, optimizer: OptimizerGroup, keep: int) -> Path:
    """Write the checkpoint after ``step`` steps and drop all but the newest ``keep``."""
    target = out / "checkpoints" / f"{_PREFIX}{step:06d}"
    remove_temporary(target.parent)
    with replaced(target, durable=False) as temporary:
        save_weights(model.state_dict(), temporary, "model")
        save_weights(average.state(model), temporary, "ema")
        torch.save(optimizer.state_dict(), temporary / "optimizer.pt")
        write_json(temporary / "base.json", {"base": os.path.relpath(base.absolute(), target.absolute())})
        write_json(temporary / "step.json", {"step": step})
    for old in checkpoints(out)[:-keep]:
        shutil.rmtree(old)
    return target


def restore(checkpoint: Path, model: MMDiT, average: EMA, optimizer: OptimizerGroup) -> int:
    """Fill everything from a checkpoint in place; returns the steps done. Raises UserError for a damaged one."""
    step = read_json(checkpoint / "step.json").get("step")
    if not isinstance(step, int):
        raise UserError(f"{checkpoint}: step.json has no step; delete this checkpoint to go on from the one before")
    device = next(model.parameters()).device
    averaged = {n: w.clone() for n, w in _loaded(checkpoint, "ema", model).items()}
    average.weights = {n: averaged[n].to(device) for n in average.weights}
    weights = _loaded(checkpoint, "model", model)
    with torch.no_grad():
        for name, parameter in model.state_dict().items():
            parameter.copy_(weights[name])
    try:
        optimizer.load_state_dict(torch.load(checkpoint / "optimizer.pt", map_location=device, weights_only=True))
    except (RuntimeError, OSError, EOFError, pickle.UnpicklingError, ValueError, KeyError) as error:
        why = str(error).splitlines()[0]
        raise UserError(
            f"{checkpoint}: optimizer.pt is damaged ({why}); delete this checkpoint to go on from the one before"
        ) from None
    return step


def _loaded(checkpoint: Path, stem: str, like: MMDiT) -> dict[str, torch.Tensor]:
    """The tensors of one set of weights; load_weights checks names and shapes against a model on meta."""
    with torch.device("meta"):
        model = MMDiT(like.config)
    load_weights(model, checkpoint, stem)
    return model.state_dict()
