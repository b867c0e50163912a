"""Single-file checkpoints: prefixes, fp8 with the scales of several tools, and what is refused."""

from __future__ import annotations

import json
import math
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor

from configs import UserError
from model import QwenImage
from model.checkpoint import check_transformer, load_transformer, save_like, transformer_config
from model.single_file import SingleFile
from tests.model.folders import random_folder
from tests.model.test_checkpoint import edit_json
from tests.model.test_commands import run

Q = "transformer_blocks.0.attn.to_q"
PREFIX = "model.diffusion_model."
FP8 = torch.float8_e4m3fn
Tensors = dict[str, Tensor]


def weights() -> Tensors:
    return {name: p.detach().clone() for name, p in load_transformer(random_folder()).state_dict().items()}


def matrices(tensors: Tensors) -> list[str]:
    return [n for n, t in tensors.items() if n.startswith("transformer_blocks.") and t.ndim == 2]


def scaled(by: str, key: str) -> Tensors:
    """The matrices of the blocks in fp8 with scales: one number each, one a row, or one a row and 16 columns."""
    tensors = weights()
    for name in matrices(tensors):
        weight = tensors[name]
        groups = weight.unflatten(1, (-1, 16)) if by == "columns" else weight
        largest = groups.abs().amax() if by == "number" else groups.abs().amax(dim=-1, keepdim=True)
        scale = largest / 448
        tensors[name] = (groups / scale).reshape(weight.shape).to(FP8)
        tensors[name.removesuffix("weight") + key] = scale
    return tensors


def written(path: Path, tensors: Tensors, prefix: str = "", metadata: dict[str, str] | None = None) -> Path:
    save_file({prefix + name: t.contiguous() for name, t in tensors.items()}, path, metadata)
    return path


@pytest.mark.parametrize("prefix", ["", PREFIX, "diffusion_model."])
def test_a_file_gives_the_weights_of_the_folder(tmp_path: Path, prefix: str) -> None:
    path = written(tmp_path / "x.safetensors", weights(), prefix)
    model = load_transformer(random_folder(), weights=path)
    for name, tensor in weights().items():
        assert torch.equal(model.state_dict()[name], tensor), name


def test_a_file_of_the_whole_pipeline_gives_its_transformer(tmp_path: Path) -> None:
    tensors = {PREFIX + n: t for n, t in weights().items()}
    rest = {"vae.conv1.bias": torch.ones(2), "text_encoders.qwen25_7b.logit_scale": torch.ones(())}
    path = written(tmp_path / "x.safetensors", tensors | rest)
    model = load_transformer(random_folder(), weights=path)
    assert torch.equal(model.proj_out.bias, weights()["proj_out.bias"])


@pytest.mark.parametrize("key", ["scale_weight", "weight_scale"])
@pytest.mark.parametrize("by", ["number", "row", "columns"])
def test_fp8_is_multiplied_by_its_scale(tmp_path: Path, key: str, by: str) -> None:
    tensors = scaled(by, key) | {"scaled_fp8": torch.zeros(2, dtype=FP8)}
    tensors[f"{Q}.scale_input"] = torch.tensor(3.0)
    model = load_transformer(random_folder(), torch.float32, weights=written(tmp_path / "x.safetensors", tensors))
    found, expected = model.state_dict(), weights()
    for name, right in expected.items():
        error = (found[name] - right).abs()
        # e4m3 has three bits behind the point; below its smallest normal number a step is 2^-9 of a scale
        allowed = right.abs() / 16 + (right.abs().max() / 448 * 2**-10 if name in matrices(expected) else 0)
        assert (error <= allowed if name in matrices(expected) else error == 0).all(), name


def test_a_second_scale_and_the_formats_of_comfyui(tmp_path: Path) -> None:
    tensors = scaled("number", "weight_scale")
    tensors[f"{Q}.scale_weight_tensor"] = torch.tensor(2.0)
    form = {"format": "float8_e4m3fn", "full_precision_matrix_mult": True}
    tensors[f"{Q}.comfy_quant"] = torch.tensor(list(json.dumps(form).encode()), dtype=torch.uint8)
    metadata = {"_quantization_metadata": json.dumps({"layers": {Q: form}})}
    path = written(tmp_path / "x.safetensors", tensors, PREFIX, metadata)
    model = load_transformer(random_folder(), torch.float32, weights=path)
    right = weights()[f"{Q}.weight"]
    assert (model.state_dict()[f"{Q}.weight"] / 2 - right).norm() < 0.05 * right.norm()


def test_a_plain_cast_to_fp8_needs_no_scale_and_becomes_bfloat16(tmp_path: Path) -> None:
    path = written(tmp_path / "x.safetensors", {n: t.to(FP8) for n, t in weights().items()})
    model = load_transformer(random_folder(), weights=path)
    assert {p.dtype for p in model.parameters()} == {torch.bfloat16}
    assert torch.equal(model.proj_out.bias, weights()["proj_out.bias"].to(FP8).bfloat16())


def test_pictures_are_those_of_a_folder_with_the_same_numbers(tmp_path: Path) -> None:
    path = written(tmp_path / "x.safetensors", scaled("row", "scale_weight"), PREFIX)
    model = load_transformer(random_folder(), torch.float32, weights=path)
    save_like(random_folder(), tmp_path / "folder", model.state_dict(), model.config)
    draw = {"height": 32, "width": 32, "steps": 2}
    a = QwenImage.load(random_folder(), torch.float32, weights=path).sample_tensor("x", **draw)[0]  # type: ignore[arg-type]
    b = QwenImage.load(tmp_path / "folder").sample_tensor("x", **draw)[0]  # type: ignore[arg-type]
    assert torch.equal(a, b)


