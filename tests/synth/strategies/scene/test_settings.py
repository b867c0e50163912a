"""What makes sense in a building alone stands on nothing in the open, and the other way round."""

from __future__ import annotations

from dataclasses import replace

import pytest

from synth.content.base import Text
from synth.corpus.signs import SLOTS, lines, places
from synth.strategies.scene.holding import holdings
from synth.strategies.scene.media import MEDIA
from tests.synth.common import recipe
from tests.synth.content.test_sign import SIGN, request
from tests.synth.test_geometry import drawn

SCENE = "configs/synth/scene.yaml"
ALL = {
    text: line.setting
    for place in places()
    for slot in SLOTS
    for line in lines(place, slot)
    for text in (line.en, line.zh)
    if "{" not in text
}


@pytest.mark.parametrize(
    ("setting", "held"),
    [("inside", ("hung", "lying", "table", "line")), ("outside", ("hung", "ground", "post", "roped"))],
)
def test_holdings_suit_the_setting(setting: str, held: tuple[str, ...]) -> None:
    every = ("hung", "lying", "table", "ground", "post", "line", "roped")
    assert set(holdings(every, None, setting)) == set(held)  # type: ignore[arg-type]
    assert set(holdings(every, None)) == set(every)


def test_no_post_carries_what_is_said_inside() -> None:
    signs = recipe(SCENE, "strategy.several=0", "contents=[{kind: sign, slots: {notice: 1, way: 1}}]")
    seen = set()
    for index in range(60):
        made = drawn(signs, index)
        setting = ALL.get(made.text.text.replace("\n", " "), "")
        if made.medium and setting:
            held = MEDIA[made.medium].held
            assert holdings(held, None, setting), (made.text.text, made.medium)
            seen.add(setting)
    assert seen == {"inside", "outside"}


def test_shop_fronts_are_of_shops() -> None:
    fronts = MEDIA["storefront"]
    assert "bakery" in fronts.places
    assert not {"hospital", "castle", "school"} & set(fronts.places)
    names = {line.zh for place in fronts.places for line in lines(place, "name")}
    assert set(fronts.places) <= set(places())
    assert names


def test_settings_of_texts_beside_each_other_agree() -> None:
    for seed in range(60):
        asked = request(seed)
        texts: list[Text] = [SIGN.text(asked)]
        if texts[0].topic.split(".")[1] in ("say", "tin", "bottle"):
            continue
        for _ in range(2):
            texts.append(SIGN.text(replace(asked, beside=tuple(texts))))
        assert len({text.setting for text in texts} - {""}) <= 1
        other = SIGN.text(replace(request(seed + 500), instead=texts[0]))
        assert other.setting in ("", texts[0].setting)
