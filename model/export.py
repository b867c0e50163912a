"""A training checkpoint as a pipeline folder: ``python -m model export CKPT OUT``.

What a training checkpoint must hold for this (the trainer writes it):

    step-000123/
        base.json                       {"base": PATH}: the pipeline folder that training started from
        ema.safetensors                 the transformer's averaged weights, by diffusers' names, and/or
        model.safetensors               its raw ones; either may be shards with an index (model.files.save_weights)

CKPT may also be the output folder of ``fit``: then the newest step in its ``checkpoints/`` is taken.
A relative PATH starts at the checkpoint.
"""

from __future__ import annotations

from pathlib import Path

from configs import UserError
from model.checkpoint import check_folder, load_transformer, save_like
from model.files import load_weights, read_json

_STEMS = ("ema", "model")  # the first one found is exported


def export(checkpoint: str | Path, out: str | Path) -> None:
    """Write OUT. The dtype of the weights is the checkpoint's; all other parts are the base's, byte for byte."""
    checkpoint, out = _step(Path(checkpoint)), Path(out)
    if out.exists() and any(out.iterdir()):
        raise UserError(f"{out}: exists and is not empty; name a new folder")
    base = check_folder(_base(checkpoint))
    model = load_transformer(base)
    load_weights(model, checkpoint, _stem(checkpoint))
    save_like(base, out, model.state_dict(), model.config)


def _step(folder: Path) -> Path:
    if (folder / "base.json").is_file():
        return folder
    steps = sorted((folder / "checkpoints").glob("step-*/base.json"))
    if not steps:
        raise UserError(f"{folder}: has neither base.json nor checkpoints/step-*/; give a checkpoint of `trainer fit`")
    return steps[-1].parent


def _base(checkpoint: Path) -> Path:
    named = read_json(checkpoint / "base.json").get("base")
    if not isinstance(named, str):
        raise UserError(f"{checkpoint / 'base.json'}: base is {named!r}; the path of a pipeline folder is needed")
    base = checkpoint / named  # an absolute path stays as it is
    if not base.is_dir():
        raise UserError(f"{checkpoint / 'base.json'}: base is {named}, which does not exist")
    return base


def _stem(checkpoint: Path) -> str:
    for stem in _STEMS:
        if list(checkpoint.glob(f"{stem}.safetensors*")):
            return stem
    raise UserError(f"{checkpoint}: has neither ema.safetensors nor model.safetensors")
