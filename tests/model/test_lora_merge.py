"""LoRA merged into a model: diffusers draws the same picture from the same file, and the commands take it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from configs import UserError
from model import QwenImage
from model.checkpoint import load_transformer
from model.lora_files import LORA_FORMS, LoraForm, LoraPair, linear_shapes, write_lora
from model.lora_merge import lora_file, merge_lora
from model.mmdit import MMDiT
from model.quantized import quantize_blocks
from tests.model.folders import picture_error, random_folder
from tests.model.reference import SMALL
from tests.model.test_commands import run

STEPS, SIZE = 4, 32


def strong_lora(seed: int = 0) -> dict[str, LoraPair]:
    """On every kind of linear of a block; alpha is not the rank."""
    generator = torch.Generator().manual_seed(seed)
    return {
        name: LoraPair(
            0.3 * torch.randn(3, n_in, generator=generator), 0.3 * torch.randn(n_out, 3, generator=generator), 6.0
        )
        for name, (n_out, n_in) in linear_shapes(load_transformer(random_folder())).items()
        if name.startswith("transformer_blocks.")
    }


@pytest.fixture
def files(tmp_path: Path) -> dict[LoraForm, Path]:
    paths = {form: tmp_path / f"{form}.safetensors" for form in LORA_FORMS}
    for form, path in paths.items():
        write_lora(path, strong_lora(), form)
    return paths


def draw(*loras: tuple[Path, float]) -> torch.Tensor:
    model = QwenImage.load(random_folder(), loras=loras)
    return model.sample_tensor("a cat", SIZE, SIZE, steps=STEPS, seed=1)[0]


def diffusers_picture(path: Path, weight: float) -> torch.Tensor:
    from diffusers import QwenImagePipeline

    pipeline: Any = QwenImagePipeline.from_pretrained(random_folder())
    pipeline.set_progress_bar_config(disable=True)
    pipeline.load_lora_weights(path.parent, weight_name=path.name, adapter_name="x")
    pipeline.set_adapters(["x"], [weight])
    generator = torch.Generator().manual_seed(1)
    call: Any = pipeline(
        "a cat", negative_prompt=" ", true_cfg_scale=4.0, height=SIZE, width=SIZE, num_inference_steps=STEPS,
        generator=generator, output_type="pt",
    )  # fmt: skip
    return call.images[0]


@pytest.mark.parametrize("form", LORA_FORMS)
def test_diffusers_draws_the_same_picture_from_the_file(files: dict[LoraForm, Path], form: LoraForm) -> None:
    ours, plain = draw((files[form], 0.5)), draw()
    assert (ours - plain).abs().max() > 0.05
    assert (ours - diffusers_picture(files[form], 0.5)).abs().max() <= picture_error(STEPS)


def test_several_files_add_up_and_a_weight_scales(tmp_path: Path) -> None:
    once, twice = load_transformer(random_folder()), load_transformer(random_folder())
    merge_lora(once, strong_lora(0), 0.5)
    merge_lora(once, strong_lora(0), 0.5)
    merge_lora(twice, strong_lora(0))
    for (name, a), b in zip(once.named_parameters(), twice.parameters(), strict=True):
        assert torch.allclose(a, b, rtol=1e-5, atol=1e-6), name


def test_a_folder_is_merged_and_sampled_on_the_command_line(tmp_path: Path, files: dict[LoraForm, Path]) -> None:
    words = ["--prompt", "a cat", "--width", SIZE, "--height", SIZE, "--steps", "2"]
    two = ["--lora", f"{files['comfyui']}:0.5", "--lora", files["diffusers"]]
    assert run("merge", random_folder(), tmp_path / "merged", *two) == 0
    assert run("sample", tmp_path / "merged", *map(str, words), "--out", tmp_path / "a.png") == 0
    assert run("sample", random_folder(), *map(str, words), *two, "--out", tmp_path / "b.png") == 0
    with Image.open(tmp_path / "a.png") as a, Image.open(tmp_path / "b.png") as b:
        assert a.tobytes() == b.tobytes()
        assert "lora" not in a.text
        assert [part.partition(":")[2] for part in b.text["lora"].split()] == ["0.5", "1"]


def test_bad_arguments_are_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    huge = tmp_path / "huge.safetensors"
    write_lora(huge, strong_lora(), "comfyui")
    for arguments, message in (
        (["merge", random_folder(), tmp_path / "out"], "nothing to merge"),
        (["merge", random_folder(), tmp_path / "out", "--lora", "x.safetensors"], "x.safetensors: does not exist"),
        (["merge", random_folder(), tmp_path / "out", "--lora", "x.safetensors:y"], "must be a number"),
        (["merge", random_folder(), tmp_path / "out", "--lora", "x.safetensors:nan"], "must be a number"),
        (["merge", random_folder(), tmp_path / "out", "--lora", f"{huge}:1e40"], "is not finite with the LoRA merged"),
        (["merge", random_folder(), tmp_path, "--lora", "x.safetensors"], "not empty"),
    ):
        (tmp_path / "something").touch()
        assert run(*arguments) == 2
        assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_file_may_have_a_colon_in_its_name(tmp_path: Path) -> None:
    (tmp_path / "a:1").touch()
    assert lora_file(str(tmp_path / "a:1")) == (tmp_path / "a:1", 1.0)
    assert lora_file("a.safetensors:0.25") == (Path("a.safetensors"), 0.25)


def test_eight_bits_are_not_merged_into() -> None:
    model = MMDiT(SMALL)
    quantize_blocks(model, "int8")
    pair = LoraPair(torch.zeros(1, 64), torch.zeros(64, 1), 1.0)
    with pytest.raises(UserError, match="is in eight bits"):
        merge_lora(model, {"transformer_blocks.0.attn.to_q": pair})
