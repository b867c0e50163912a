"""The lines of signs: both languages, values that agree, lengths that fit a sign."""

from __future__ import annotations

import re

import numpy as np
import pytest

from synth.corpus.builtin import is_blocked
from synth.corpus.signs import SLOTS, Line, filled, lines, places
from synth.language import is_han

VALUES = re.compile(r"\{(\w+)\}")
ALL = [line for place in places() for slot in SLOTS for line in lines(place, slot)]


def test_every_place_has_enough_of_every_slot_and_no_line_twice() -> None:
    assert len(places()) >= 40
    least = {"name": 3, "say": 5, "tin": 0, "bottle": 0, "offer": 6, "hours": 4, "way": 4, "notice": 6}
    short = [(place, slot) for place in places() for slot in SLOTS if len(lines(place, slot)) < least[slot]]
    assert not short
    for texts in ([(line.place, line.en) for line in ALL], [(line.place, line.zh) for line in ALL]):
        assert not {text for text in texts if texts.count(text) > 1}


@pytest.mark.parametrize("place", places())
def test_both_languages_have_the_same_values_and_are_what_they_should_be(place: str) -> None:
    for line in (line for slot in SLOTS for line in lines(place, slot)):
        assert sorted(VALUES.findall(line.en)) == sorted(VALUES.findall(line.zh)), line
        assert line.en.replace("é", "e").isascii(), line
        assert any(map(is_han, line.zh)), line
        assert not is_blocked(line.zh), line
        assert (line.en[-1] in ".!?") == (line.zh[-1] in "。！？") == (line.slot == "say"), line


def test_values_are_the_same_in_both_languages() -> None:
    rng = np.random.default_rng(0)
    line = Line("museum", "hours", "From {opens} to {closes}, room {room}", "{opens}至{closes}，{room}室")
    for _ in range(200):
        made = filled(line, rng)
        assert re.findall(r"\d+", made.en) == re.findall(r"\d+", made.zh)
        opens, closes = re.findall(r"(\d+):\d\d", made.en)
        assert 7 <= int(opens) <= 9 < 17 <= int(closes) <= 21
        assert "{" not in made.en + made.zh
    dates = [filled(Line("museum", "offer", "On {date}", "{date}起"), rng) for _ in range(50)]
    assert len({date.en for date in dates}) > 30
    assert {re.sub(r"\D", " ", date.zh).split()[1] == date.en.split()[-1] for date in dates} == {True}
