"""Folders in diffusers' layout: bytes come back, shards work, what does not fit is named."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from configs import UserError
from model import QwenImage
from model.checkpoint import load_schedule, load_transformer, save_like, save_transformer
from model.export import export
from model.files import iterate_tensors, save_weights
from model.mmdit import MMDiT, MMDiTConfig
from model.references import image_processor
from tests.model.folders import config, fresh_folder, random_folder


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of the folder that a test may damage."""
    return Path(shutil.copytree(random_folder(), tmp_path / "copy"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_round_trip_changes_no_byte(tmp_path: Path, dtype: torch.dtype) -> None:
    model = load_transformer(random_folder(), dtype)
    save_transformer(model.state_dict(), model.config, tmp_path / "a")
    again = load_transformer(tmp_path / "a")
    save_transformer(again.state_dict(), again.config, tmp_path / "b", shard_bytes=100_000)
    assert len(list((tmp_path / "b").glob("*.safetensors"))) > 3
    first, last = dict(iterate_tensors(tmp_path / "a")), dict(iterate_tensors(tmp_path / "b"))
    assert first.keys() == last.keys()
    assert all(t.dtype == dtype and torch.equal(t, last[name]) for name, t in first.items())
    assert {p.dtype for p in load_transformer(tmp_path / "b").parameters()} == {dtype}


def test_diffusers_loads_the_shards_with_the_same_bytes(tmp_path: Path) -> None:
    from diffusers import QwenImageTransformer2DModel

    model = load_transformer(random_folder())
    save_transformer(model.state_dict(), model.config, tmp_path / "ours", shard_bytes=100_000)
    theirs = QwenImageTransformer2DModel.from_pretrained(tmp_path / "ours")
    theirs.save_pretrained(tmp_path / "theirs")
    back = load_transformer(tmp_path / "theirs")
    assert back.config == model.config
    for name, tensor in model.state_dict().items():
        assert torch.equal(tensor, theirs.state_dict()[name]), name
        assert torch.equal(tensor, back.state_dict()[name]), name


def test_saving_fewer_shards_leaves_no_old_ones_behind(tmp_path: Path) -> None:
    tensors = {f"t{i}": torch.randn(100) for i in range(4)}
    save_weights(tensors, tmp_path, shard_bytes=400)
    assert len(list(tmp_path.iterdir())) == 5
    save_weights(tensors, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["diffusion_pytorch_model.safetensors"]


def test_loaded_weights_keep_what_is_frozen() -> None:
    model = load_transformer(random_folder())
    frozen = {n for n, p in model.named_parameters() if not p.requires_grad}
    assert frozen
    assert all(n.startswith("transformer_blocks.1.") for n in frozen)
    assert not any(p.is_meta for p in model.parameters())


def test_modulation_and_output_start_at_zero_and_nothing_else() -> None:
    model = load_transformer(fresh_folder())
    zero = {n for n, p in model.named_parameters() if not p.any()}
    expected = {n for n, _ in model.named_parameters() if "_mod.1." in n or n.startswith(("norm_out.", "proj_out."))}
    assert zero == expected


def edit_json(path: Path, **fields: Any) -> None:
    tree = json.loads(path.read_text())
    path.write_text(json.dumps({k: v for k, v in {**tree, **fields}.items() if v != "REMOVE"}))


def edit_weights(path: Path, edit: Callable[[dict[str, torch.Tensor]], None]) -> None:
    tensors = load_file(path)
    edit(tensors)
    save_file(tensors, path)


def name_files(weights: Path, weight_map: Any) -> None:
    weights.with_name(weights.name + ".index.json").write_text(json.dumps({"weight_map": weight_map}))


TEXT, NORM = "text_encoder/model.safetensors", "model.norm.weight"
VAE, Q = "vae/diffusion_pytorch_model.safetensors", "quant_conv.bias"
B = "proj_out.bias"
WEIGHTS = "transformer/diffusion_pytorch_model.safetensors"
DAMAGE: list[tuple[Callable[[Path], Any], str]] = [
    (lambda f: edit_json(f / "transformer/config.json", _class_name="FluxTransformer2DModel"), "only QwenImage"),
    (lambda f: edit_json(f / "transformer/config.json", use_layer3d_rope=True), "use_layer3d_rope is True"),
    (lambda f: edit_json(f / "transformer/config.json", num_layers="two"), "num_layers is 'two'"),
    (lambda f: edit_json(f / "transformer/config.json", axes_dims_rope=[2, 2, 2]), "axes_dims_rope"),
    (lambda f: edit_json(f / "transformer/config.json", num_layers=1), "unexpected weight 'transformer_blocks.1"),
    (lambda f: edit_json(f / "transformer/config.json", in_channels=32), r"'img_in.weight' has shape \[64, 64\]"),
    (lambda f: edit_weights(f / WEIGHTS, lambda t: t.pop("proj_out.bias")), "1 weights are missing.*proj_out.bias"),
    (lambda f: edit_weights(f / WEIGHTS, lambda t: t.update(x=t[B].clone())), "unexpected weight 'x'"),
    (lambda f: edit_weights(f / WEIGHTS, lambda t: t.update({B: t[B].int()})), "'proj_out.bias' is torch.int32"),
    (lambda f: edit_weights(f / WEIGHTS, lambda t: t.update({B: t[B].half()})), "torch.float16 and torch.float32"),
    (lambda f: edit_json(f / "transformer/config.json", axes_dims_rope=["a", 1, 2]), r"axes_dims_rope\[0\] is 'a'"),
    (lambda f: edit_json(f / "transformer/config.json", patch_size=0), "patch_size is 0"),
    (lambda f: edit_json(f / "vae/config.json", latents_std=["a"] * 16), r"latents_std\[0\] is 'a'"),
    (lambda f: edit_json(f / "scheduler/scheduler_config.json", max_shift="a"), "max_shift is 'a'; a number"),
    (lambda f: edit_json(f / "text_encoder/config.json", model_type="llama"), "model_type is 'llama'"),
    (lambda f: (f / TEXT).unlink(), "text_encoder: has neither model.safetensors"),
    (lambda f: (f / TEXT).write_bytes(b"x" * 99), "text_encoder/model.safetensors: not a whole"),
    (lambda f: edit_weights(f / TEXT, lambda t: t.pop(NORM)), "text_encoder: 1 weights are missing.*norm.weight"),
    (lambda f: edit_weights(f / TEXT, lambda t: t.update(x=t[NORM].clone())), "1 weights are unexpected.*'x'"),
    (lambda f: edit_weights(f / TEXT, lambda t: t.update({NORM: t[NORM].int()})), "norm.weight' is torch.int32"),
    (lambda f: edit_json(f / "text_encoder/config.json", text_config=[1]), "cannot be loaded as Qwen2.5-VL"),
    (lambda f: edit_weights(f / WEIGHTS, lambda t: t.update({B: t[B].to(torch.float8_e4m3fn)})), "float8_e4m3fn"),
    (lambda f: edit_weights(f / VAE, lambda t: t.update({Q: t[Q].int()})), "quant_conv.bias' is torch.int32"),
    (
        lambda f: edit_weights(f / VAE, lambda t: t.update({Q: t[Q].half()})),
        "vae: its weights are of torch.float16 and",
    ),
    (lambda f: edit_json(f / "transformer/config.json", axes_dims_rope=[16, 16]), "must be three even numbers"),
    (
        lambda f: edit_json(f / "transformer/config.json", patch_size=1, out_channels=64),
        "patch_size is 1; with the VAE's",
    ),
    (lambda f: edit_json(f / "vae/config.json", latents_std=[math.nan] * 16), r"latents_std\[0\] is nan; a finite"),
    (lambda f: edit_json(f / "vae/config.json", input_channels=4), "input_channels is 4"),
    (lambda f: edit_json(f / "vae/config.json", num_res_blocks=0), "num_res_blocks is 0"),
    (lambda f: edit_json(f / "scheduler/scheduler_config.json", max_shift=math.nan), "max_shift is nan; a number"),
    (lambda f: edit_json(f / "scheduler/scheduler_config.json", base_image_seq_len=8192), "below the second"),
    (lambda f: edit_json(f / "scheduler/scheduler_config.json", shift_terminal=1.0), "shift_terminal is 1.0"),
    (lambda f: name_files(f / WEIGHTS, None), "weight_map is None; names of files"),
    (lambda f: name_files(f / WEIGHTS, ["a"]), "weight_map is .*; names of files"),
    (lambda f: name_files(f / WEIGHTS, {"a": 1}), "weight_map is .*; names of files"),
    (lambda f: (f / "tokenizer/tokenizer.json").write_text("{"), "cannot be loaded as a tokenizer"),
    (lambda f: [p.unlink() for p in (f / "tokenizer").iterdir()], "tokenizer"),
    (lambda f: (f / WEIGHTS).write_bytes(b"x" * 100), "not a whole safetensors file"),
    (lambda f: (f / WEIGHTS).unlink(), "has neither"),
    (lambda f: edit_json(f / "vae/config.json", base_dim=16), "'decoder.conv_in.weight' has shape|has shape"),
    (lambda f: edit_json(f / "vae/config.json", latents_mean=[0.0]), "latents_mean"),
    (lambda f: edit_json(f / "scheduler/scheduler_config.json", max_shift="REMOVE"), "max_shift is missing"),
    (lambda f: edit_json(f / "scheduler/scheduler_config.json", time_shift_type="linear"), "time_shift_type"),
    (lambda f: edit_json(f / "model_index.json", _class_name="FluxPipeline"), "FluxPipeline"),
    (lambda f: (f / "model_index.json").write_text("{"), "not valid JSON"),
    (lambda f: shutil.rmtree(f / "tokenizer"), "tokenizer/ is missing"),
]


@pytest.mark.parametrize(("damage", "message"), DAMAGE, ids=[m for _, m in DAMAGE])
def test_what_does_not_fit_is_one_line(copy: Path, damage: Callable[[Path], Any], message: str) -> None:
    damage(copy)
    with pytest.raises(UserError, match=message) as caught:
        QwenImage.load(copy)
    assert "\n" not in str(caught.value)


def test_an_empty_processor_is_named(tmp_path: Path) -> None:
    (tmp_path / "processor").mkdir()
    with pytest.raises(UserError, match="processor: cannot be loaded"):
        image_processor(tmp_path, config().text_encoder.vision)


def test_schedule_is_read_from_the_folder(copy: Path) -> None:
    edit_json(copy / "scheduler/scheduler_config.json", max_shift=1.0)
    assert load_schedule(copy).max_shift == 1.0
    assert load_schedule(random_folder()) == config().scheduler


def test_export_takes_the_averaged_weights_of_the_newest_step(tmp_path: Path) -> None:
    base = load_transformer(fresh_folder())
    for step, stems in ((1, ("model", "ema")), (2, ("model", "ema")), (3, ("model",))):
        for stem in stems:
            value = step + (0.5 if stem == "ema" else 0)
            state = {n: torch.full_like(t, value) for n, t in base.state_dict().items()}
            save_weights(state, tmp_path / "fit" / "checkpoints" / f"step-{step:06d}", stem, shard_bytes=200_000)
        (tmp_path / "fit" / "checkpoints" / f"step-{step:06d}" / "base.json").write_text(
            json.dumps({"base": str(fresh_folder())})
        )
    export(tmp_path / "fit" / "checkpoints" / "step-000002", tmp_path / "two")
    assert load_transformer(tmp_path / "two").proj_out.bias[0] == 2.5
    export(tmp_path / "fit", tmp_path / "newest")
    assert load_transformer(tmp_path / "newest").proj_out.bias[0] == 3
    assert QwenImage.load(tmp_path / "newest").schedule == config().scheduler
    with pytest.raises(UserError, match="not empty"):
        export(tmp_path / "fit", tmp_path / "newest")
    with pytest.raises(UserError, match="has neither base"):
        export(tmp_path / "two", tmp_path / "three")


def test_a_folder_is_not_saved_like_itself(copy: Path) -> None:
    model = load_transformer(copy)
    with pytest.raises(UserError, match="name another one"):
        save_like(copy, copy / ".", model.state_dict(), model.config)
    assert QwenImage.load(copy)


def test_saving_like_a_base_copies_the_other_parts(tmp_path: Path) -> None:
    model = load_transformer(random_folder())
    save_like(random_folder(), tmp_path / "out", model.state_dict(), model.config)
    files = {p.relative_to(random_folder()) for p in random_folder().rglob("*") if p.is_file()}
    assert files == {p.relative_to(tmp_path / "out") for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert all((random_folder() / f).read_bytes() == (tmp_path / "out" / f).read_bytes() for f in files)


LOAD = """
import sys
from pathlib import Path
from model.checkpoint import load_transformer

def peak():
    return next(int(l.split()[1]) for l in Path("/proc/self/status").read_text().splitlines() if l.startswith("VmHWM"))

load_transformer(sys.argv[1])  # what the first call imports and allocates
before = peak()
model = load_transformer(sys.argv[2])
print((peak() - before) * 1024, sum(p.nbytes for p in model.parameters()))
"""


def test_loading_makes_no_second_copy(tmp_path: Path) -> None:
    large = MMDiTConfig(num_layers=6, num_attention_heads=4, joint_attention_dim=64)
    model = MMDiT(large)
    save_transformer(model.state_dict(), large, tmp_path, shard_bytes=100 * 2**20)
    arguments = [sys.executable, "-c", LOAD, str(random_folder()), str(tmp_path)]
    out = subprocess.run(arguments, capture_output=True, text=True, check=True).stdout.split()
    grown, size = int(out[0]), int(out[1])
    assert size > 200 * 2**20
    assert grown < 1.15 * size
