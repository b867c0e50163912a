"""No shape of a picture breaks an annotator: a failure there would cost the whole row."""

from __future__ import annotations

import numpy as np
import pytest

from configs.pictures import Limits, small
from pipeline.annotators import Annotator
from pipeline.annotators.base import Picture
from pipeline.annotators.classify import ClassifyConfig
from pipeline.annotators.codes import CodesConfig
from pipeline.annotators.faces import FacesConfig
from pipeline.annotators.measure import MeasureConfig

CONFIGS = (MeasureConfig("measure"), CodesConfig("codes"), FacesConfig("faces"), ClassifyConfig("classify"))
SHAPES = [(1, 1), (1, 3000), (3000, 1), (2, 2), (7, 500), (64, 8), (33, 2047)]


@pytest.fixture(scope="module")
def annotators() -> list[Annotator]:
    made = [config.make(Limits()) for config in CONFIGS]
    for annotator in made:
        annotator.setup()
    return made


@pytest.mark.parametrize("shape", SHAPES)
def test_pictures_of_any_shape_are_judged(annotators: list[Annotator], shape: tuple[int, int]) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (*shape, 3), dtype=np.uint8)
    picture = Picture({}, pixels=pixels, thumbnails={256: small(pixels, 256)})
    for annotator in annotators:
        (row,) = annotator.annotate([picture])
        assert set(row) == {column.name for column in (*annotator.columns, *annotator.aside)}
