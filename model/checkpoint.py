"""A whole model as a folder in diffusers' layout, which ``diffusers.QwenImagePipeline`` loads too.

    OUT/model_index.json
    OUT/transformer/   config.json, diffusion_pytorch_model*.safetensors    MMDiT
    OUT/vae/           config.json, diffusion_pytorch_model*.safetensors    3-D form
    OUT/text_encoder/  as transformers saves it
    OUT/tokenizer/     as transformers saves it
    OUT/processor/     edit pipelines: image processor and tokenizer, as transformers saves them
    OUT/scheduler/     scheduler_config.json

``model_index.json`` is written last: a folder without it is not finished.
"""

from __future__ import annotations

import dataclasses
import math
import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import get_args

import torch
from torch import Tensor

from configs import UserError
from configs.files import filled
from model.config import Pipeline
from model.files import (
    SHARD_BYTES,
    check_shapes,
    check_weights,
    checked,
    fill,
    iterate_slices,
    iterate_tensors,
    read_config,
    read_json,
    save_weights,
    write_config,
    write_json,
)
from model.mmdit import MMDiT, MMDiTConfig
from model.quantized import EIGHT_BITS, EightBit, quantize_blocks
from model.schedule import ScheduleConfig
from model.single_file import SingleFile
from model.templates import Style

_TRANSFORMER_CLASS = "QwenImageTransformer2DModel"
_SCHEDULER_CLASS = "FlowMatchEulerDiscreteScheduler"
INDEX = {
    "_diffusers_version": "0.42.1",
    "scheduler": ["diffusers", _SCHEDULER_CLASS],
    "text_encoder": ["transformers", "Qwen2_5_VLForConditionalGeneration"],
    "tokenizer": ["transformers", "Qwen2Tokenizer"],
    "transformer": ["diffusers", _TRANSFORMER_CLASS],
    "vae": ["diffusers", "AutoencoderKLQwenImage"],
}
_PARTS = ("scheduler", "text_encoder", "tokenizer", "transformer", "vae")
_PROCESSOR = ["transformers", "Qwen2VLProcessor"]
# Fields of scheduler_config.json that have one right value for this family.
_FIXED_SCHEDULE = {
    "num_train_timesteps": 1000,
    "use_dynamic_shifting": True,
    "time_shift_type": "exponential",
    "invert_sigmas": False,
    "stochastic_sampling": False,
    "use_karras_sigmas": False,
    "use_exponential_sigmas": False,
    "use_beta_sigmas": False,
    "shift": 1.0,
}


def check_folder(folder: str | Path) -> Path:
    """The folder as a Path; UserError unless it is a finished pipeline folder of this family with all parts."""
    folder = Path(folder)
    if not (folder / "model_index.json").is_file():
        raise UserError(f"{folder}: has no model_index.json; a diffusers folder of Qwen-Image is needed")
    pipeline_of(folder)
    missing = [part for part in _PARTS if not (folder / part).is_dir()]
    if missing:
        raise UserError(f"{folder}: the folder {missing[0]}/ is missing")
    return folder


def reference_style(folder: Path) -> Style:
    """How the folder's pipeline announces reference pictures."""
    return style_of(pipeline_of(folder))


def style_of(pipeline: str) -> Style:
    """How a pipeline announces reference pictures; a text-to-image one as EditPlus does."""
    return "single" if pipeline == "QwenImageEditPipeline" else "multi"


def pipeline_of(folder: Path) -> str:
    """Class name of the folder's pipeline. UserError for one that is not of this family."""
    found = read_json(folder / "model_index.json").get("_class_name")
    if found not in get_args(Pipeline):
        known = ", ".join(get_args(Pipeline))
        raise UserError(f"{folder}: model_index.json says {found!r}; one of {known} is needed")
    return str(found)


def transformer_config(folder: str | Path) -> MMDiTConfig:
    """Of a pipeline folder."""
    return read_config(Path(folder) / "transformer" / "config.json", MMDiTConfig, _TRANSFORMER_CLASS)


def load_transformer(
    folder: str | Path,
    dtype: torch.dtype | None = None,
    device: torch.device | str = "cpu",
    weights: str | Path | None = None,
    base_dtype: EightBit | None = None,
) -> MMDiT:
    """The MMDiT of a pipeline folder (or of its ``transformer/``), filled from meta without a second copy.

    ``weights``: a single file (``single_file.py``) in place of the folder's own. ``base_dtype``: the blocks' linears
    in eight bits and everything frozen; each weight is quantized as it is read. Raises UserError for what does not fit.
    """
    folder = Path(folder)
    folder = folder if (folder / "config.json").is_file() else folder / "transformer"
    config = read_config(folder / "config.json", MMDiTConfig, _TRANSFORMER_CLASS)
    with torch.device("meta"):
        model = MMDiT(config)
    if base_dtype:
        quantize_blocks(model, base_dtype)
    if weights is None:
        where, tensors = folder, iterate_tensors(folder)
    else:
        where, tensors = Path(weights), _single_file(weights, config, folder).tensors(dtype)
    if base_dtype:  # a bias that is read as it stands keeps the whole file mapped, matrices and all
        tensors = ((name, tensor.clone()) for name, tensor in tensors)
    fill(model, tensors, where, dtype, device)
    stored = {p.dtype for p in model.parameters() if p.dtype not in EIGHT_BITS}
    if len(stored) > 1:
        raise UserError(f"{where}: its weights are of {' and '.join(sorted(map(str, stored)))}; name one dtype")
    return model


