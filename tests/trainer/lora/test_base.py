"""A base read as LoRA wants it: dtypes by precision, a single file in its place, a LoRA file to go on from."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from configs import UserError
from model.checkpoint import load_transformer
from model.lora_files import write_lora
from model.lora_merge import export_lora
from model.quantized import EightBitLinear
from tests.model.folders import random_folder
from tests.model.reference import batch, difference, run_ours
from trainer.lora.adapters import lora_state
from trainer.lora.base import check_lora, open_lora
from trainer.lora.config import LoraConfig

TEXTS, IMAGES = [3], [[(4, 4)]]
BF16 = torch.bfloat16


@pytest.mark.parametrize(
    ("base_dtype", "product", "outside", "inside"),
    [
        ("bf16", BF16, BF16, BF16),
        ("bf16", None, torch.float32, torch.float32),
        ("fp32", BF16, torch.float32, torch.float32),
        ("int8", BF16, BF16, torch.int8),
        ("fp8", None, torch.float32, torch.float8_e4m3fn),
    ],
)
def test_dtypes_follow_the_base_and_the_products(
    base_dtype: str, product: torch.dtype | None, outside: torch.dtype, inside: torch.dtype
) -> None:
    config = LoraConfig(rank=2, base_dtype=base_dtype)  # type: ignore[arg-type]
    model = open_lora(random_folder(), config, 0, product)
    right = load_transformer(random_folder())
    linear = model.get_submodule("transformer_blocks.0.attn.to_q").base_layer
    assert model.img_in.weight.dtype == outside
    assert linear.weight.dtype == inside
    assert isinstance(linear, EightBitLinear) == (base_dtype in ("int8", "fp8"))
    assert {p.dtype for p in model.parameters() if p.requires_grad} == {torch.float32}
    inputs = batch(right.config, TEXTS, IMAGES)
    with torch.autocast("cpu", product, enabled=product is not None):
        out = run_ours(model, inputs, TEXTS, IMAGES).float()
    assert difference(out, run_ours(right, inputs, TEXTS, IMAGES)) < 0.1
    out.square().mean().backward()


def test_a_single_file_takes_the_place_of_the_base(tmp_path: Path) -> None:
    state = {f"model.diffusion_model.{n}": t + 1 for n, t in load_transformer(random_folder()).state_dict().items()}
    save_file(state, tmp_path / "x.safetensors")
    model = open_lora(random_folder(), LoraConfig(rank=2), 0, None, weights=tmp_path / "x.safetensors")
    assert torch.equal(model.proj_out.bias, state["model.diffusion_model.proj_out.bias"])


def test_training_goes_on_from_a_file_and_ends_in_one(tmp_path: Path) -> None:
    config = LoraConfig(rank=2, alpha=3)
    model = open_lora(random_folder(), config, 0, None)
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.requires_grad:
                parameter += 0.1 * torch.randn_like(parameter)
    export_lora(random_folder(), tmp_path / "export", lora_state(model))
    export_lora(random_folder(), tmp_path / "merged", lora_state(model), merge=True)
    inputs = batch(model.config, TEXTS, IMAGES)
    right = run_ours(model, inputs, TEXTS, IMAGES)
    for name in ("lora.safetensors", "lora-comfyui.safetensors"):
        again = open_lora(random_folder(), config, 7, None, start=tmp_path / "export" / name)
        assert difference(run_ours(again, inputs, TEXTS, IMAGES), right) < 1e-5
    merged = load_transformer(tmp_path / "merged")
    assert difference(run_ours(merged, inputs, TEXTS, IMAGES), right) < 1e-5


def test_what_does_not_fit_is_told_before_weights_are_read(tmp_path: Path) -> None:
    lora = check_lora(random_folder(), LoraConfig(rank=2), 0)
    write_lora(tmp_path / "x.safetensors", lora, "comfyui")
    assert check_lora(random_folder(), LoraConfig(rank=2), 1, tmp_path / "x.safetensors").keys() == lora.keys()
    for config, start, message in (
        (LoraConfig(rank=4), tmp_path / "x.safetensors", "field 'lora.rank'"),
        (LoraConfig(targets=("qkv",)), None, "field 'lora.targets'"),
        (LoraConfig(), tmp_path / "nowhere", "does not exist"),
    ):
        with pytest.raises(UserError, match=message):
            open_lora(random_folder(), config, 0, None, weights=tmp_path / "not read", start=start)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"rank": 0}, "field 'rank': must be at least 1"),
        ({"alpha": 0.0}, "field 'alpha': must be above 0"),
        ({"dropout": 1.0}, "field 'dropout': must be within"),
        ({"targets": ()}, "field 'targets': at least one"),
    ],
)
def test_a_config_that_cannot_be_is_refused(fields: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LoraConfig(**fields)  # type: ignore[arg-type]
