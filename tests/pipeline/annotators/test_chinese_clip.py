"""Alignment is what transformers' Chinese CLIP computes with the same weights, random ones in small."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.numpy import load_file, save_file
from transformers import ChineseCLIPModel, ChineseCLIPProcessor

from configs.errors import UserError
from configs.pictures import Limits
from pipeline.annotators.chinese_clip import ChineseClipAnnotator, ChineseClipConfig
from tests.pipeline.annotators.test_clip import PICTURES, picture
from tests.pipeline.annotators.tiny_clip import chinese

TEXTS = ["一只猫", "火箭", "咖啡" * 100]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return chinese(tmp_path_factory.mktemp("chinese-clip") / "model")


@pytest.fixture(scope="module")
def annotator(folder: Path) -> ChineseClipAnnotator:
    made = ChineseClipConfig(kind="chinese_clip", model=str(folder)).make(Limits())
    assert made.missing() is None
    made.setup()
    return made


def test_inputs_and_embeddings_are_the_librarys_own(annotator: ChineseClipAnnotator, folder: Path) -> None:
    model, processor = ChineseCLIPModel.from_pretrained(folder).eval(), ChineseCLIPProcessor.from_pretrained(folder)
    inputs = processor(
        text=[TEXTS[0], TEXTS[1], TEXTS[2][:50]],
        images=[Image.fromarray(p) for p in PICTURES],
        padding=True,
        return_tensors="pt",
    )
    ours = torch.stack([annotator.prepare(Image.fromarray(p)) for p in PICTURES])
    assert torch.equal(ours, inputs["pixel_values"])
    with torch.inference_mode():
        theirs = model(**inputs)
    assert np.abs(annotator.picture_vectors(PICTURES) - theirs.image_embeds.numpy()).max() < 1e-5
    assert np.abs(annotator.text_vectors(TEXTS) - theirs.text_embeds.numpy()).max() < 1e-5
    (row,) = annotator.annotate([picture(PICTURES[0], TEXTS)])
    cosines = (theirs.image_embeds[0] @ theirs.text_embeds.T).tolist()
    assert row == {"align_zh": pytest.approx(cosines, abs=1e-5), "align_zh_max": pytest.approx(max(cosines), abs=1e-5)}
    assert len(set(row["align_zh"])) == 3


def test_batch_mates_change_no_more_than_rounding(annotator: ChineseClipAnnotator) -> None:
    rows = annotator.annotate([picture(p, TEXTS[:2]) for p in PICTURES])
    (alone,) = annotator.annotate([picture(PICTURES[1], TEXTS[:2])])
    assert rows[1]["align_zh"] == pytest.approx(alone["align_zh"], abs=1e-5)


def test_weights_are_never_made_up(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "model"
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    weights = load_file(copy / "model.safetensors")
    del weights["visual_projection.weight"]
    save_file(weights, copy / "model.safetensors", {"format": "pt"})
    made = ChineseClipConfig(kind="chinese_clip", model=str(copy)).make(Limits())
    with pytest.raises(UserError, match=r"cannot be loaded: 1 weights are missing.* visual_projection\.weight"):
        made.setup()
