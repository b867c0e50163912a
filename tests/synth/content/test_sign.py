"""Texts of one picture are of one place, each another thing that is said there."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from synth.content.base import ContentRequest, Text
from synth.content.sign import Sign
from synth.corpus.corpus import Corpora
from synth.corpus.signs import SLOTS
from synth.language import is_han
from tests.synth.common import recipe

SIGN = Sign(kind="sign")


def request(seed: int) -> ContentRequest:
    return ContentRequest(np.random.default_rng(seed), 0, (0, 0), Corpora(()))


def test_texts_beside_each_other_are_of_one_place_and_language_and_of_different_slots() -> None:
    labels = [slot for slot in SLOTS if slot not in ("say", "tin", "bottle")]  # few places have goods
    labeled = replace(SIGN, slots=dict.fromkeys(labels, 1.0))
    for seed in range(40):
        asked, texts = request(seed), list[Text]()
        texts.append(labeled.text(asked))
        for _ in labels[1:]:
            texts.append(labeled.text(replace(asked, beside=tuple(texts))))
        places, slots = zip(*(text.topic.split(".") for text in texts), strict=True)
        assert len(set(places)) == len({text.language for text in texts}) == 1
        assert [slot for _, slot in sorted(zip([t.order for t in texts], slots, strict=True))] == labels
        with pytest.raises(ValueError, match="no line of that many characters"):
            labeled.text(replace(asked, beside=tuple(texts)))


def test_nothing_stands_beside_a_sentence() -> None:
    sentence = replace(SIGN, slots={"say": 1.0}).text(request(0))
    with pytest.raises(ValueError, match="no line of that many characters"):
        SIGN.text(replace(request(1), beside=(sentence,)))


def test_what_replaces_a_text_says_a_thing_of_its_kind_in_its_language() -> None:
    others = set()
    for seed in range(60):
        text = SIGN.text(request(seed))
        other = SIGN.text(replace(request(seed + 1000), instead=text))
        assert (other.topic, other.language, other.unit) == (text.topic, text.language, text.unit)
        others.add(other.text != text.text)
    assert others == {True, False} or others == {True}


def test_a_text_knows_itself_in_the_other_language() -> None:
    texts = [SIGN.text(request(seed)) for seed in range(60)]
    assert {text.language for text in texts} == {"en", "zh"}
    assert all(any(map(is_han, text.text)) != any(map(is_han, text.counterpart)) for text in texts)
    assert {text.wrap for text in texts if text.topic.endswith(".say")} == {True}
    assert {text.wrap for text in texts if not text.topic.endswith(".say")} == {False}


def test_a_row_names_their_license() -> None:
    made = recipe("configs/synth/edit.yaml", "contents=[{kind: sign}]", "strategy.photographed=0")
    sample = made.render(0)
    assert sample.license == "Apache-2.0"
    assert any(parent.startswith("corpus:signs@") for parent in sample.parents)


def test_length_and_slots_are_kept() -> None:
    short = replace(SIGN, length=(2, 12), slots={"notice": 1.0, "offer": 1.0})
    texts = [short.text(request(seed)) for seed in range(60)]
    assert all(2 <= len(text.text) <= 12 for text in texts)
    assert {text.topic.split(".")[1] for text in texts} == {"notice", "offer"}
