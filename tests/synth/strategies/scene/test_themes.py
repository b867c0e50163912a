"""Photographs and texts have a subject in common, or the photograph is far behind."""

from __future__ import annotations

from typing import get_args

import numpy as np
import pytest

from synth.content.base import Text
from synth.corpus.signs import places
from synth.photo_list import Kind, Theme, listed
from synth.strategies.scene import themes
from synth.strategies.scene.holding import Holding, softness
from synth.strategies.scene.themes import belongs, wanted
from tests.synth.common import recipe
from tests.synth.test_geometry import drawn

SCENE = "configs/synth/scene.yaml"
KINDS: tuple[Kind | None, ...] = (*get_args(Kind), None)


def test_every_theme_but_the_plain_one_names_places_that_have_signs_and_has_photographs() -> None:
    known = themes._PLACES
    assert set(known) == set(get_args(Theme)) - {"plain"}
    assert {place for named in known.values() for place in named} <= set(places())
    assert {photograph.theme for _, photograph in listed()} == set(get_args(Theme))


@pytest.mark.parametrize(
    ("topic", "near", "far"),
    [
        ("zoo.name", "wildlife", "sky"),
        ("castle.way", "palace", "pets"),
        ("museum.hours", "ruins", "food"),
        ("", "plain", "sea"),
    ],
)
def test_a_text_belongs_where_its_place_could_be(topic: str, near: Theme, far: Theme) -> None:
    text = Text("text", "en", "line", "signs", topic=topic)
    assert belongs(text, near)
    assert belongs(text, "plain")
    assert belongs(text, None), "nobody said what a photograph of the user's shows"
    assert not belongs(text, far)


def test_what_belongs_nowhere_gets_a_photograph_that_says_nothing() -> None:
    best, other, *_ = wanted(Text("lather", "en", "item", "words-en"), KINDS, KINDS)
    assert not any(best("nature", theme) for theme in get_args(Theme))
    assert other("closeup", "garden")
    assert not any(other("animal", theme) for theme in ("wildlife", "pets", "farm", "music", "food"))
    best, other, *_ = wanted(Text("Monkeys", "en", "line", "signs", topic="zoo.way"), ("animal",), ("street",))
    assert other("street", "city")
    assert not other("animal", "city"), "nothing could be held there"
    assert best("animal", "wildlife")
    assert not best("nature", "wildlife"), "nothing could be held there"


@pytest.mark.parametrize("holding", ["free", "lying", "table", "post"])
def test_it_is_out_of_focus_behind_what_it_has_nothing_to_do_with(holding: Holding) -> None:
    rng = np.random.default_rng(0)
    assert softness(holding, False, 0.0, rng) > 2 * softness(holding, True, 1.0, rng)
    assert softness("hung", True, 1.0, rng) == 0.0, "a wall is as near as what hangs on it"


def test_nothing_is_written_straight_on_a_photograph_of_something_else() -> None:
    made = recipe(SCENE, "contents=[{kind: word}, {kind: sign}]", "strategy.several=0")
    for index in range(30):
        composition = drawn(made, index)
        backdrop = composition.backdrop
        assert backdrop
        assert composition.medium or belongs(composition.text, backdrop.theme), index


def test_a_recipe_of_nothing_else_is_drawn_all_the_same() -> None:
    made = recipe(SCENE, "contents=[{kind: word}]", "strategy.media={none: 1}")
    assert {drawn(made, index).medium for index in range(3)} == {None}
