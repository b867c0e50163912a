"""Old names of fields end in one line that shows the new one; digests over first names outlive a renaming."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

import pytest

import configs
from configs import UserError, decode, to_plain
from configs.renamed import renamed_fields, to_first_names
from synth.recipe import RecipeConfig
from tests.synth.common import GLYPHS


@dataclass(frozen=True)
class Base:
    renamed: ClassVar[dict[str, str]] = {"share": "weight"}

    weight: float = 1.0


@dataclass(frozen=True)
class Word(Base):
    renamed: ClassVar[dict[str, str]] = {"least": "min_length"}

    min_length: int = 1


@dataclass(frozen=True)
class Mixture:
    words: tuple[Word, ...] = ()
    by_name: dict[str, Word] = field(default_factory=dict)


def test_a_class_keeps_the_renamed_fields_of_those_it_derives_from() -> None:
    assert renamed_fields(Word) == {"share": "weight", "least": "min_length"}
    assert renamed_fields(Mixture) == {}


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"words": [{"share": 2}]}, "field 'words.0.share' is called 'weight' now"),
        ({"words": [{}, {"least": 2, "weight": 1}]}, "field 'words.1.least' is called 'min_length' now"),
        ({"by_name": {"a": {"share": 2}}}, "field 'by_name.a.share' is called 'weight' now"),
        ({"words": [{"shares": 2}]}, "unknown field 'words.0.shares'"),
    ],
)
def test_an_old_name_ends_in_one_line_that_shows_the_new_one(tree: dict[str, object], message: str) -> None:
    with pytest.raises(UserError) as caught:
        decode(tree, Mixture, "mixture")
    assert str(caught.value).startswith(f"mixture: {message}")
    assert "\n" not in str(caught.value)


def test_first_names_are_plain_data_under_the_old_names_at_any_depth() -> None:
    mixture = Mixture((Word(weight=2.0, min_length=3),), {"a": Word()})
    assert to_first_names(mixture) == {
        "words": [{"share": 2.0, "least": 3}],
        "by_name": {"a": {"share": 1.0, "least": 1}},
    }
    assert to_plain(mixture)["words"] == [{"weight": 2.0, "min_length": 3}]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("contents.0.share=2", "field 'contents.0.share' is called 'weight' now"),
        ("contents.1.held_out_part=0.1", "field 'contents.1.held_out_part' is called 'held_out_fraction' now"),
        ("fonts.0.share=2", "field 'fonts.0.share' is called 'weight' now"),
        ("canvases.0.share=2", "field 'canvases.0.share' is called 'weight' now"),
        ("effects.shares={plain: 1}", "field 'effects.shares' is called 'weights' now"),
        ("effects.least=8", "field 'effects.least' is called 'min_size' now"),
        (
            "strategy={kind: scene, photos: [{path: a.jpg, share: 2}]}",
            "field 'strategy.photos.0.share' is called 'weight' now",
        ),
    ],
)
def test_a_recipe_of_before_is_told_the_new_names(override: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        configs.load(GLYPHS, RecipeConfig, [override])


def test_the_digest_of_a_recipe_is_taken_over_the_names_it_had_first() -> None:
    plain = to_first_names(configs.load(GLYPHS, RecipeConfig))
    assert plain["contents"][1]["share"] == 1.0
    assert plain["contents"][1]["held_out_part"] == 0.2
    assert plain["effects"]["shares"] == {"plain": 1.0}
    assert "weight" not in plain["contents"][1]
