"""Scores, suites and sheets; the sampling itself is tested with the trained model in the quickstart."""

import numpy as np
import pytest

import configs
from configs import UserError
from pipeline.ocr.lines import character_accuracy, normalize
from synth import Recipe
from synth.content.base import is_held_out
from synth.recipe import RecipeConfig
from trainer.evaluate.score import is_exact, score
from trainer.evaluate.sheet import draw_sheet
from trainer.evaluate.suites import make_suite, spread, suite_of

RECIPE = "configs/synth/glyphs.yaml"


@pytest.mark.parametrize(
    ("wanted", "read", "right"),
    [("A", "A", True), ("A", "Ａ", True), ("27", "2 7", True), ("A", "a", False), ("0", "O", False), ("国", "", False)],
)
def test_exactness_forgives_width_and_gaps_but_not_case(wanted, read, right):
    assert is_exact(wanted, read) is right


def test_normalise_keeps_what_is_seen():
    assert normalize(" Ｑ３　龙\n") == "Q3龙"


@pytest.mark.parametrize(
    ("wanted", "read", "accuracy"),
    [("1234", "1234", 1.0), ("1234", "1243", 0.5), ("12", "1234", 0.5), ("龙", "", 0.0), ("", "", 1.0)],
)
def test_character_accuracy_is_one_minus_ned(wanted, read, accuracy):
    assert character_accuracy(wanted, read) == pytest.approx(accuracy)


def test_score_is_a_mean_over_texts():
    result = score(["A", "27"], ["A", "28"])
    assert (result.count, result.exact, result.characters) == (2, 0.5, 0.75)


@pytest.mark.parametrize("read", [[], ["A", "B"]])
def test_score_refuses_lists_that_do_not_match(read):
    with pytest.raises(ValueError, match="one for each"):
        score(["A"], read)
    with pytest.raises(ValueError, match="at least one"):
        score([], [])


def test_spread_takes_lengths_alike_and_only_once():
    texts = [str(n) for n in range(10, 1000)]
    chosen = spread(texts, 40, seed=3)
    assert [sum(len(t) == n for t in chosen) for n in (2, 3)] == [20, 20]
    assert len(set(chosen)) == 40
    assert chosen == spread(texts, 40, seed=3) != spread(texts, 40, seed=4)


def test_glyph_suite_is_the_charset_in_training_style():
    items = make_suite("glyphs", RECIPE, 1)
    contents = configs.load(RECIPE, RecipeConfig).contents
    charset = "".join(c.characters for c in contents if suite_of(c) == "glyphs")
    assert sorted(item.text for item in items) == sorted(charset)
    assert sum("一" <= item.text <= "鿿" for item in items) >= 25
    assert len(items) >= 60
    assert all(item.prompt == f'"{item.text}"' for item in items)
    assert all(item.clean.shape == (item.height, item.width, 3) and item.clean.std() > 20 for item in items)


def test_number_suite_is_held_out_of_every_length():
    items = make_suite("numbers", RECIPE, 30)
    part = next(c.held_out_fraction for c in configs.load(RECIPE, RecipeConfig).contents if c.kind == "number")
    assert {len(item.text) for item in items} == {2, 3, 4}
    assert all(is_held_out(item.text, part) and item.held_out for item in items)


def test_unknown_suite_names_the_known_ones():
    with pytest.raises(UserError, match="glyphs, numbers, words, lines"):
        make_suite("poems", RECIPE, 1)


def test_sheet_shows_every_picture():
    pictures = [np.full((64, width, 3), 40 * i, np.uint8) for i, width in enumerate((64, 96, 128, 64))]
    sheet = np.asarray(
        draw_sheet(pictures, ["A", "123", "1234", "B"], ["A", "", "1234", "8"], [True, False, True, False], width=240)
    )
    assert sheet.shape[1] == 240
    for i, picture in enumerate(pictures[:3]):
        assert (sheet == 40 * i).all(axis=2).sum() >= picture.shape[0] * picture.shape[1]
    red = (sheet[..., 0] > 150) & (sheet[..., 1] < 60)
    assert red.any()


def test_line_suite_is_drawn_by_another_seed():
    items = make_suite("lines", RECIPE, 20)
    trained = Recipe.load(RECIPE)
    seen = {trained.render(i).text for i in range(400)}
    assert 10 <= len(items) <= 20
    assert not [item.text for item in items if item.text in seen]
