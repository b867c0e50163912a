"""Edits with one and several references against diffusers' two edit pipelines, on folders that we wrote.

One test shows what ``edit_pipeline.py`` mends in diffusers, and that nothing else differs.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from diffusers.pipelines.qwenimage import pipeline_qwenimage_edit, pipeline_qwenimage_edit_plus
from PIL import Image

from configs import UserError, command
from configs.pictures import to_rgb
from model import QwenImage
from model.__main__ import main
from model.config import Pipeline
from model.reference_sizes import VISION_AREA, fitted_size
from model.references import fitted
from model.templates import IMAGE_PAD, around
from tests.model.edit_pipeline import IMAGE_PAD_ID, pipeline
from tests.model.folders import condition_error, edit_folder, picture_error, random_folder
from tests.model.reference import difference

SINGLE: Pipeline = "QwenImageEditPipeline"
MULTI: Pipeline = "QwenImageEditPlusPipeline"
VISION, LATENT = 96 * 96, 128 * 128  # px: what the released areas are shrunk to


def photograph(width: int, height: int, seed: int = 0) -> Image.Image:
    blocks = np.random.default_rng(seed).integers(0, 256, (height // 8, width // 8, 3), dtype=np.uint8)
    return Image.fromarray(blocks).resize((width, height))


REFERENCES = [photograph(120, 80), photograph(96, 160, 1), photograph(64, 64, 2)]


@cache
def ours(kind: Pipeline) -> QwenImage:
    model = QwenImage.load(edit_folder(kind))
    model.conditioner.vision_area = VISION if kind == MULTI else LATENT
    return model


@pytest.fixture
def _small(monkeypatch: pytest.MonkeyPatch) -> None:
    """diffusers' fixed areas, shrunk."""
    monkeypatch.setattr(pipeline_qwenimage_edit_plus, "CONDITION_IMAGE_SIZE", VISION)
    monkeypatch.setattr(pipeline_qwenimage_edit_plus, "VAE_IMAGE_SIZE", LATENT)
    fit = pipeline_qwenimage_edit.calculate_dimensions
    monkeypatch.setattr(pipeline_qwenimage_edit, "calculate_dimensions", lambda area, ratio: fit(LATENT, ratio))


def theirs(kind: Pipeline, references: list[Image.Image], **size: int) -> torch.Tensor:
    images = list(references) if kind == MULTI else references[0]
    call = pipeline(edit_folder(kind))
    return call(
        images, "make it red", negative_prompt=" ", true_cfg_scale=4.0, num_inference_steps=3,
        generator=torch.Generator().manual_seed(5), output_type="pt", **size,
    ).images[0]  # fmt: skip


@pytest.mark.usefixtures("_small")
@pytest.mark.parametrize(("kind", "count"), [(SINGLE, 1), (MULTI, 1), (MULTI, 3)])
def test_pictures_equal_the_diffusers_pipelines(kind: Pipeline, count: int) -> None:
    expected = theirs(kind, REFERENCES[:count], height=64, width=96)
    options: Any = {"steps": 3, "seed": 5, "reference_area": LATENT}
    (picture,) = ours(kind).sample_tensor("make it red", 64, 96, references=REFERENCES[:count], **options)
    assert expected.std() > 0.05
    assert (picture - expected).abs().max() <= picture_error(3)
    (other,) = ours(kind).sample_tensor("make it red", 64, 96, references=[photograph(160, 96, 9)], **options)
    assert (picture - other).abs().max() > 1e-3  # the reference is seen


@pytest.mark.parametrize(("kind", "count"), [(SINGLE, 1), (MULTI, 1), (MULTI, 3)])
def test_conditions_equal_the_diffusers_pipelines_at_released_sizes(kind: Pipeline, count: int) -> None:
    model = QwenImage.load(edit_folder(kind)).conditioner
    images = [fitted(image, VISION_AREA[model.style]) for image in REFERENCES[:count]]
    given = images if kind == MULTI else images[0]
    expected, mask = pipeline(edit_folder(kind))._get_qwen_prompt_embeds("make it red", given)
    (condition,) = model.encode(["make it red"], [REFERENCES[:count]])
    assert len(condition) == int(mask.sum())
    assert (condition - expected[0]).abs().max() <= condition_error(condition)
    inputs = pipeline(edit_folder(kind)).processor(text=[IMAGE_PAD * count], images=given, return_tensors="pt")
    turn = model._turns(["make it red"], [REFERENCES[:count]], model.vision_area)[0]
    assert torch.equal(turn.pixels, inputs["pixel_values"])
    assert torch.equal(turn.grids, inputs["image_grid_thw"])


