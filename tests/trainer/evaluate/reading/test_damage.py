"""Renderings with a damaged glyph, and whether a reader noticed."""

import numpy as np
import pytest

from trainer.evaluate.reading.clean import render_damaged
from trainer.evaluate.reading.damage import is_accepted


@pytest.mark.parametrize("text", ["国", "明天见", "好B8"])
def test_one_glyph_differs_and_nothing_else(text):
    for seed in range(3):
        whole, damaged, character = render_damaged(text, (160, 96), seed)
        assert [g.text for g in whole.glyphs] == [g.text for g in damaged.glyphs] == list(text)
        changed = (damaged.picture != whole.picture).any(2)
        left, top, right, bottom = next(g.box for g in whole.glyphs if g.text == character)
        assert changed[top:bottom, left:right].sum() > 20
        changed[top:bottom, left:right] = False
        assert not changed.any()


def test_damage_depends_on_the_seed_alone():
    first, again, other = (render_damaged("明天见", (160, 96), seed) for seed in (1, 1, 2))
    assert np.array_equal(first[1].picture, again[1].picture)
    assert not np.array_equal(first[1].picture, other[1].picture)


@pytest.mark.parametrize("text", ["一", "、。"])
def test_a_single_stroke_or_a_mark_is_left_alone(text):
    assert render_damaged(text, (160, 96), 0) is None


@pytest.mark.parametrize(
    ("clean", "damaged", "verdict"),
    [("中国", "中国", True), ("中国", "中口", False), ("中口", "中国", None), ("国国", "国口", False), ("", "", None)],
)
def test_acceptance_counts_the_damaged_character_alone(clean, damaged, verdict):
    assert is_accepted("国", clean, damaged, "中国") is verdict
