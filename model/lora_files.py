"""LoRA weights on disk: read in the forms that are about, written in those of diffusers and ComfyUI.

    diffusers   transformer.transformer_blocks.0.attn.to_q.lora_A.weight, .lora_B.weight; alpha in the metadata, if any
    comfyui     diffusion_model.transformer_blocks.0.attn.to_q.lora_down.weight, .lora_up.weight, .alpha
    kohya       lora_unet_transformer_blocks_0_attn_to_q.lora_down.weight, ...                      (read only)
    others      bare names, peft's base_model.model., lycoris_; lora_A.default.weight               (read only)

A weight becomes ``W + alpha / rank * up @ down``. Sources of the conventions: diffusers' ``lora_conversion_utils.py``
and ``lora_base.py``, ComfyUI's ``comfy/lora.py`` (``model_lora_keys_unet``).
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from configs import UserError
from model.files import check_dtype, write_tensors

LoraForm = Literal["diffusers", "comfyui"]
LORA_FORMS: tuple[LoraForm, ...] = get_args(LoraForm)
_DOWN, _UP, _ALPHA = "down", "up", "alpha"
_PEFT_DOWN, _PEFT_UP = "lora_A.default.weight", "lora_B.default.weight"
_ROLES = {
    "lora_A.weight": _DOWN,
    "lora_B.weight": _UP,
    _PEFT_DOWN: _DOWN,
    _PEFT_UP: _UP,
    "lora_down.weight": _DOWN,
    "lora_up.weight": _UP,
    "alpha": _ALPHA,
}
_DOTTED = ("transformer.", "diffusion_model.", "model.diffusion_model.", "base_model.model.", "")
_FLAT = ("lora_unet_", "lycoris_")  # dots of the module's name are underscores
_METADATA = "lora_adapter_metadata"  # diffusers >= 0.34
_PREFIX = "transformer."


@dataclass(frozen=True)
class LoraPair:
    """The update of one linear: ``alpha / rank * up @ down``. ``down``: (rank, in); ``up``: (out, rank)."""

    down: Tensor
    up: Tensor
    alpha: float

    @property
    def rank(self) -> int:
        return len(self.down)

    @property
    def scale(self) -> float:
        return self.alpha / self.rank

    def delta(self) -> Tensor:
        """(out, in), fp32."""
        return self.scale * (self.up.float() @ self.down.float())

    def with_alpha(self, alpha: float) -> LoraPair:
        """The same update written with another alpha."""
        return LoraPair(self.down, self.up * (self.alpha / alpha), alpha)


Lora = Mapping[str, LoraPair]
"""By the name of the linear."""


def read_lora(path: str | Path, modules: Mapping[str, tuple[int, int]]) -> dict[str, LoraPair]:
    """The LoRA of a file of any form. ``modules``: (out, in) of the linears it may be for (``linear_shapes``).

    Raises UserError naming what is not a LoRA of this model: another kind of adapter, another network, half a pair.
    """
    path = Path(path)
    tensors, metadata = _read(path)
    names = _by_any_name(modules)
    parts: dict[str, dict[str, Tensor]] = {}
    for key, tensor in tensors.items():
        name, role = _split(path, key, names)
        if role in parts.setdefault(name, {}):
            raise UserError(f"{path}: '{key}' is there twice, under another prefix or ending too; remove one of them")
        parts[name][role] = tensor
    if not parts:
        raise UserError(f"{path}: holds no LoRA weights")
    alphas = _Alphas(path, metadata)
    return {name: _pair(path, name, parts[name], alphas, modules[name]) for name in sorted(parts)}


def write_lora(path: str | Path, lora: Lora, form: LoraForm) -> None:
    """One file, whole or not at all.

    diffusers' form has no place for alpha that all versions and ComfyUI read: there the scale is multiplied into
    ``up``, so that the file counts as alpha = rank, which is what all of them take for granted.
    """
    tensors: dict[str, Tensor] = {}
    for name, pair in lora.items():
        if form == "diffusers":
            plain = pair.with_alpha(float(pair.rank))
            tensors[f"{_PREFIX}{name}.lora_A.weight"], tensors[f"{_PREFIX}{name}.lora_B.weight"] = plain.down, plain.up
        else:
            start = f"diffusion_model.{name}"
            tensors[f"{start}.lora_down.weight"], tensors[f"{start}.lora_up.weight"] = pair.down, pair.up
            tensors[f"{start}.alpha"] = torch.tensor(pair.alpha)
    write_tensors(Path(path), tensors, {"format": "pt"})


def lora_of(parameters: Mapping[str, Tensor], alpha: float) -> dict[str, LoraPair]:
    """From parameters as peft names them (``NAME.lora_A.default.weight``) in a model or a checkpoint; others are passed
    over. Copies on the CPU."""
    downs = {
        key.removesuffix(f".{_PEFT_DOWN}"): tensor for key, tensor in parameters.items() if key.endswith(_PEFT_DOWN)
    }
    return {
        name: LoraPair(down.detach().cpu().clone(), parameters[f"{name}.{_PEFT_UP}"].detach().cpu().clone(), alpha)
        for name, down in downs.items()
    }


def linear_shapes(model: torch.nn.Module) -> dict[str, tuple[int, int]]:
    """(out, in) of every linear by name; the model may be on meta."""
    return {
        name: (module.out_features, module.in_features)
        for name, module in model.named_modules()
        if isinstance(module, torch.nn.Linear)
    }


def _read(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    if not path.is_file():
        raise UserError(f"{path}: does not exist; a .safetensors file with LoRA weights is needed")
    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118 (not a dict)
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: not a whole safetensors file: {error}") from None


def _by_any_name(modules: Iterable[str]) -> dict[str, str]:
    """Every way in which a form writes the name of a module -> the name."""
    names = {f"{prefix}{name}": name for name in modules for prefix in _DOTTED}
    return names | {f"{prefix}{name.replace('.', '_')}": name for name in modules for prefix in _FLAT}


def _split(path: Path, key: str, names: Mapping[str, str]) -> tuple[str, str]:
    """(module, role) of a key."""
    ending = next((e for e in _ROLES if key.endswith(f".{e}")), None)
    if ending is None:
        raise UserError(f"{path}: '{key}' is no weight of a LoRA (A and B, or down and up, and alpha); other adapters "
                        "(LoHa, LoKr, DoRA) are not read")  # fmt: skip
    name = names.get(key.removesuffix(f".{ending}"))
    if name is None:
        raise UserError(f"{path}: '{key}' is for a layer that this model has not; it is a LoRA of another model")
    return name, _ROLES[ending]


def _pair(path: Path, name: str, part: Mapping[str, Tensor], alphas: _Alphas, shape: tuple[int, int]) -> LoraPair:
    down, up = part.get(_DOWN), part.get(_UP)
    if down is None or up is None:
        raise UserError(f"{path}: '{name}' has half a LoRA: {'down (A)' if down is None else 'up (B)'} is missing")
    for tensor in (down, up):
        check_dtype(path, name, tensor)
    if down.ndim != 2 or up.ndim != 2 or (len(up), down.shape[1]) != shape or up.shape[1] != len(down):
        found = f"up {list(up.shape)} x down {list(down.shape)}"
        raise UserError(f"{path}: '{name}' is {found}; this model's weight there is {list(shape)}")
    if not len(down):
        raise UserError(f"{path}: '{name}' has rank 0; at least 1 is needed: remove the layer from the file")
    alpha = alphas.of(name, len(down)) if _ALPHA not in part else _alpha(path, name, part[_ALPHA])
    if not (math.isfinite(alpha) and down.isfinite().all() and up.isfinite().all()):
        raise UserError(f"{path}: '{name}' is not finite; the file is damaged or its training failed: take another one")
    return LoraPair(down, up, alpha)


def _alpha(path: Path, name: str, stored: Tensor) -> float:
    if stored.numel() != 1 or stored.is_complex():
        raise UserError(
            f"{path}: '{name}': alpha is {stored.dtype} of shape {list(stored.shape)}; one number is needed"
        )
    return float(stored)


class _Alphas:
    """Alpha of each module by diffusers' metadata; without it alpha is the rank, as in diffusers and ComfyUI."""

    def __init__(self, path: Path, metadata: Mapping[str, str]) -> None:
        """Raises UserError for metadata that cannot be read: a guess would scale the update wrongly."""
        try:
            tree: Any = json.loads(metadata.get(_METADATA, "{}"))
            mine = {key.removeprefix(_PREFIX): value for key, value in tree.items()}
            alpha, pattern = mine.get("lora_alpha"), mine.get("alpha_pattern") or {}
            self._alpha = None if alpha is None else float(alpha)
            self._pattern = {key: float(value) for key, value in pattern.items()}
        except (ValueError, TypeError, AttributeError, RecursionError):
            raise UserError(
                f"{path}: its metadata '{_METADATA}' cannot be read; a JSON object with lora_alpha as a number is needed"
            ) from None
        self._rank_stable = bool(mine.get("use_rslora"))

    def of(self, name: str, rank: int) -> float:
        alpha = self._pattern.get(name, self._alpha)
        if alpha is None:
            return float(rank)
        return alpha * (rank**0.5 if self._rank_stable else 1.0)  # rsLoRA divides by the root of the rank
