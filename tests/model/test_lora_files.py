"""LoRA files: every form that is about is read as the same update, and what is none is one line."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from configs import UserError
from model.lora_files import LORA_FORMS, LoraForm, LoraPair, linear_shapes, read_lora, write_lora
from model.mmdit import MMDiT
from tests.model.reference import SMALL

Q, OUT, UP = (
    "transformer_blocks.0.attn.to_q",
    "transformer_blocks.1.attn.to_out.0",
    "transformer_blocks.0.img_mlp.net.0.proj",
)
RANK, ALPHA = 4, 6.0
SHAPES = linear_shapes(MMDiT(SMALL))


def some_lora(alpha: float = ALPHA) -> dict[str, LoraPair]:
    generator = torch.Generator().manual_seed(3)
    return {
        name: LoraPair(
            torch.randn(RANK, SHAPES[name][1], generator=generator),
            torch.randn(SHAPES[name][0], RANK, generator=generator),
            alpha,
        )
        for name in sorted((Q, OUT, UP))
    }


def same(a: dict[str, LoraPair], b: dict[str, LoraPair]) -> bool:
    return a.keys() == b.keys() and all(torch.allclose(a[n].delta(), b[n].delta(), rtol=1e-6, atol=1e-6) for n in a)


@pytest.mark.parametrize("form", LORA_FORMS)
def test_what_is_written_is_read_back(tmp_path: Path, form: LoraForm) -> None:
    write_lora(tmp_path / "a.safetensors", some_lora(), form)
    assert same(read_lora(tmp_path / "a.safetensors", SHAPES), some_lora())


def test_the_names_of_both_forms(tmp_path: Path) -> None:
    write_lora(tmp_path / "d.safetensors", some_lora(), "diffusers")
    write_lora(tmp_path / "c.safetensors", some_lora(), "comfyui")
    diffusers, comfyui = load_file(tmp_path / "d.safetensors"), load_file(tmp_path / "c.safetensors")
    assert set(diffusers) == {f"transformer.{n}.lora_{x}.weight" for n in (Q, OUT, UP) for x in "AB"}
    endings = ("lora_down.weight", "lora_up.weight", "alpha")
    assert set(comfyui) == {f"diffusion_model.{n}.{e}" for n in (Q, OUT, UP) for e in endings}
    assert comfyui[f"diffusion_model.{Q}.alpha"] == ALPHA


def flat(name: str) -> str:
    return name.replace(".", "_")


FORMS: dict[str, tuple[Callable[[str], str], tuple[str, str], bool]] = {
    "kohya": (lambda n: f"lora_unet_{flat(n)}", ("lora_down.weight", "lora_up.weight"), True),
    "lycoris": (lambda n: f"lycoris_{flat(n)}", ("lora_down.weight", "lora_up.weight"), True),
    "comfyui with A and B": (lambda n: f"diffusion_model.{n}", ("lora_A.weight", "lora_B.weight"), True),
    "diffsynth": (lambda n: n, ("lora_A.default.weight", "lora_B.default.weight"), False),
    "peft": (lambda n: f"base_model.model.{n}", ("lora_A.weight", "lora_B.weight"), False),
}


@pytest.mark.parametrize("form", FORMS)
def test_other_trainers_forms_are_read(tmp_path: Path, form: str) -> None:
    name, (down, up), has_alpha = FORMS[form]
    lora = some_lora(ALPHA if has_alpha else RANK)
    tensors: dict[str, Tensor] = {}
    for key, pair in lora.items():
        tensors |= {f"{name(key)}.{down}": pair.down, f"{name(key)}.{up}": pair.up}
        if has_alpha:
            tensors[f"{name(key)}.alpha"] = torch.tensor(pair.alpha)
    save_file(tensors, tmp_path / "x.safetensors")
    assert same(read_lora(tmp_path / "x.safetensors", SHAPES), lora)


@pytest.mark.parametrize(("more", "alpha"), [({}, 8.0), ({"use_rslora": True}, 16.0), ({"alpha_pattern": {Q: 2}}, 2.0)])
def test_alpha_of_diffusers_metadata(tmp_path: Path, more: dict[str, object], alpha: float) -> None:
    pair = some_lora()[Q]
    metadata = {f"transformer.{key}": value for key, value in {"r": RANK, "lora_alpha": 8, **more}.items()}
    tensors = {f"transformer.{Q}.lora_A.weight": pair.down, f"transformer.{Q}.lora_B.weight": pair.up}
    save_file(tensors, tmp_path / "x.safetensors", {"lora_adapter_metadata": json.dumps(metadata)})
    assert read_lora(tmp_path / "x.safetensors", SHAPES)[Q].alpha == alpha


DOWN = f"diffusion_model.{Q}.lora_down.weight"
UP_OF_Q, ALPHA_OF_Q = f"diffusion_model.{Q}.lora_up.weight", f"diffusion_model.{Q}.alpha"
WRONG: list[tuple[Callable[[dict[str, Tensor]], object], str]] = [
    (lambda t: t.pop(DOWN), "has half a LoRA: down"),
    (lambda t: t.update({DOWN: t[DOWN][:, :-1].clone()}), "this model's weight there is"),
    (lambda t: t.update({DOWN: t[DOWN][:-1].clone()}), "this model's weight there is"),
    (lambda t: t.update({DOWN: t[DOWN].int()}), "is torch.int32"),
    (lambda t: t.update({f"diffusion_model.{Q}.dora_scale": torch.ones(1)}), "other adapters"),
    (lambda t: t.update({"diffusion_model.double_blocks.0.lora_up.weight": torch.ones(1)}), "LoRA of another model"),
    (lambda t: t.clear() or t, "holds no LoRA weights"),
    (lambda t: t[DOWN][0].fill_(float("nan")), f"'{Q}' is not finite"),
    (lambda t: t[UP_OF_Q][0].fill_(float("inf")), f"'{Q}' is not finite"),
    (lambda t: t.update({ALPHA_OF_Q: torch.tensor(float("nan"))}), f"'{Q}' is not finite"),
    (lambda t: t.update({ALPHA_OF_Q: torch.ones(2)}), "alpha is torch.float32 of shape .2.; one number"),
    (lambda t: t.update({DOWN: t[DOWN][:0], UP_OF_Q: t[UP_OF_Q][:, :0].clone()}), f"'{Q}' has rank 0"),
    (lambda t: t.update({f"transformer.{Q}.lora_A.weight": t[DOWN].clone()}), "is there twice"),
    (lambda t: t.update({f"lora_unet_{flat(Q)}.alpha": torch.ones(1)}), "is there twice"),
]


@pytest.mark.parametrize(("damage", "message"), WRONG, ids=[m for _, m in WRONG])
def test_what_is_no_lora_of_this_model_is_one_line(
    tmp_path: Path, damage: Callable[[dict[str, Tensor]], object], message: str
) -> None:
    path = tmp_path / "x.safetensors"
    write_lora(path, some_lora(), "comfyui")
    tensors = load_file(path)
    damage(tensors)
    save_file(tensors, path)
    with pytest.raises(UserError, match=message) as caught:
        read_lora(path, SHAPES)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("metadata", "message"),
    [
        ("{", "its metadata 'lora_adapter_metadata' cannot be read"),
        ("[]", "cannot be read"),
        ('{"lora_alpha": "x"}', "cannot be read"),
        ('{"alpha_pattern": [1]}', "cannot be read"),
        ('{"transformer.lora_alpha": NaN}', f"'{Q}' is not finite"),
    ],
)
def test_an_alpha_of_the_metadata_that_is_none_is_one_line(tmp_path: Path, metadata: str, message: str) -> None:
    pair = some_lora()[Q]
    tensors = {f"transformer.{Q}.lora_A.weight": pair.down, f"transformer.{Q}.lora_B.weight": pair.up}
    save_file(tensors, tmp_path / "x.safetensors", {"lora_adapter_metadata": metadata})
    with pytest.raises(UserError, match=message):
        read_lora(tmp_path / "x.safetensors", SHAPES)


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="does not exist"):
        read_lora(tmp_path / "none.safetensors", SHAPES)
    (tmp_path / "x.safetensors").write_bytes(b"x" * 99)
    with pytest.raises(UserError, match="not a whole safetensors file"):
        read_lora(tmp_path / "x.safetensors", SHAPES)
