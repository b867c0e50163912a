"""Whether a checkpoint of another training fits a config: what ``--from`` takes over, asked of its index alone."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
import torch.distributed.checkpoint as dcp

from configs import UserError
from trainer.config import FitConfig
from trainer.optim.eight_bit import block_size
from trainer.state.folders import is_old

_KINDS = (("momentum", "muon"), ("variance", "adafactor"), ("row", "adafactor"), ("exp_avg", "adamw"))
"""Names of optimizer states, and whose they are."""
_EIGHT_BITS = "_codes"
_DOWN = ".lora_A.default.weight"


def check_from(folder: Path, config: FitConfig, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Raise UserError naming the field where the checkpoint in ``folder`` cannot be gone on from.

    ``shapes``: of the weights that ``config`` trains, by name.
    """
    if is_old(folder):
        return
    stored = {key: tuple(getattr(about, "size", ())) for key, about in _index(folder).items()}
    for field, there, asked in _differences(stored, config, shapes):
        raise UserError(
            f"--from {folder}: field '{field}': the checkpoint has {there}, this config {asked}; put the field back, or "
            f"take its weights alone: python -m model export {folder} FOLDER, and --init FOLDER"
        )


def _index(folder: Path) -> Mapping[str, Any]:
    try:
        return dcp.FileSystemReader(folder).read_metadata().state_dict_metadata
    except Exception as error:  # pickle's, of damaged bytes: any
        raise UserError(f"--from {folder}: its index cannot be read ({error}); name another checkpoint") from None


def _differences(
    stored: Mapping[str, tuple[int, ...]], config: FitConfig, shapes: Mapping[str, tuple[int, ...]]
) -> Iterator[tuple[str, str, str]]:
    """(field, what is stored, what is asked for)."""
    weights = {key.removeprefix("model."): shape for key, shape in stored.items() if key.startswith("model.")}
    ranks = {shape[0] for name, shape in weights.items() if name.endswith(_DOWN)}
    if bool(ranks) != (config.lora is not None):
        yield "lora", *(("adapters", "none") if ranks else ("whole weights", "adapters"))
    if config.lora and ranks != {config.lora.rank}:
        yield "lora.rank", f"rank {' and '.join(map(str, sorted(ranks)))}", f"rank {config.lora.rank}"
    other = sorted(weights.keys() ^ shapes.keys()) or [n for n in sorted(shapes) if weights[n] != tuple(shapes[n])]
    if other:
        where = "lora.targets" if config.lora else "model"
        have = [f"{'no ' * (other[0] not in found)}'{other[0]}'" for found in (weights, shapes)]
        sizes = [f" of {list(found[other[0]])}" if other[0] in found else "" for found in (weights, shapes)]
        yield where, have[0] + sizes[0], have[1] + sizes[1]
    averaged = any(key.startswith("ema.") for key in stored)
    if averaged != bool(config.optimizer.ema):
        yield "optimizer.ema", *(("averages", "none") if averaged else ("no averages", "some"))
    found, asked = plan_of(stored), _asked_plan(config, shapes)
    if found and found != asked:
        yield "optimizer.kind" if "muon" in (found, asked) else "optimizer.plan", f"{found}'s state", f"{asked}'s"


def plan_of(keys: Collection[str]) -> str | None:
    """Whose optimizer states they are, None where there are none."""
    names = {key.rpartition(".")[2] for key in keys if key.startswith("optimizer.state.")}
    if any(name.endswith(_EIGHT_BITS) for name in names):
        return "adamw8bit"
    return next((kind for name, kind in _KINDS if name in names), None)


def _asked_plan(config: FitConfig, shapes: Mapping[str, tuple[int, ...]]) -> str:
    """Of which kind the states will be: in a model whose every matrix is small, 8 bits keep what AdamW keeps."""
    plan = config.optimizer.plan
    if plan == "adamw8bit" and not any(block_size(torch.Size(shape)) for shape in shapes.values()):
        return "adamw"
    return "muon" if config.optimizer.kind == "muon" else plan
