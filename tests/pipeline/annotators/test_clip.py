"""Alignment is what open_clip itself computes with the same weights, a SigLIP 2 in small with random ones."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import open_clip
import pytest
import skimage.data
import torch
from PIL import Image
from safetensors.numpy import load_file, save_file

from configs.errors import UserError
from configs.pictures import Limits
from pipeline.annotators.base import Picture
from pipeline.annotators.clip import ClipAnnotator, ClipConfig
from tests.pipeline.annotators.tiny_clip import siglip

PICTURES = [skimage.data.chelsea(), skimage.data.rocket(), skimage.data.coffee()]
CAPTIONS = [["a cat", "the red table"], ["red rocket"], []]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return siglip(tmp_path_factory.mktemp("clip") / "model")


@pytest.fixture(scope="module")
def annotator(folder: Path) -> ClipAnnotator:
    return ready(ClipConfig(kind="clip", model=str(folder)))


def ready(config: ClipConfig) -> ClipAnnotator:
    made = config.make(Limits())
    assert made.missing() is None
    made.setup()
    return made


def picture(pixels: np.ndarray, texts: list[str], source: str = "raw") -> Picture:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    captions = [{"text": text, "source": source, "invalid": None} for text in texts]
    return Picture({"image": {"bytes": buffer.getvalue(), "path": None}, "captions": captions})


def scored(annotator: ClipAnnotator) -> list[dict[str, Any]]:
    return annotator.annotate([picture(p, texts) for p, texts in zip(PICTURES, CAPTIONS, strict=True)])


def test_inputs_and_embeddings_are_the_librarys_own(annotator: ClipAnnotator, folder: Path) -> None:
    model, _, preprocess = open_clip.create_model_and_transforms(f"local-dir:{folder}")
    model.eval()
    tokenize = open_clip.get_tokenizer(f"local-dir:{folder}")
    theirs = torch.stack([preprocess(Image.fromarray(p)) for p in PICTURES])
    ours = torch.stack([annotator.prepare(Image.fromarray(p)) for p in PICTURES])
    assert torch.equal(ours, theirs)
    with torch.inference_mode():
        vectors = model.encode_image(theirs, normalize=True).numpy()
        texts = model.encode_text(tokenize(["a cat", "the red table", "red rocket"]), normalize=True).numpy()
    assert np.abs(annotator.picture_vectors(PICTURES) - vectors).max() < 1e-5
    assert np.abs(annotator.text_vectors(["a cat", "the red table", "red rocket"]) - texts).max() < 1e-5
    first, second, third = scored(annotator)
    assert first["align_siglip"] == pytest.approx([*(vectors[0] @ texts[:2].T)], abs=1e-5)
    assert first["align_siglip_max"] == max(first["align_siglip"])
    assert second["align_siglip"] == pytest.approx([vectors[1] @ texts[2]], abs=1e-5)
    assert (third["align_siglip"], third["align_siglip_max"]) == ([], None)
    assert len({*first["align_siglip"], *second["align_siglip"]}) == 3
    assert np.abs(np.stack([row["embedding"] for row in scored(annotator)]).astype(float) - vectors).max() < 1e-3


def test_only_captions_that_came_with_the_picture_are_judged(annotator: ClipAnnotator) -> None:
    mixed = picture(PICTURES[0], ["a cat", "a table", "a rocket", ""])
    mixed.row["captions"][1]["source"] = "recaption"
    mixed.row["captions"][2]["invalid"] = "S3.encoding"
    (row,) = annotator.annotate([mixed])
    assert [value is None for value in row["align_siglip"]] == [False, True, True, True]
    assert row["align_siglip_max"] == row["align_siglip"][0]
    assert row["aesthetic"] is None


def test_the_aesthetics_head_is_linear(folder: Path, tmp_path: Path) -> None:
    weight = np.random.default_rng(0).normal(size=(1, 64)).astype(np.float32)
    save_file({"weight": weight, "bias": np.array([5.0], np.float32)}, tmp_path / "head.safetensors")
    annotator = ready(ClipConfig(kind="clip", model=str(folder), aesthetics=str(tmp_path / "head.safetensors")))
    (row,) = annotator.annotate([picture(PICTURES[0], [])])
    (vector,) = annotator.picture_vectors([PICTURES[0]])
    assert row["aesthetic"] == pytest.approx(float(vector @ weight[0]) + 5, abs=1e-5)
    assert annotator.version != ClipConfig(kind="clip", model=str(folder)).make(Limits()).version


def test_a_head_for_another_model_is_refused(folder: Path, tmp_path: Path) -> None:
    save_file({"weight": np.ones((1, 768), np.float32), "bias": np.ones(1, np.float32)}, tmp_path / "head.safetensors")
    with pytest.raises(UserError, match=r"aesthetics.* of 768 numbers.* have 64"):
        ready(ClipConfig(kind="clip", model=str(folder), aesthetics=str(tmp_path / "head.safetensors")))


def test_other_weights_are_another_version(folder: Path, tmp_path: Path) -> None:
    before = ClipConfig(kind="clip", model=str(folder)).make(Limits()).version
    copy = tmp_path / "model"
    copy.mkdir()
    for file in folder.iterdir():
        (copy / file.name).write_bytes(file.read_bytes())
    assert ClipConfig(kind="clip", model=str(copy)).make(Limits()).version == before
    weights = copy / "open_clip_model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert ClipConfig(kind="clip", model=str(copy)).make(Limits()).version != before


def test_weights_are_never_made_up(folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "model"
    copy.mkdir()
    for file in folder.iterdir():
        if file.suffix != ".safetensors":
            (copy / file.name).write_bytes(file.read_bytes())
    with pytest.raises(UserError, match=r"annotator clip: '.*/model' cannot be loaded: Required pretrained weights"):
        ready(ClipConfig(kind="clip", model=str(copy)))
    weights = load_file(folder / "open_clip_model.safetensors")
    del weights["visual.trunk.norm.weight"]
    save_file(weights, copy / "open_clip_model.safetensors")
    with pytest.raises(UserError, match=r"visual\.trunk\.norm\.weight"):
        ready(ClipConfig(kind="clip", model=str(copy)))


def test_a_model_that_is_not_here_is_named() -> None:
    reason = ClipConfig(kind="clip", model="timm/ViT-B-16-SigLIP2-256").make(Limits()).missing()
    assert "timm/ViT-B-16-SigLIP2-256" in (reason or "")
    assert "hf download" in (reason or "")
    reason = ClipConfig(kind="clip", model="no/such/folder/at all").make(Limits()).missing()
    assert "no/such/folder/at all" in (reason or "")
