"""What latents and conditions depend on, as one digest each: weights by their tensors, settings by their values.

How weights are cut into files does not count, nor does who wrote them with which version of what.
"""

from __future__ import annotations

import functools
import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from configs import UserError
from model.checkpoint import reference_style
from model.files import iterate_tensors

_VERSION = 1
"""Another one when the same weights give other numbers: another way to resize, another template."""
_SILENT = ("_name_or_path", "_diffusers_version", "transformers_version")
"""Fields of a config.json that say where it comes from."""


_PARTS = ("vae", "text_encoder", "tokenizer", "processor")


@dataclass(frozen=True)
class EncoderDigests:
    """sha256 of everything that latents (``vae``) and conditions (``text``) depend on beside their input."""

    vae: str
    text: str


def encoder_digests(base: Path, max_text_tokens: int) -> EncoderDigests:
    """Of a pipeline folder; reads all weights of both encoders, once while they are not touched. Raises UserError for one
    that cannot be read."""
    files = sorted(path for part in _PARTS for path in (base / part).glob("*"))
    return _digests(base, max_text_tokens, tuple((str(p), p.stat().st_size, p.stat().st_mtime_ns) for p in files))


@functools.lru_cache(4)
def _digests(base: Path, max_text_tokens: int, files: tuple[tuple[str, int, int], ...]) -> EncoderDigests:
    """``files``: names, sizes and times of what is read, so that a changed folder is read again."""
    vae = hashlib.sha256(json.dumps(["vae", _VERSION, _settings(base / "vae")]).encode())
    _add_weights(vae, base / "vae", "diffusion_pytorch_model")
    about = ["text", _VERSION, _settings(base / "text_encoder"), max_text_tokens, reference_style(base)]
    text = hashlib.sha256(json.dumps(about).encode())
    _add_weights(text, base / "text_encoder", "model")
    for part in ("tokenizer", "processor"):
        for path in sorted((base / part).glob("*")):
            if path.is_file():
                text.update(f"{part}/{path.name}".encode() + hashlib.sha256(path.read_bytes()).digest())
    return EncoderDigests(vae.hexdigest(), text.hexdigest())


def _settings(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    try:
        found = json.loads(path.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: cannot be read ({error}); a diffusers folder of Qwen-Image is needed") from None
    return {name: found[name] for name in sorted(found) if name not in _SILENT}


def _add_weights(digest: Any, folder: Path, stem: str) -> None:
    found = {}
    for name, tensor in iterate_tensors(folder, stem):
        data = tensor.contiguous().reshape(-1).view(torch.uint8).numpy().data
        about = f"{name} {tensor.dtype} {list(tensor.shape)}".encode()
        found[name] = hashlib.sha256(about + hashlib.sha256(data).digest()).digest()
    for name in sorted(found):
        digest.update(found[name])