def test_positions_of_vision_tokens_are_those_of_the_picture() -> None:
    """What diffusers 0.42.1 computes without the token types is another condition."""
    call = pipeline(edit_folder(SINGLE))
    plain = call.text_encoder.model.__class__.forward
    image = fitted(REFERENCES[0], LATENT)
    right, _ = call._get_qwen_prompt_embeds("make it red", image)
    before, after, _ = around(1, "single")
    inputs = call.processor(text=[f"{before}make it red{after}"], images=image, return_tensors="pt")
    ids, pixels = inputs["input_ids"], inputs["pixel_values"]
    with torch.no_grad():
        wrong = plain(call.text_encoder.model, ids, pixel_values=pixels, image_grid_thw=inputs["image_grid_thw"])
    (condition,) = ours(SINGLE).conditioner.encode(["make it red"], [[REFERENCES[0]]])
    assert difference(wrong.last_hidden_state[0, 64:], right[0]) > 100 * difference(condition, right[0])


def test_vision_tokens_of_the_released_sizes() -> None:
    """FACTS: 1,369 for one picture of 1024^2, 196 for each of several; 64 tokens are dropped, 5 close."""
    square = photograph(512, 512)
    for kind, each, count in ((SINGLE, 1369, 1), (MULTI, 196, 3)):
        model = QwenImage.load(edit_folder(kind)).conditioner
        (turn,) = model._turns([""], [[square] * count], model.vision_area)
        assert turn.ids.count(IMAGE_PAD_ID) == each * count
        head = around(count, model.style)[0].split(IMAGE_PAD)[0].rsplit("Picture 1: ", 1)[0]
        assert len(model.tokenizer(head.removesuffix("<|vision_start|>")).input_ids) == turn.dropped == 64


def test_the_name_of_a_control_token_in_an_instruction_is_text() -> None:
    """As a picture's place it would be counted among the references."""
    model = ours(MULTI).conditioner
    plain, named = (model._turns([text], [REFERENCES[:2]], LATENT)[0] for text in ("x y", f"x {IMAGE_PAD} y"))
    assert named.ids.count(IMAGE_PAD_ID) == plain.ids.count(IMAGE_PAD_ID)
    assert named.ids[: named.dropped] == plain.ids[: plain.dropped]
    assert named.ids[-5:] == plain.ids[-5:]
    shown, other = model.encode(["x y", f"x {IMAGE_PAD} y"], [REFERENCES[:2]] * 2)
    assert len(other) > len(shown)


def test_batch_mates_do_not_matter() -> None:
    prompts, references = ["a", "make it red", "b", "remove it"], [[], REFERENCES, [], REFERENCES[:1]]
    model = ours(MULTI)
    together = model.conditioner.encode(prompts, references)
    for prompt, images, expected in zip(prompts, references, together, strict=True):
        (alone,) = model.conditioner.encode([prompt], [images])
        assert (alone - expected).abs().max() < condition_error(expected)
    options: Any = {"steps": 2, "reference_area": LATENT}
    pictures = model.sample_tensor(prompts, [64, 32, 32, 64], 64, seed=3, references=references, **options)
    for i, expected in enumerate(pictures):
        height = [64, 32, 32, 64][i]
        (alone,) = model.sample_tensor([prompts[i]], height, 64, seed=3 + i, references=[references[i]], **options)
        assert (alone - expected).abs().max() < picture_error(2)


