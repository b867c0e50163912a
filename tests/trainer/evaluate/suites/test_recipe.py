"""The suites of a recipe: what of it is asked for, and which texts training has not seen."""

import configs
from synth import Recipe
from synth.content.base import is_held_out
from synth.recipe import RecipeConfig
from trainer.evaluate.suites.recipe import make_items, spread, suite_of

RECIPE = "configs/synth/glyphs.yaml"


def test_spread_takes_lengths_alike_and_only_once():
    texts = [str(n) for n in range(10, 1000)]
    chosen = spread(texts, 40, seed=3)
    assert [sum(len(t) == n for t in chosen) for n in (2, 3)] == [20, 20]
    assert len(set(chosen)) == 40
    assert chosen == spread(texts, 40, seed=3) != spread(texts, 40, seed=4)


def test_glyph_suite_is_the_charset_in_training_style():
    items = make_items("glyphs", RECIPE, 1)
    contents = configs.load(RECIPE, RecipeConfig).contents
    charset = "".join(c.characters for c in contents if suite_of(c) == "glyphs")
    assert sorted(item.text for item in items) == sorted(charset)
    assert sum("一" <= item.text <= "鿿" for item in items) >= 25
    assert len(items) >= 60
    assert all(item.prompt == f'"{item.text}"' for item in items)
    assert all("".join(glyph.text for glyph in item.clean.glyphs) == item.text for item in items)
    assert all(
        item.clean.picture.shape == (item.height, item.width, 3) and item.clean.picture.std() > 20 for item in items
    )


def test_number_suite_is_held_out_of_every_length():
    items = make_items("numbers", RECIPE, 30)
    part = next(c.held_out_fraction for c in configs.load(RECIPE, RecipeConfig).contents if c.kind == "number")
    assert {len(item.text) for item in items} == {2, 3, 4}
    assert all(is_held_out(item.text, part) and item.held_out for item in items)


def test_line_suite_is_drawn_by_another_seed():
    items = make_items("lines", RECIPE, 20)
    trained = Recipe.load(RECIPE)
    seen = {trained.render(i).text for i in range(400)}
    assert 10 <= len(items) <= 20
    assert not [item.text for item in items if item.text in seen]
