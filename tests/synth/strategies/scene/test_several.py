"""Several texts in one photograph: each in a place of its own, all of them said, in reading order."""

from __future__ import annotations

import re

import numpy as np
import pytest

from synth.caption.facts import facts_of
from synth.caption.sentences import write_caption
from synth.recipe import Recipe
from synth.strategies.base import Composition
from synth.strategies.scene.flat_areas import covered
from tests.synth.common import recipe
from tests.synth.test_geometry import drawn

SCENE = "configs/synth/scene.yaml"


@pytest.fixture(scope="module")
def several() -> Recipe:
    return recipe(SCENE, "strategy.several=1.0", "contents=[{kind: word}, {kind: line, length: [3, 12]}]")


@pytest.fixture(scope="module")
def pictures(several: Recipe) -> list[Composition]:
    """Those among forty that have several texts."""
    made = [drawn(several, index) for index in range(40)]
    found = [each for each in made if len(each.drawing.texts) > 1]
    assert len(found) > 20
    assert all(each.media == () for each in made if len(each.drawing.texts) == 1)
    return found


def test_two_or_three_texts_stand_apart(pictures: list[Composition]) -> None:
    assert {len(made.drawing.texts) for made in pictures} == {2, 3}
    for made in pictures:
        boxes = [layer.bounds() for layer in made.drawing.texts]
        for number, (left, top, right, bottom) in enumerate(boxes):
            others = boxes[:number] + boxes[number + 1 :]
            assert covered_by(left, top, right, bottom, others) == 0
            assert covered_by(left, top, right, bottom, made.backdrop.subjects) <= 0.05  # type: ignore[union-attr]


def covered_by(left: float, top: float, right: float, bottom: float, boxes: list[tuple[float, ...]]) -> float:
    return covered(np.array([(left, top), (right, bottom)]), boxes)  # type: ignore[arg-type]


def test_what_is_written_is_said_in_reading_order(pictures: list[Composition]) -> None:
    for made in pictures:
        whole = made.text.text
        at = [whole.index(" ".join(layer.block.text.split("\n")).strip()[:2]) for layer in made.drawing.texts]
        middles = [(box[1] + box[3]) / 2 for box in (layer.bounds() for layer in made.drawing.texts)]
        assert middles == sorted(middles) or max(abs(a - b) for a, b in zip(middles, sorted(middles), strict=True)) < 40
        assert at[0] == 0


@pytest.mark.parametrize("language", ["en", "zh"])
def test_a_caption_quotes_every_text_and_names_what_carries_it(pictures: list[Composition], language: str) -> None:
    rng = np.random.default_rng(0)
    for made in pictures:
        caption = write_caption(facts_of(made), language, rng)  # type: ignore[arg-type]
        for said in facts_of(made).texts:
            assert re.search(f"[\"“‘'「『«]{re.escape(said.text)}[\"”’'」』»]", caption), caption
        if language == "en":
            carried = sum(caption.count(word) for word in (" on a ", " on an ", " on another "))
            assert carried >= sum(key is not None for key in made.media)
            assert caption.count("directly on the photograph") == made.media.count(None)


def test_a_second_one_of_a_kind_is_another_one(several: Recipe) -> None:
    told = [several.render(index).captions[0].text for index in range(40)]
    for caption in told:
        for medium in ("street sign", "chalkboard", "poster", "banner", "screen"):
            assert caption.count(f" on a {medium}") <= 1, caption
    assert any("another" in caption or "另一" in caption for caption in told)


def test_without_it_a_picture_has_one_text() -> None:
    one = recipe(SCENE, "strategy.several=0.0")
    assert all(len(drawn(one, index).drawing.texts) == 1 for index in range(10))
