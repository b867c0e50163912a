"""A training checkpoint as a pipeline folder: ``python -m model export CKPT OUT``.

What a training checkpoint holds for this (the trainer writes it):

    step-123/
        base.json                       {"base": PATH, "base_absolute": PATH}: the pipeline folder that training
                                        started from, as it lies to the checkpoint and as it lay then; of a LoRA
                                        "lora_alpha", too
        complete                        the checkpoint is whole
        .metadata, *.distcp             torch's distributed checkpoint: "model.NAME" for every weight that was
                                        trained, by diffusers' (or peft's) names, and "ema.NAME" for averaged ones

Older ones have ``step.json`` and ``ema.safetensors``, ``model.safetensors`` instead. CKPT may also be the output folder
of ``fit``: then the newest step in its ``checkpoints/`` is taken. A relative PATH starts at the checkpoint.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
import torch.distributed.checkpoint as dcp
from torch import Tensor
from torch.distributed.checkpoint.metadata import TensorStorageMetadata

from configs import UserError
from model.checkpoint import check_folder, save_like, transformer_config
from model.complete import MARKER, damage
from model.files import iterate_tensors, read_json, weight_dtypes
from model.lora_files import lora_of
from model.lora_merge import export_lora
from model.mmdit import MMDiT

_STEMS = ("ema", "model")  # the first one found is exported
_TOGETHER = 64  # chosen: tensors read in one call


def export(checkpoint: str | Path, out: str | Path, dtype: torch.dtype | None = None, merge: bool = False) -> None:
    """Write OUT: a pipeline folder whose other parts are the base's, byte for byte; the dtype of each weight is the
    base's, or ``dtype``. Of a LoRA training: its files, or with ``merge`` a pipeline folder. Raises UserError."""
    folder, out = step_folder(Path(checkpoint)), Path(out)
    if out.exists() and any(out.iterdir()):
        raise UserError(f"{out}: exists and is not empty; name a new folder")
    base, about = check_folder(base_of(folder)), read_json(folder / "base.json")
    found = dict(_weights(folder))
    if "lora_alpha" in about:
        export_lora(base, out, lora_of(found, float(about["lora_alpha"])), merge)
        return
    if merge:
        raise UserError(f"{folder}: holds whole weights; there is nothing to merge")
    save_like(base, out, _whole(folder, base, found, dtype), transformer_config(base))


def check_whole(checkpoint: Path) -> None:
    """Raise UserError where files of a checkpoint are not as they were written. Reads all of them."""
    folder = step_folder(checkpoint)
    why = damage(folder) if (folder / MARKER).is_file() else None
    if why:
        raise UserError(f"{folder}: {why}; take another checkpoint")


def _whole(folder: Path, base: Path, found: dict[str, Tensor], dtype: torch.dtype | None) -> dict[str, Tensor]:
    """All weights of the transformer; those that no training changes are the base's."""
    stored = weight_dtypes(base / "transformer")
    with torch.device("meta"):
        expected = dict(MMDiT(transformer_config(base)).named_parameters())
    missing = [name for name, p in expected.items() if name not in found and p.requires_grad]
    if missing:
        raise UserError(f"{folder}: {len(missing)} weights are missing, the first is '{missing[0]}'")
    frozen = {name for name in expected if name not in found}
    found |= {name: tensor for name, tensor in iterate_tensors(base / "transformer") if name in frozen}
    return {name: found.pop(name).to(dtype or stored[name]) for name in expected}


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
    about = read_json(checkpoint / "base.json")
    named = about.get("base")
    if not isinstance(named, str):
        raise UserError(f"{checkpoint / 'base.json'}: base is {named!r}; the path of a pipeline folder is needed")
    # By names, as the path was made: the way through the checkpoint's folder ends when that is renamed or removed.
    beside = Path(os.path.normpath(checkpoint.absolute() / named))  # an absolute path stays as it is
    places = [beside, Path(str(about.get("base_absolute", beside)))]
    found = next((place for place in places if place.is_dir()), None)
    if found is None:
        raise UserError(
            f"{checkpoint / 'base.json'}: base is {named}, which does not exist; put it back, or, for a training that goes "
            "on, name it where it lies now: --init FOLDER"
        )
    return found


def _is_complete(folder: Path) -> bool:
    """An older one, of safetensors, appeared whole."""
    return (folder / MARKER).is_file() or any(folder.glob("*.safetensors*"))


def _weights(checkpoint: Path) -> Iterator[tuple[str, Tensor]]:
    """(name, tensor) of what was trained: averaged where there is an average."""
    if not (checkpoint / ".metadata").is_file():
        stems = [stem for stem in _STEMS if list(checkpoint.glob(f"{stem}.safetensors*"))]
        if not stems:
            raise UserError(f"{checkpoint}: has neither .metadata nor ema.safetensors nor model.safetensors")
        yield from iterate_tensors(checkpoint, stems[0])
        return
    sizes = dcp.FileSystemReader(checkpoint).read_metadata().state_dict_metadata
    names = {key.removeprefix("model.") for key in sizes if key.startswith("model.")}
    keys = [next(key for stem in _STEMS if (key := f"{stem}.{name}") in sizes) for name in sorted(names)]
    yield from _read(checkpoint, {key: sizes[key] for key in keys})


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
            if not tensor.isfinite().all():
                raise UserError(
                    f"{checkpoint}: weight '{key}' is not finite; this checkpoint is damaged, take another one"
                )
            yield key.partition(".")[2], tensor