def test_the_command_turns_a_file_into_a_folder(tmp_path: Path) -> None:
    path = written(tmp_path / "x.safetensors", weights(), PREFIX)
    assert run("merge", random_folder(), tmp_path / "out", "--weights", path) == 0
    assert torch.equal(load_transformer(tmp_path / "out").proj_out.bias, weights()["proj_out.bias"])


def test_the_sample_command_takes_a_file_and_says_so_in_the_digest(tmp_path: Path) -> None:
    path = written(tmp_path / "x.safetensors", weights(), PREFIX)
    words = ["--prompt", "x", "--width", "32", "--height", "32", "--steps", "1"]
    assert run("sample", random_folder(), *words, "--out", tmp_path / "a.png") == 0
    assert run("sample", random_folder(), *words, "--weights", path, "--out", tmp_path / "b.png") == 0
    with Image.open(tmp_path / "a.png") as a, Image.open(tmp_path / "b.png") as b:
        assert a.tobytes() == b.tobytes()
        assert a.text["model_digest"] != b.text["model_digest"]


def test_the_mark_of_edit_2511_wants_its_folder(tmp_path: Path) -> None:
    path = written(tmp_path / "x.safetensors", weights() | {"__index_timestep_zero__": torch.empty(0)}, PREFIX)
    with pytest.raises(UserError, match="Edit-2511"):
        load_transformer(random_folder(), weights=path)
    folder = shutil.copytree(random_folder(), tmp_path / "copy")
    edit_json(folder / "transformer/config.json", zero_cond_t=True)
    assert load_transformer(folder, weights=path).config.zero_cond_t


def quant(form: object) -> Tensor:
    return torch.tensor(list(json.dumps(form).encode()), dtype=torch.uint8)


WRONG: list[tuple[Callable[[Tensors], object], str]] = [
    (lambda t: t.pop(f"{Q}.scale_weight"), f"weight '{Q}.weight' is F8_E4M3 without its scale"),
    (lambda t: t.pop(f"{Q}.weight"), f"holds a scale of '{Q}.weight' but not that weight"),
    (lambda t: t.update({f"{Q}.scale_weight": torch.ones(7)}), r"has shape \[7\] for a weight"),
    (lambda t: t.update({f"{Q}.scale_weight": torch.ones(64, 2, 5)}), r"has shape \[64, 2, 5\] for a weight"),
    (lambda t: t.update({f"{Q}.scale_weight": torch.ones(64, 0, 1)}), r"has shape \[64, 0, 1\] for a weight"),
    (lambda t: t.update({f"{Q}.scale_weight": torch.ones(7, 2, 1)}), r"has shape \[7, 2, 1\] for a weight"),
    (lambda t: t.update({f"{Q}.scale_weight": torch.tensor(0.0)}), f"the scale of '{Q}.weight' holds numbers that"),
    (lambda t: t.update({f"{Q}.scale_weight": torch.tensor(math.nan)}), f"the scale of '{Q}.weight' holds numbers"),
    (
        lambda t: t.update({f"{Q}.scale_weight": torch.tensor(3)}),
        f"the scale of '{Q}.weight' holds numbers that are no",
    ),
    (lambda t: t.update({f"{Q}.weight_scale": torch.tensor(2.0)}), f"weight '{Q}.weight' has a scale under two names"),
    (lambda t: t.update({"proj_out.weight": t["proj_out.weight"].int()}), "weight 'proj_out.weight' is I32"),
    (lambda t: t.update({f"{Q}.weight": t[f"{Q}.weight"].view(torch.uint8)}), f"weight '{Q}.weight' is U8"),
    (lambda t: t.update({f"{Q}.comfy_quant": quant({"format": "nvfp4"})}), f"layer '{Q}' is stored as 'nvfp4'"),
    (lambda t: t.update({f"{Q}.comfy_quant": quant([1])}), f"layer '{Q}' is stored as None"),
    (lambda t: t.update({"double_blocks.0.bias": torch.ones(1)}), "unexpected weight 'double_blocks.0.bias'"),
    (lambda t: t.pop("proj_out.bias"), "1 weights are missing"),
    (lambda t: t.update({"proj_out.bias": torch.ones(3)}), "'proj_out.bias' has shape"),
]


@pytest.mark.parametrize(("damage", "message"), WRONG, ids=[m for _, m in WRONG])
def test_what_does_not_fit_is_one_line(tmp_path: Path, damage: Callable[[Tensors], object], message: str) -> None:
    """And is told by the headers and scales alone, before anything is loaded."""
    tensors = scaled("row", "scale_weight")
    damage(tensors)
    path = written(tmp_path / "x.safetensors", tensors)
    with pytest.raises(UserError, match=message) as caught:
        check_transformer(transformer_config(random_folder()), random_folder(), path)
    assert "\n" not in str(caught.value)
    with pytest.raises(UserError, match=message):
        load_transformer(random_folder(), torch.float32, weights=path)


def test_files_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        SingleFile(tmp_path / "x.safetensors")
    (tmp_path / "x.gguf").write_bytes(b"GGUF" * 9)
    with pytest.raises(UserError, match="not a whole safetensors file"):
        SingleFile(tmp_path / "x.gguf")
    path = written(tmp_path / "y.safetensors", {PREFIX + "a": torch.ones(1), "lora.b": torch.ones(1)})
    with pytest.raises(UserError, match=r"'lora.b' belongs to no part"):
        SingleFile(path)
