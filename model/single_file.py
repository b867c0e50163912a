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
from collections.abc import Iterator, Sequence
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
_FP8_NAMES = ("float8_e4m3fn", "float8_e5m2")
# As safetensors' headers call them.
_FP8, _FLOATS = ("F8_E4M3", "F8_E5M2"), ("F64", "F32", "BF16", "F16")


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
            self._dtypes = {name: file.get_slice(key).get_dtype() for name, key in self._keys.items()}
            self.fp8 = any(dtype in _FP8 for dtype in self._dtypes.values())
            for name in self._keys:
                self._check_weight(name, file)

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
                if self._dtypes[name] in _FP8 or scales:
                    tensor = _scaled_up(tensor, [file.get_tensor(scale) for scale in scales])
                yield name, tensor if dtype is None else tensor.to(dtype)

    def _check_weight(self, name: str, file: Any) -> None:
        """Its dtype and its scales, which are small and read for it."""
        dtype, shape = self._dtypes[name], file.get_slice(self._keys[name]).get_shape()
        if dtype not in (*_FLOATS, *_FP8):
            raise UserError(
                f"{self.path}: weight '{name}' is {dtype}; {', '.join(_FLOATS)} are read, and {' and '.join(_FP8)} with "
                "scales, not numbers of other quantizations"
            )
        scales = self._scales.get(name, [])
        if dtype in _FP8 and not scales and self._scaled and name.endswith(".weight"):
            raise UserError(
                f"{self.path}: weight '{name}' is {dtype} without its scale "
                f"('{name.removesuffix('.weight')}{_SCALES[0]}'), which the file's other weights have"
            )
        if sum(key.endswith(_SCALES) for key in scales) > 1:
            raise UserError(f"{self.path}: weight '{name}' has a scale under two names, {' and '.join(sorted(scales))}")
        for key in scales:
            scale = file.get_tensor(key)
            if _form(scale, shape) is None:
                raise UserError(
                    f"{self.path}: the scale of '{name}' has shape {list(scale.shape)} for a weight of {shape}; one "
                    "number, one a row, or (rows, blocks, 1) is read"
                )
            if not (scale.is_floating_point() and scale.float().isfinite().all() and scale.all()):
                raise UserError(
                    f"{self.path}: the scale of '{name}' holds numbers that are no scales (0, inf, nan or ints)"
                )

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


def _form(scale: Tensor, shape: Sequence[int]) -> tuple[int, int] | None:
    """(rows, blocks of columns) that a weight of ``shape`` has scales for, or None where they do not belong to it."""
    if scale.numel() == 1:
        return 1, 1
    if len(shape) != 2 or scale.ndim not in (1, 2, 3) or len(scale) != shape[0]:
        return None
    blocks = scale.shape[1] if scale.ndim == 3 else 1
    fits = scale.numel() == shape[0] * blocks and blocks > 0 and shape[1] % blocks == 0
    return (shape[0], blocks) if fits else None


def _scaled_up(tensor: Tensor, scales: Sequence[Tensor]) -> Tensor:
    """fp32 of a tensor that is stored divided by ``scales``."""
    tensor = tensor.float()
    for scale in scales:
        form = _form(scale, tensor.shape)
        assert form is not None  # looked at when the file was opened
        rows, blocks = form
        if (rows, blocks) == (1, 1):
            tensor = tensor * scale.float().reshape(())
        else:
            tensor = (tensor.unflatten(1, (blocks, -1)) * scale.float().reshape(rows, blocks, 1)).flatten(1)
    return tensor


def _json(text: str) -> dict[str, Any] | None:
    try:
        value = json.loads(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