def iterate_transformer(
    folder: Path,
    weights: str | Path | None,
    expected: Mapping[str, Sequence[int]],
    slices: Callable[[str], tuple[slice, ...]],
    dtype: torch.dtype,
) -> Iterator[tuple[str, Tensor]]:
    """(name, its part under ``slices(name)``) of every weight that ``load_transformer`` would take.

    Of a pipeline ``folder`` the rest is not read; a single file's weights are read one after the other, in ``dtype``,
    because a part may need the scale of the whole. ``expected``: whole shapes by name. UserError as there.
    """
    if weights is None:
        yield from iterate_slices(folder / "transformer", expected, slices)
        return
    tensors = _single_file(weights, transformer_config(folder), folder).tensors(dtype)
    for name, tensor in checked(tensors, expected, Path(weights)):
        yield name, tensor[slices(name)]


def check_transformer(config: MMDiTConfig, folder: Path, weights: str | Path | None = None) -> None:
    """Raise UserError where ``load_transformer`` would not find the weights it needs; reads headers alone."""
    with torch.device("meta"):
        expected = {name: parameter.shape for name, parameter in MMDiT(config).named_parameters()}
    if weights is None:
        check_weights(folder / "transformer", expected)
    else:
        check_shapes(_single_file(weights, config, folder).shapes(), expected, Path(weights))


def _single_file(weights: str | Path, config: MMDiTConfig, folder: Path) -> SingleFile:
    file = SingleFile(weights)
    if file.zero_cond_t and not config.zero_cond_t:
        raise UserError(
            f"{weights}: is marked as an Edit-2511 model, which {folder} is not (zero_cond_t); name a folder of Edit-2511"
        )
    return file


def save_transformer(
    state: Mapping[str, Tensor], config: MMDiTConfig, folder: str | Path, shard_bytes: int = SHARD_BYTES
) -> None:
    """Write ``transformer/`` of a pipeline: ``folder`` itself gets config.json and the weights."""
    folder = Path(folder)
    write_config(folder / "config.json", config, _TRANSFORMER_CLASS, guidance_embeds=False)
    save_weights(state, folder, shard_bytes=shard_bytes)


def load_schedule(folder: str | Path) -> ScheduleConfig:
    """Of a pipeline folder; UserError for a schedule of another kind."""
    path = Path(folder) / "scheduler" / "scheduler_config.json"
    tree = read_json(path)
    if tree.get("_class_name") != _SCHEDULER_CLASS:
        raise UserError(f"{path}: _class_name is {tree.get('_class_name')!r}; {_SCHEDULER_CLASS} is needed")
    for key, right in _FIXED_SCHEDULE.items():
        if key in tree and tree[key] != right:
            raise UserError(f"{path}: {key} is {tree[key]!r}; Qwen-Image's schedule has {right!r}")
    names = [f.name for f in dataclasses.fields(ScheduleConfig)]
    missing = [name for name in names if name not in tree]
    if missing:  # diffusers would fill in FLUX's values, which are wrong here
        raise UserError(f"{path}: {missing[0]} is missing")
    wrong = [name for name in names if type(tree[name]) not in (int, float) or not math.isfinite(tree[name])]
    if wrong:
        raise UserError(f"{path}: {wrong[0]} is {tree[wrong[0]]!r}; a number is needed")
    try:
        return ScheduleConfig(**{name: tree[name] for name in names})
    except ValueError as error:
        raise UserError(f"{path}: {error}") from None


def save_schedule(config: ScheduleConfig, folder: str | Path) -> None:
    write_config(Path(folder) / "scheduler" / "scheduler_config.json", config, _SCHEDULER_CLASS, **_FIXED_SCHEDULE)


def write_index(folder: str | Path, pipeline: Pipeline) -> None:
    more = {} if pipeline == "QwenImagePipeline" else {"processor": _PROCESSOR}
    write_json(Path(folder) / "model_index.json", {"_class_name": pipeline, **INDEX, **more})


def save_like(
    base: str | Path,
    out: str | Path,
    state: Mapping[str, Tensor],
    config: MMDiTConfig,
    shard_bytes: int = SHARD_BYTES,
) -> None:
    """A pipeline folder with new transformer weights ``state`` and everything else copied from ``base``."""
    base, out = check_folder(base), Path(out)
    if out.resolve() == base.resolve():
        raise UserError(f"{out}: is the folder that the other parts come from; name another one")
    with filled(out):
        (out / "model_index.json").unlink(missing_ok=True)
        for part in (*_PARTS, "processor"):
            if part != "transformer" and (base / part).is_dir():
                shutil.copytree(base / part, out / part, dirs_exist_ok=True)
        save_transformer(state, config, out / "transformer", shard_bytes)
        write_json(out / "model_index.json", read_json(base / "model_index.json"))
