"""A base read as LoRA wants it: dtypes by precision, a single file in its place, a LoRA file to go on from."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch.utils.checkpoint import checkpoint

from configs import UserError
from model import QwenImage
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
    for enabled in {False, product is not None}:
        with torch.autocast("cpu", product, enabled=enabled):
            out = run_ours(model, inputs, TEXTS, IMAGES).float()
        assert difference(out, run_ours(right, inputs, TEXTS, IMAGES)) < 0.1
        out.square().mean().backward()
    assert all(p.grad.dtype == torch.float32 for p in model.parameters() if p.grad is not None)


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


@pytest.mark.parametrize("base_dtype", ["int8", "fp8"])
def test_pictures_are_sampled_while_it_trains(base_dtype: str) -> None:
    """Without autocast, as the sampler runs: bfloat16 outside the blocks, eight bits inside, fp32 adapters."""
    parts = QwenImage.load(random_folder())
    right = parts.sample_tensor("x", 32, 32, steps=2)[0]
    for product in (None, BF16):
        parts.transformer = open_lora(random_folder(), LoraConfig(rank=2, base_dtype=base_dtype), 0, product).eval()  # type: ignore[arg-type]
        picture = parts.sample_tensor("x", 32, 32, steps=2)[0]
        assert (picture - right).abs().mean() < 0.05


def test_recomputed_blocks_give_the_same_gradients() -> None:
    gradients = []
    for recomputed in (False, True):
        model = open_lora(random_folder(), LoraConfig(rank=2, base_dtype="int8"), 0, None)
        for block in model.transformer_blocks if recomputed else ():
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)  # type: ignore[method-assign]
        torch.manual_seed(0)
        run_ours(model, batch(model.config, TEXTS, IMAGES), TEXTS, IMAGES).square().mean().backward()
        gradients.append([p.grad for p in model.parameters() if p.requires_grad])
    assert all(torch.equal(a, b) for a, b in zip(*gradients, strict=True))  # type: ignore[arg-type]


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
