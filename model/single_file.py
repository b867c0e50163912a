"""A transformer in one .safetensors file, as ComfyUI takes it: ``qwen_image_bf16.safetensors`` and its kin.

    [model.diffusion_model.]transformer_blocks.0.attn.to_q.weight         names of diffusers behind a prefix, or none
    ....scale_weight | .weight_scale                                      weight = stored fp8 * scale
    ....scale_input | .input_scale, scaled_fp8, .comfy_quant              for products in fp8; not needed here
    __index_timestep_zero__                                               mark of Edit-2511: zero_cond_t

A file gives weights only: shapes, VAE and text encoder come from a folder of the same family. fp8 is turned to the
wanted dtype tensor by tensor. Conventions: ComfyUI's QUANTIZATION.md and ``convert_old_quants``, musubi-tuner's
``fp8_optimization_utils.py`` (scales per row and per block of columns too). A file of fp8 without any scale is a
plain cast (ComfyUI's ``qwen_image_fp8_e4m3fn.safetensors``).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from configs import UserError

_PREFIXES = ("model.diffusion_model.", "diffusion_model.")
_OTHER_PARTS = ("vae.", "first_stage_model.", "text_encoders.", "cond_stage_model.", "conditioner.")
"""Of files that hold the whole pipeline; the folder's own are taken."""
_SCALES = (".scale_weight", ".weight_scale")
_SECOND_SCALE = ".scale_weight_tensor"
_UNUSED = (".scale_input", ".input_scale")
_FORMAT = ".comfy_quant"
_SCALED, _ZERO_COND_T = "scaled_fp8", "__index_timestep_zero__"
_FP8 = (torch.float8_e4m3fn, torch.float8_e5m2)
_FP8_NAMES = ("float8_e4m3fn", "float8_e5m2")
_FP8_HEADER = ("F8_E4M3", "F8_E5M2")  # safetensors' names


class SingleFile:
    """The file's index: what is in it and under which names. Raises UserError for what cannot be read as weights."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        with self._open() as file:
            stored = list(file.keys())
            self._check_formats((file.metadata() or {}).get("_quantization_metadata"))
            prefix = next((p for p in _PREFIXES if any(key.startswith(p) for key in stored)), "")
            self._keys = {key.removeprefix(prefix): key for key in stored if key.startswith(prefix)}
            self._check_rest([key for key in stored if not key.startswith(prefix)])
            self.zero_cond_t = self._keys.pop(_ZERO_COND_T, None) is not None
            self._scaled = self._keys.pop(_SCALED, None) is not None
            self._scales = self._split_scales(file)
            self.fp8 = any(file.get_slice(key).get_dtype() in _FP8_HEADER for key in self._keys.values())

    def shapes(self) -> dict[str, list[int]]:
        """Of every weight, from the header alone."""
        with self._open() as file:
            return {name: file.get_slice(key).get_shape() for name, key in self._keys.items()}

    def tensors(self, dtype: torch.dtype | None) -> Iterator[tuple[str, Tensor]]:
        """(name, tensor) of every weight, one at a time. ``dtype`` None: as stored, bfloat16 for a file with fp8."""
        dtype = dtype or (torch.bfloat16 if self.fp8 else None)
        with self._open() as file:
            for name, key in self._keys.items():
                tensor = file.get_tensor(key)
                scales = self._scales.get(name, [])
                if tensor.dtype in _FP8 and not scales and self._scaled and name.endswith(".weight"):
                    raise UserError(
                        f"{self.path}: weight '{name}' is {tensor.dtype} without its scale "
                        f"('{name.removesuffix('.weight')}{_SCALES[0]}'), which the file's other weights have"
                    )
                if tensor.dtype in _FP8 or scales:
                    tensor = self._scaled_up(name, tensor, [file.get_tensor(scale) for scale in scales])
                yield name, tensor if dtype is None else tensor.to(dtype)

    def _scaled_up(self, name: str, tensor: Tensor, scales: list[Tensor]) -> Tensor:
        """fp32 of a tensor that is stored divided by ``scales``: of all of it, by row, or (out, blocks, 1) by columns."""
        tensor = tensor.float()
        for scale in scales:
            scale = scale.float()
            if scale.numel() == 1:
                tensor = tensor * scale.reshape(())
            elif tensor.ndim == 2 and scale.shape in ((len(tensor),), (len(tensor), 1)):
                tensor = tensor * scale.reshape(-1, 1)
            elif tensor.ndim == 2 and scale.ndim == 3 and not tensor.shape[1] % scale.shape[1]:
                tensor = (tensor.unflatten(1, (scale.shape[1], -1)) * scale).flatten(1)
            else:
                shapes = f"{list(scale.shape)} for a weight of {list(tensor.shape)}"
                raise UserError(
                    f"{self.path}: the scale of '{name}' has shape {shapes}; one number, or one a row is read"
                )
        return tensor

    def _split_scales(self, file: Any) -> dict[str, list[str]]:
        """Take what is no weight out of the names; returns the keys of the scales by name of the weight."""
        scales: dict[str, list[str]] = {}
        for name, key in list(self._keys.items()):
            layer, _, suffix = name.rpartition(".")
            if f".{suffix}" in (*_SCALES, _SECOND_SCALE):
                scales.setdefault(f"{layer}.weight", []).append(key)
            elif f".{suffix}" == _FORMAT:
                self._check_format(layer, _json(bytes(file.get_tensor(key).tolist()).decode("utf-8", "replace")))
            elif f".{suffix}" not in _UNUSED:
                continue
            del self._keys[name]
        orphans = [name for name in scales if name not in self._keys]
        if orphans:
            raise UserError(f"{self.path}: holds a scale of '{orphans[0]}' but not that weight")
        self._scaled = self._scaled or bool(scales)
        return scales

    def _check_formats(self, text: str | None) -> None:
        layers = (_json(text) or {}).get("layers") if text else None
        for name, form in (layers or {}).items():
            self._check_format(name, form)

    def _check_format(self, layer: str, form: Any) -> None:
        found = form.get("format") if isinstance(form, dict) else form
        if found not in _FP8_NAMES:
            raise UserError(
                f"{self.path}: layer '{layer}' is stored as {found!r}; {' and '.join(_FP8_NAMES)} are read, "
                "and files that are not quantized"
            )

    def _check_rest(self, keys: list[str]) -> None:
        strange = [key for key in keys if not key.startswith(_OTHER_PARTS)]
        if strange:
            raise UserError(f"{self.path}: '{strange[0]}' belongs to no part of a Qwen-Image checkpoint")

    @contextmanager
    def _open(self) -> Iterator[Any]:
        if not self.path.is_file():
            raise UserError(
                f"{self.path}: does not exist; a .safetensors file with the transformer's weights is needed"
            )
        try:
            with safe_open(self.path, framework="pt") as file:
                yield file
        except (SafetensorError, OSError) as error:
            raise UserError(f"{self.path}: not a whole safetensors file: {error}") from None


def _json(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
