"""Recipes with damage: labels, boxes, captions, rows."""

import numpy as np
import pytest

from configs import UserError
from pipeline.sources.synth import sample_row
from synth.recipe import Recipe

DAMAGED = "configs/synth/damaged.yaml"
FONT = "fonts=[{package: manimgx_fonts_cjk, file: NotoSansCJK-VF.otf.ttc, face: 2}]"
ALL = ["damage.pictures=1", FONT]


@pytest.fixture(scope="module")
def recipe():
    return Recipe.load(DAMAGED, ALL)


def test_every_picture_has_as_many_as_asked_labelled_on_glyphs_and_told_in_its_captions(recipe):
    ways = set()
    for index in range(24):
        sample = recipe.render(index)
        damaged = [region for region in sample.regions if region.damage]
        assert 1 <= len(damaged) <= 2
        assert {region.level for region in damaged} == {"glyph"}
        assert sample.abnormal
        assert all(region.text in sample.text for region in damaged)
        chinese = sample.captions[0].language == "zh"
        said = sample.captions[0].text
        assert (
            sum(said.count(word) for word in ("字少了", "字多了", "字有一", "字缺了", "字断开")) == len(damaged)
            or not chinese
        )
        assert chinese or "character" in said
        ways |= {region.damage for region in damaged}
    assert len(ways) >= 4


def test_the_rest_of_the_picture_is_that_of_the_whole_one(recipe, monkeypatch):
    import synth.recipe as module

    def both(index):
        damaged = recipe.render(index)
        with monkeypatch.context() as patch:
            patch.setattr(module, "with_damage", lambda composition, config, rng: composition)
            return damaged, recipe.render(index)

    for index in (0, 3, 4):
        damaged, whole = both(index)
        assert damaged.text == whole.text
        changed = (np.asarray(damaged.image) != np.asarray(whole.image)).any(2)
        assert changed.any()
        for region, before in zip(damaged.regions, whole.regions, strict=True):
            if region.damage:
                x, y = before.quad[::2], before.quad[1::2]
                changed[int(min(y)) : int(max(y)), int(min(x)) : int(max(x))] = False
        assert not changed.any()


def test_half_of_the_pictures_are_whole_and_rows_say_which():
    recipe = Recipe.load(DAMAGED, [FONT])
    rows = [sample_row(recipe.render(index)) for index in range(24)]
    assert 5 <= sum(row["abnormal"] for row in rows) <= 19
    for row in rows:
        assert row["abnormal"] == any(region["damage"] for region in row["text_regions"])
    assert recipe.render(7).encode() == Recipe.load(DAMAGED, [FONT]).render(7).encode()


def test_scenes_and_templates_can_be_damaged_and_edits_cannot():
    short = "contents=[{kind: line, length: [2, 6]}]"  # a paragraph beside a photograph's subject is smaller than 16 px
    for strategy, more in (("scene", [short]), ("template", [])):
        recipe = Recipe.load(f"configs/synth/{strategy}.yaml", [*ALL, "damage.min_size=16", *more])
        assert any(recipe.render(index).abnormal for index in range(2))
    with pytest.raises(UserError, match=r"damage.pictures: pictures of edits stay whole"):
        Recipe.load("configs/synth/edit.yaml", ALL)
