"""A training checkpoint as a pipeline folder: ``python -m model export CKPT OUT``.

What a training checkpoint holds for this (the trainer writes it):

    step-123/
        base.json                       {"base": PATH}: the pipeline folder that training started from
        complete                        the checkpoint is whole
        .metadata, *.distcp             torch's distributed checkpoint: "model.NAME" for every weight of the
                                        transformer, by diffusers' names, and "ema.NAME" for averaged ones

Older ones have ``step.json`` and ``ema.safetensors``, ``model.safetensors`` instead. CKPT may also be the output folder
of ``fit``: then the newest step in its ``checkpoints/`` is taken. A relative PATH starts at the checkpoint.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch
import torch.distributed.checkpoint as dcp
from torch import Tensor
from torch.distributed.checkpoint.metadata import TensorStorageMetadata

from configs import UserError
from model.checkpoint import check_folder, save_like, transformer_config
from model.files import iterate_tensors, read_json, weight_dtypes
from model.mmdit import MMDiT

_STEMS = ("ema", "model")  # the first one found is exported
_TOGETHER = 64  # chosen: tensors read in one call


def export(checkpoint: str | Path, out: str | Path, dtype: torch.dtype | None = None) -> None:
    """Write OUT. The dtype of each weight is the base's, or ``dtype``; all other parts are the base's, byte for byte."""
    folder, out = step_folder(Path(checkpoint)), Path(out)
    if out.exists() and any(out.iterdir()):
        raise UserError(f"{out}: exists and is not empty; name a new folder")
    base = check_folder(base_of(folder))
    config = transformer_config(base)
    stored = weight_dtypes(base / "transformer")
    with torch.device("meta"):
        names = [name for name, _ in MMDiT(config).named_parameters()]
    state = {name: tensor.to(dtype or stored[name]) for name, tensor in _weights(folder, names)}
    missing = [name for name in names if name not in state]
    if missing:
        raise UserError(f"{folder}: {len(missing)} weights are missing, the first is '{missing[0]}'")
    save_like(base, out, state, config)


def step_folder(folder: Path) -> Path:
    """The checkpoint itself, or the newest one in an output folder of ``fit``. Raises UserError for neither."""
    if (folder / "base.json").is_file():
        return folder
    steps = [p.parent for p in (folder / "checkpoints").glob("step-*/base.json") if _is_complete(p.parent)]
    numbered = [p for p in steps if p.name.removeprefix("step-").isdecimal()]
    if not numbered:
        raise UserError(f"{folder}: has neither base.json nor checkpoints/step-*/; give a checkpoint of `trainer fit`")
    return max(numbered, key=lambda p: int(p.name.removeprefix("step-")))


def base_of(checkpoint: Path) -> Path:
    """The pipeline folder that a checkpoint's training started from. Raises UserError where it is gone."""
    named = read_json(checkpoint / "base.json").get("base")
    if not isinstance(named, str):
        raise UserError(f"{checkpoint / 'base.json'}: base is {named!r}; the path of a pipeline folder is needed")
    base = checkpoint / named  # an absolute path stays as it is
    if not base.is_dir():
        raise UserError(f"{checkpoint / 'base.json'}: base is {named}, which does not exist")
    return base


def _is_complete(folder: Path) -> bool:
    return any((folder / name).is_file() for name in ("complete", "step.json"))


def _weights(checkpoint: Path, names: Sequence[str]) -> Iterator[tuple[str, Tensor]]:
    """(name, tensor): averaged where there is an average, else as trained."""
    if not (checkpoint / ".metadata").is_file():
        stems = [stem for stem in _STEMS if list(checkpoint.glob(f"{stem}.safetensors*"))]
        if not stems:
            raise UserError(f"{checkpoint}: has neither .metadata nor ema.safetensors nor model.safetensors")
        yield from iterate_tensors(checkpoint, stems[0])
        return
    sizes = dcp.FileSystemReader(checkpoint).read_metadata().state_dict_metadata
    keys = [next((k for k in (f"{stem}.{name}" for stem in _STEMS) if k in sizes), None) for name in names]
    found = {key: sizes[key] for key in keys if key}
    yield from _read(checkpoint, found)


def _read(checkpoint: Path, sizes: Mapping[str, object]) -> Iterator[tuple[str, Tensor]]:
    keys = list(sizes)
    for start in range(0, len(keys), _TOGETHER):
        state = {}
        for key in keys[start : start + _TOGETHER]:
            about = sizes[key]
            assert isinstance(about, TensorStorageMetadata)
            state[key] = torch.empty(about.size, dtype=about.properties.dtype)
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="torch.distributed is disabled")  # as asked for
            dcp.load(state, checkpoint_id=checkpoint, no_dist=True)
        for key, tensor in state.items():
            yield key.partition(".")[2], tensor
