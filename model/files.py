"""Weights and configs on disk, in the layout of diffusers and transformers.

    folder/config.json
    folder/diffusion_pytorch_model.safetensors                      small models
    folder/diffusion_pytorch_model-00001-of-00009.safetensors ...   large ones, with an index beside them

Loading fills a module built on the meta device straight from the files, tensor by tensor, so there
is never a second copy. Files appear whole or not at all.
"""

from __future__ import annotations

import dataclasses
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from configs import UserError
from configs.files import remove_temporary, replace_text, replaced
from configs.portions import portions

C = TypeVar("C")

_WEIGHTS = "diffusion_pytorch_model"
_SCALE = ".weight_scale"  # of a linear in eight bits: made from its weight, not read
SHARD_BYTES = 5 * 2**30
# Keys of released configs that say nothing about the network.
_SILENT_KEYS = frozenset({"pooled_projection_dim"})
# What a model computes in; eight-bit floats are numbers too, but no product takes them as they are.
_DTYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16)


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object; UserError naming the file when it is missing or no object."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: not valid JSON: {error}") from None
    if not isinstance(value, dict):
        raise UserError(f"{path}: expected a JSON object, found {type(value).__name__}")
    return value


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    replace_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n", durable=False)


def read_config(path: Path, cls: type[C], class_name: str) -> C:
    """``cls`` from a ``config.json`` of diffusers class ``class_name``; UserError for another family or bad fields."""
    tree = read_json(path)
    found = tree.get("_class_name", tree.get("architectures"))
    if found != class_name:
        raise UserError(f"{path}: _class_name is {found!r}; only {class_name} can be loaded here")
    fields = {f.name: f.default for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    values = {}
    for key, value in tree.items():
        if key in fields:
            values[key] = _checked(path, key, value, fields[key])
        elif not key.startswith("_") and key not in _SILENT_KEYS and value not in (None, False):
            raise UserError(f"{path}: {key} is {value!r}; this is another model than {class_name} as released")
    try:
        return cls(**values)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None


def write_config(path: Path, config: Any, class_name: str, **more: Any) -> None:
    write_json(path, {"_class_name": class_name, "_diffusers_version": "0.42.1", **dataclasses.asdict(config), **more})


def load_weights(module: nn.Module, folder: Path, stem: str = _WEIGHTS) -> None:
    """Fill ``module`` (on meta or not) from the safetensors of ``folder``; UserError unless keys and shapes agree."""
    fill(module, iterate_tensors(folder, stem), folder)


def fill(
    module: nn.Module,
    tensors: Iterable[tuple[str, Tensor]],
    where: Path,
    dtype: torch.dtype | None = None,
    device: torch.device | str | None = None,
) -> None:
    """Give ``module`` (on meta or not) the weights ``tensors``, each turned to ``dtype`` and moved as it comes.

    A linear in eight bits quantizes its own. Raises UserError naming ``where`` unless keys and shapes agree.
    """
    expected = module.state_dict(keep_vars=True)
    shapes = {name: tensor.shape for name, tensor in expected.items() if not name.endswith(_SCALE)}
    for name, tensor in checked(tensors, shapes, where):
        tensor = tensor.to(device=device, dtype=dtype).requires_grad_(expected[name].requires_grad)
        module.load_state_dict({name: tensor}, strict=False, assign=True)


def _check_weight(folder: Path, name: str, shape: Sequence[int], expected: Mapping[str, Sequence[int]]) -> None:
    if name not in expected:
        raise UserError(f"{folder}: unexpected weight '{name}'; the model of config.json has none of that name")
    if list(shape) != list(expected[name]):
        shapes = f"{list(shape)}, config.json makes it {list(expected[name])}"
        raise UserError(f"{folder}: weight '{name}' has shape {shapes}")


def _check_missing(folder: Path, expected: Iterable[str], seen: set[str]) -> None:
    missing = [name for name in expected if name not in seen]
    if missing:
        raise UserError(f"{folder}: {len(missing)} weights are missing, the first is '{missing[0]}'")


def checked(
    tensors: Iterable[tuple[str, Tensor]], expected: Mapping[str, Sequence[int]], where: Path
) -> Iterator[tuple[str, Tensor]]:
    """The same ``tensors``; UserError naming ``where`` unless names and shapes are ``expected``."""
    seen = set()
    for name, tensor in tensors:
        _check_weight(where, name, tensor.shape, expected)
        check_dtype(where, name, tensor)
        seen.add(name)
        yield name, tensor
    _check_missing(where, expected, seen)


def check_shapes(found: Mapping[str, Sequence[int]], expected: Mapping[str, Sequence[int]], where: Path) -> None:
    """UserError naming ``where`` unless names and shapes are ``expected``."""
    for name, shape in found.items():
        _check_weight(where, name, shape, expected)
    _check_missing(where, expected, set(found))


def weight_dtypes(folder: Path, stem: str = _WEIGHTS) -> dict[str, torch.dtype]:
    """dtype of every tensor in the folder's safetensors, from their headers."""
    dtypes: dict[str, torch.dtype] = {}
    for path in weight_files(folder, stem):
        with safe_open(path, framework="pt") as file:
            dtypes |= {name: file.get_slice(name)[:0].dtype for name in file.keys()}  # noqa: SIM118 (not a dict)
    return dtypes


def check_weights(folder: Path, expected: Mapping[str, Sequence[int]], stem: str = _WEIGHTS) -> None:
    """UserError unless names and shapes in the folder's safetensors are ``expected``; reads their headers alone."""
    seen = set()
    for path in weight_files(folder, stem):
        try:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 (not a dict)
                    _check_weight(folder, name, file.get_slice(name).get_shape(), expected)
                    seen.add(name)
        except (SafetensorError, OSError) as error:
            raise UserError(f"{path}: not a whole safetensors file: {error}") from None
    _check_missing(folder, expected, seen)


def iterate_slices(
    folder: Path,
    expected: Mapping[str, Sequence[int]],
    slices: Callable[[str], tuple[slice, ...]],
    stem: str = _WEIGHTS,
) -> Iterator[tuple[str, Tensor]]:
    """(name, its part under ``slices(name)``) of every tensor in the folder's safetensors; the rest is not read.

    ``expected``: whole shapes by name. UserError unless names and shapes agree.
    """
    seen = set()
    for path in weight_files(folder, stem):
        try:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 (not a dict)
                    whole = file.get_slice(name)
                    _check_weight(folder, name, whole.get_shape(), expected)
                    part = whole[slices(name)]
                    check_dtype(folder, name, part)
                    seen.add(name)
                    yield name, part
        except (SafetensorError, OSError) as error:
            raise UserError(f"{path}: not a whole safetensors file: {error}") from None
    _check_missing(folder, expected, seen)


def check_dtype(where: Path | str, name: str, tensor: Tensor) -> None:
    if tensor.dtype not in _DTYPES:
        raise UserError(
            f"{where}: weight '{name}' is {tensor.dtype}; floating-point numbers of 16 bits or more are needed"
        )


def iterate_tensors(folder: Path, stem: str = _WEIGHTS) -> Iterator[tuple[str, Tensor]]:
    """(name, tensor) of every tensor in the folder's safetensors, one at a time."""
    for path in weight_files(folder, stem):
        try:
            with safe_open(path, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118 (not a dict)
                    yield name, file.get_tensor(name)
        except (SafetensorError, OSError) as error:
            raise UserError(f"{path}: not a whole safetensors file: {error}") from None


def weight_files(folder: Path, stem: str = _WEIGHTS) -> list[Path]:
    """The files of one set of weights; UserError when there are none or the index names one that is missing."""
    index, single = folder / f"{stem}.safetensors.index.json", folder / f"{stem}.safetensors"
    if index.is_file():
        files = [folder / name for name in _named_by(index)]
    elif single.is_file():
        files = [single]
    else:
        raise UserError(f"{folder}: has neither {single.name} nor {index.name}")
    absent = [path for path in files if not path.is_file()]
    if absent:
        raise UserError(f"{absent[0]}: is named by {index.name} but missing")
    return files


def _named_by(index: Path) -> list[str]:
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not all(isinstance(name, str) for name in weight_map.values()):
        raise UserError(f"{index}: weight_map is {str(weight_map)[:60]}; names of files by names of weights are needed")
    return sorted(set(weight_map.values()))


def save_weights(
    tensors: Mapping[str, Tensor], folder: Path, stem: str = _WEIGHTS, shard_bytes: int = SHARD_BYTES
) -> None:
    """Write ``tensors`` as one file, or as shards of at most ``shard_bytes`` with an index. Bytes are kept as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    remove_temporary(folder)  # shards that a killed save left
    shards = _shards(tensors, shard_bytes)
    single = len(shards) == 1
    weight_map, written = {}, set()
    for number, names in enumerate(shards, 1):
        name = f"{stem}.safetensors" if single else f"{stem}-{number:05d}-of-{len(shards):05d}.safetensors"
        write_tensors(folder / name, {n: tensors[n] for n in names}, {"format": "pt"})
        weight_map.update(dict.fromkeys(names, name))
        written.add(name)
    if not single:
        total = sum(t.numel() * t.element_size() for t in tensors.values())
        index = {"metadata": {"total_size": total}, "weight_map": weight_map}
        write_json(folder / f"{stem}.safetensors.index.json", index)
        written.add(f"{stem}.safetensors.index.json")
    _remove_old(folder, stem, written)


def write_tensors(path: Path, tensors: Mapping[str, Tensor], metadata: dict[str, str]) -> None:
    """One safetensors file, whole or not there, readable by whom the umask lets (the library says 0600)."""
    with replaced(path, durable=False) as temporary:
        temporary.touch()
        mode = temporary.stat().st_mode
        save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, temporary, metadata)
        temporary.chmod(mode)


def _remove_old(folder: Path, stem: str, keep: set[str]) -> None:
    """Files of an earlier save with other shards would be loaded instead of, or beside, the new ones."""
    old = re.compile(re.escape(stem) + r"(-\d{5}-of-\d{5})?\.safetensors(\.index\.json)?")
    for path in folder.iterdir():
        if old.fullmatch(path.name) and path.name not in keep:
            path.unlink()


def _shards(tensors: Mapping[str, Tensor], limit: int) -> list[list[str]]:
    return portions(tensors, lambda name: tensors[name].numel() * tensors[name].element_size(), limit)


def _checked(path: Path, key: str, value: Any, default: Any) -> Any:
    if isinstance(default, tuple):
        if not isinstance(value, list):
            raise UserError(f"{path}: {key} is {value!r}; a list is needed")
        return tuple(_checked(path, f"{key}[{i}]", v, default[0]) if default else v for i, v in enumerate(value))
    allowed = (int, float) if type(default) is float else (type(default),)
    if default is not dataclasses.MISSING and type(value) not in allowed:
        raise UserError(f"{path}: {key} is {value!r}; {type(default).__name__} is needed")
    if isinstance(value, float) and not math.isfinite(value):
        raise UserError(f"{path}: {key} is {value}; a finite number is needed")
    return value
