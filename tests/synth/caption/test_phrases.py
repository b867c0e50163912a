"""Phrases stand once, in both languages, and every key that a picture can have is there."""

from __future__ import annotations

import re
from string import Formatter
from typing import get_args

import numpy as np
import pytest

from synth.caption.instructions import instruct
from synth.caption.phrases import ground_phrase, phrases, quoted, sentences
from synth.drawing.colors import PALETTE, Ground
from synth.drawing.style import Effect
from synth.fonts.families import Style
from synth.language import CaptionLanguage
from synth.strategies.base import Change
from synth.strategies.edit.operations import Operation

LANGUAGES: tuple[CaptionLanguage, ...] = ("zh", "en")


@pytest.mark.parametrize(
    ("fact", "keys"),
    [
        ("with_effect", set(get_args(Effect)) - {"plain"}),
        ("face", set(get_args(Style))),
        ("tongue", {"zh", "en"}),
        ("body", {"paragraphs", "bullets", "numbers", "dense"}),
        ("at", set(phrases("place", "en"))),
        ("number", {str(number) for number in range(2, 11)}),
    ],
)
def test_every_fact_has_a_phrase_in_both_languages(fact: str, keys: set[str]) -> None:
    for language in LANGUAGES:
        assert set(phrases(fact, language)) == keys
        assert all(phrases(fact, language).values())
    assert all(phrase.isascii() for phrase in phrases(fact, "en").values())
    assert all(re.search(r"[\u4e00-\u9fff]", phrase) for phrase in phrases(fact, "zh").values())


def test_every_operation_has_eight_instructions_in_both_languages() -> None:
    for language in LANGUAGES:
        assert set(sentences("instructions", language)) == set(get_args(Operation))
        assert {len(set(lines)) for lines in sentences("instructions", language).values()} == {8}


def test_instructions_fill_every_slot() -> None:
    black, red = PALETTE["black"], PALETTE["red"]
    change = Change("replace", "before", "after", black, red, Ground((red, black)), "glow", "top left", edge=red)
    rng = np.random.default_rng(0)
    for language in LANGUAGES:
        for operation, lines in sentences("instructions", language).items():
            slots = {name for line in lines for _, name, _, _ in Formatter().parse(line) if name}
            said = {instruct(Change(**vars(change) | {"operation": operation}), language, rng) for _ in range(200)}
            assert len(said) == 8
            assert not any("{" in sentence or "  " in sentence for sentence in said)
            if "before" in slots:
                assert any(quoted("before", language) in sentence for sentence in said)


def test_a_ground_is_said_by_its_colors() -> None:
    red, blue = PALETTE["red"], PALETTE["blue"]
    assert ground_phrase("ground", Ground((red,)), "en") == "a red background"
    assert ground_phrase("ground", Ground((red,), paper=True), "zh") == "红色的纸"
    assert ground_phrase("new_ground", Ground((red, blue)), "en") == "a gradient from red to blue"
    assert ground_phrase("template_ground", Ground((red, blue)), "zh") == "红色到蓝色渐变"


def test_quotation_marks_are_those_that_the_text_does_not_hold() -> None:
    assert quoted('a "b"', "en") == '“a "b"”'
    assert quoted("有“引号”的", "zh") == "「有“引号”的」"
    assert quoted(None, "en") == ""
