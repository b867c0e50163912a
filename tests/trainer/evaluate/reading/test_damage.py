"""Glyphs with a part missing, and whether a reader noticed."""

import numpy as np
import pytest

from trainer.evaluate.base import Clean, Glyph
from trainer.evaluate.reading.clean import render
from trainer.evaluate.reading.damage import damage, is_accepted


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.PCG64(seed))


@pytest.mark.parametrize("text", ["国", "明", "好B8"])
def test_a_part_of_one_glyph_goes_and_nothing_else(text):
    (clean,) = render([text], (160, 96))
    for seed in range(6):
        picture, character = damage(clean, rng(seed))
        glyph = next(g for g in clean.glyphs if g.text == character)
        left, top, right, bottom = glyph.box
        changed = (picture != clean.picture).any(2)
        inside = np.zeros_like(changed)
        inside[top:bottom, left:right] = True
        assert not (changed & ~inside).any()
        before, after = ((p[top:bottom, left:right].sum(2) < 600).sum() for p in (clean.picture, picture))
        assert 0.4 <= after / before <= 0.87
        assert (
            picture[changed].sum(1) >= clean.picture[changed].sum(1)
        ).all()  # ink became ground, never the other way


def test_the_ground_of_a_bold_glyph_is_not_its_ink():
    picture = np.full((40, 40, 3), 230, np.uint8)
    picture[10:30, 10:30] = 0  # all ink
    made, _ = damage(Clean(picture, (Glyph("田", (10, 10, 30, 30)),)), rng())
    assert set(np.unique(made)) == {0, 230}
    assert (made == 230).sum() > (picture == 230).sum()


@pytest.mark.parametrize("text", ["一", "、。"])
def test_a_single_stroke_or_a_mark_is_left_alone(text):
    (clean,) = render([text], (160, 96))
    assert damage(clean, rng()) is None


@pytest.mark.parametrize(
    ("clean", "damaged", "verdict"),
    [("中国", "中国", True), ("中国", "中口", False), ("中口", "中国", None), ("国国", "国口", False), ("", "", None)],
)
def test_acceptance_counts_the_damaged_character_alone(clean, damaged, verdict):
    assert is_accepted("国", clean, damaged, "中国") is verdict