def test_the_size_is_the_last_references() -> None:
    assert fitted_size(300, 200, 1024 * 1024) == (1248, 832)
    assert fitted_size(1, 150, 64 * 64) == (32, 768)
    assert fitted_size(1, 200, 1024 * 1024) == (64, 12800)  # 72 x 14482 would round to more than 200 to 1
    assert fitted_size(190, 1, 1024 * 1024) == (12800, 64)
    (picture,) = ours(MULTI).sample("x", steps=1, references=REFERENCES[:2], reference_area=64 * 64)
    assert picture.size == fitted_size(*REFERENCES[1].size, 64 * 64)


def test_any_mode_is_seen_as_a_person_sees_it() -> None:
    color = Image.new("RGB", (8, 8), (200, 100, 0))
    deep = Image.fromarray(np.full((8, 8), 100 * 257, np.uint16))
    half = Image.new("RGBA", (8, 8), (0, 0, 0, 0))
    wide = Image.fromarray(np.full((8, 8), 100 * 257, np.int32))
    unit = Image.fromarray(np.full((8, 8), 100 / 255, np.float32))
    for deeper in (wide, unit):
        assert to_rgb(deeper).getpixel((0, 0)) == (100,) * 3
    assert to_rgb(Image.fromarray(np.float32([[-5, 5], [np.nan, 10]]))).getpixel((1, 1)) == (255,) * 3
    for image, expected in ((color.quantize(), (200, 100, 0)), (deep, (100,) * 3), (half, (255,) * 3)):
        assert to_rgb(image).getpixel((0, 0)) == expected


def test_a_folder_without_a_processor_uses_the_released_one() -> None:
    plain, edit = QwenImage.load(random_folder()).conditioner, QwenImage.load(edit_folder(MULTI)).conditioner
    assert plain.image_processor.to_dict() == edit.image_processor.to_dict()


@pytest.mark.parametrize("kind", ["QwenImagePipeline", SINGLE, MULTI])
def test_an_edit_folder_loads_as_each_pipeline(kind: str) -> None:
    import diffusers

    assert type(getattr(diffusers, kind).from_pretrained(edit_folder(MULTI))).__name__ == kind


def test_the_command_takes_pictures(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    REFERENCES[0].save(tmp_path / "a.png")
    (tmp_path / "b.jpg").write_bytes(b"no picture")
    start = [
        "sample",
        str(edit_folder(MULTI)),
        "--steps",
        "1",
        "--reference-area",
        "4096",
        "--out",
        str(tmp_path / "x.png"),
    ]
    assert command(main, [*start, "--prompt", "red", "--image", str(tmp_path / "a.png")]) == 0
    with Image.open(tmp_path / "x.png") as picture:
        assert picture.size == fitted_size(120, 80, 4096)
        assert len(picture.text["references"]) == 64
    capsys.readouterr()
    assert command(main, [*start, "--prompt", "red", "--image", str(tmp_path / "b.jpg")]) == 2
    assert "b.jpg cannot be read as a picture" in capsys.readouterr().err
    assert command(main, [*start, "--prompt", " ", "--image", str(tmp_path / "a.png")]) == 2
    assert "references need an instruction" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"references": REFERENCES}, "has 3 references; this model's template takes one"),
        ({"references": REFERENCES[:1], "prompts": ""}, "prompt 0 is empty; references need an instruction"),
        ({"references": [Image.new("RGB", (0, 8))]}, "0 x 8 has no area"),
        ({"references": [Image.new("RGB", (2001, 8))]}, "factor of 200"),
        ({"references": REFERENCES[:1], "reference_area": 0}, "reference_area: 0 px"),
        ({"cfg": float("nan")}, "cfg: nan"),
        ({"references": REFERENCES[:1], "prompts": ["a"]}, "a list of pictures for each prompt, found Image"),
        ({"references": ["a.png"]}, "expected pictures of Pillow, found str"),
        ({"references": [REFERENCES], "prompts": ["a", "b"]}, "1 lists for 2 prompts"),
    ],
)
def test_bad_references_are_named(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(UserError, match=message.replace("(", r"\(")):
        ours(SINGLE).sample_tensor(**{"prompts": "x", "steps": 1, "reference_area": LATENT, **arguments})
