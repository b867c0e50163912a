"""The OCR round trip: good renderings read well, a spoilt one badly, what the reader cannot read is marked."""

from __future__ import annotations

import pickle
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from pipeline.annotators.base import Picture
from pipeline.annotators.verify import VerifyAnnotator, VerifyConfig
from pipeline.ocr.reader import Reader
from pipeline.sources.synth import sample_row
from synth import Recipe, Sample
from synth.plain_line import clean_line

LINE = "contents=[{kind: line, length: [6, 20]}]"


@pytest.fixture(scope="module")
def annotator(reader: Reader) -> VerifyAnnotator:
    made: VerifyAnnotator = pickle.loads(pickle.dumps(VerifyAnnotator()))
    made._reader = reader  # loaded already
    made.setup()
    return made


def judged(annotator: VerifyAnnotator, samples: list[Sample]) -> list[dict[str, Any]]:
    return annotator.annotate([Picture(sample_row(sample)) for sample in samples])


@pytest.mark.parametrize("path", ["configs/synth/pure.yaml", "configs/synth/scene.yaml"])
def test_renderings_read_nearly_as_well_as_plain_print(annotator: VerifyAnnotator, path: str) -> None:
    larger = ["canvases=[{size: [512, 512]}]", "layout.min_size=24", "layout.max_size=300", LINE]
    recipe = Recipe.load(path, larger)
    rows = judged(annotator, [recipe.render(index) for index in range(12)])
    assert np.mean([row["text_read_clean"] for row in rows]) > 0.93
    assert np.mean([row["text_read"] for row in rows]) > 0.85
    assert not any(row["text_unverifiable"] for row in rows)


def test_a_spoilt_rendering_reads_worse_than_its_ceiling(annotator: VerifyAnnotator) -> None:
    sample = Recipe.load("configs/synth/pure.yaml", [LINE]).render(1)
    noise = np.random.default_rng(0).integers(0, 256, np.asarray(sample.image).shape).astype(np.uint8)
    (row,) = judged(annotator, [replace(sample, image=Image.fromarray(noise))])
    assert row["text_read"] < row["text_read_clean"] - 0.3


def test_characters_that_no_print_makes_legible_are_unverifiable(annotator: VerifyAnnotator) -> None:
    rare = Recipe.load("configs/synth/pure.yaml", ["contents=[{kind: charset, levels: [3]}]"])
    rows = judged(annotator, [rare.render(index) for index in range(16)])
    assert 0 < sum(row["text_unverifiable"] for row in rows) < len(rows)
    assert all(row["text_unverifiable"] == (row["text_read_clean"] < 0.5) for row in rows)


def test_it_judges_made_pictures_with_text_alone(annotator: VerifyAnnotator) -> None:
    assert annotator.applies_to({"recipe": "pure", "text": "a"})
    assert not annotator.applies_to({"recipe": None, "text": "a"})
    assert not annotator.applies_to({"recipe": "edit", "text": ""})


def test_the_plain_print_is_black_on_white_and_whole() -> None:
    pixels = np.asarray(clean_line("清晨 Ågj", "zh").convert("L"))
    assert pixels.min() == 0
    assert (pixels[0] == 255).all()
    assert (pixels[:, [0, -1]] == 255).all()
    assert (pixels[-1] == 255).all()


@pytest.mark.parametrize("field", [{"lines": 0}, {"threads": 0}, {"ceiling": 1.5}])
def test_wrong_settings_are_named(field: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(field))):
        VerifyConfig("verify", **field)
