"""What is written: balance of closed sets, held-out sets, levels and languages, whole-text discard."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from configs.errors import UserError
from synth import Recipe
from synth.content.base import is_held_out
from synth.content.canvas import Canvas, pick_size
from synth.content.rare import dictionary
from synth.corpus.builtin import is_blocked, levels_characters, wordlist
from synth.corpus.grammar import phrase, sentence, sentences
from synth.corpus.words import frequencies, phrases
from synth.language import language_of
from synth.schedule import BLOCK, Schedule
from synth.sizes import sizes
from tests.synth.common import GLYPHS, PURE, recipe


def only(text: str) -> str:
    return f"contents=[{{{text}}}]"


def test_the_schedule_gives_exact_shares_and_gapless_ordinals() -> None:
    schedule = Schedule([5, 3, 2, 0.001], seed=4)
    seen: dict[int, list[int]] = {}
    for index in range(3 * BLOCK):
        kind, ordinal = schedule.at(index)
        seen.setdefault(kind, []).append(ordinal)
    assert [len(seen[k]) / 3 for k in range(3)] == pytest.approx([500, 300, 200], abs=1)
    for ordinals in seen.values():
        assert sorted(ordinals) == list(range(len(ordinals)))
    assert len(seen[3]) == 3  # a tiny share still gets its turn once a block


def test_each_character_of_a_charset_comes_equally_often() -> None:
    made = recipe(GLYPHS, only("kind: charset, characters: ABC天地人12"))
    counts = Counter(made.render(index).text for index in range(80))
    assert counts == Counter(dict.fromkeys("ABC天地人12", 10))


def test_two_contents_walk_the_same_set_in_different_orders() -> None:
    one = "kind: charset, characters: ABCDEFGHIJKLMNOPQRSTUVWXYZ"
    made = recipe(GLYPHS, f"contents=[{{{one}}}, {{{one}, count: [2, 2]}}]")
    texts = [made.render(index).text for index in range(52)]
    singles, pairs = "".join(t for t in texts if len(t) == 1), "".join(t for t in texts if len(t) == 2)
    assert len(singles) > 15
    assert singles[:15] != pairs[:15]


def test_two_thousand_samples_of_a_level_are_two_thousand_characters() -> None:
    made = recipe(GLYPHS, only("kind: charset, levels: [1]"))
    texts = [made.render(index).text for index in range(300)]
    assert len(set(texts)) == 300
    assert set(texts) <= set(levels_characters((1,)))


def test_the_table_has_8105_characters_in_three_levels() -> None:
    assert [len(levels_characters((n,))) for n in (1, 2, 3)] == [3500, 3000, 1605]
    assert len(set(levels_characters((1, 2, 3)))) == 8105


def test_held_out_numbers_are_one_in_ten_and_never_rendered() -> None:
    made = recipe(GLYPHS, only("kind: number, digits: [2, 3], held_out_fraction: 0.1, canvases: [{size: [128, 64]}]"))
    held_out = set(made.held_out())
    assert 60 <= len(held_out) <= 120  # of 990
    assert all(is_held_out(text, 0.1) for text in held_out)
    rendered = {made.render(index).text for index in range(600)}
    assert len(rendered) > 300
    assert not rendered & held_out
    assert all(len(text) in (2, 3) for text in rendered)


def test_held_out_words_are_never_rendered_in_any_case() -> None:
    words = "kind: word, languages: {en: 1}, length: [2, 4], held_out_fraction: 0.3, cases: {upper: 1, title: 1}"
    made = recipe(PURE, only(words))
    held_out = set(made.held_out())
    assert 10 < len(held_out) < len([w for w in wordlist("en") if len(w) <= 4])
    rendered = {made.render(index).text.lower() for index in range(150)}
    assert not rendered & held_out


def test_levels_and_languages_follow_what_is_seen() -> None:
    seen = Counter()
    for index in range(200):
        sample = recipe(PURE).render(index)
        lines = sample.text.count("\n") + 1
        seen[sample.text_language, sample.text_level] += 1
        assert (sample.text_level <= 2) == (lines == 1)
        if sample.text_level == 1:
            assert len(sample.text.split()) == 1
        if sample.text_language == "en":
            assert language_of(sample.text) == "en"
    assert {level for _, level in seen} == {1, 2, 3, 4}
    assert {language for language, _ in seen} == {"zh", "en", "other"}
    assert {("zh", 4), ("en", 4)} <= set(seen)


def test_a_text_with_one_missing_character_is_discarded_whole(tmp_path: Path) -> None:
    """DejaVu has no Han characters, Noto no Egyptian ones: only the whole sentences come."""
    corpus = tmp_path / "mixed.txt"
    corpus.write_text(
        "A plain English sentence.\nOne with a \U00013000 hieroglyph inside.\n\U00013001 is a sign.\n", "utf-8"
    )
    made = Recipe.load(
        PURE, [only("kind: sentence, corpus: own"), f"corpora=[{{name: own, file: '{corpus}', license: CC0-1.0}}]"]
    )
    samples = [made.render(index) for index in range(40)]
    assert {" ".join(s.text.split()) for s in samples} == {"A plain English sentence."}
    assert sum(s.discarded for s in samples) > 10
    assert {s.license for s in samples} == {"CC0-1.0"}
    assert samples[0].parents[1].startswith("corpus:own@")


def test_a_corpus_that_cannot_be_shown_at_all_is_an_error(tmp_path: Path) -> None:
    corpus = tmp_path / "hieroglyphs.txt"
    corpus.write_text("\U00013000\U00013001\U00013002 \U00013000\U00013003\n", "utf-8")
    overrides = [only("kind: line, corpus: own"), f"corpora=[{{name: own, file: '{corpus}'}}]"]
    with pytest.raises(UserError, match=r"contents\.0 \(line\).*no font has"):
        Recipe.load(PURE, overrides)


@pytest.mark.parametrize("language", ["zh", "en"])
def test_sentences_are_whole_and_varied(language: str) -> None:
    rng = np.random.default_rng(0)
    made = [sentence(language, rng) for _ in range(500)]
    assert len(set(made)) > 400
    for text in made + [phrase(language, rng) for _ in range(300)]:
        assert "{" not in text
        assert "  " not in text
        assert " a a" not in text
        assert not any(f" a {vowel}" in text for vowel in "aeiou")
    assert all(text[-1] in '。！？.!?"”' for text in made)
    if language == "en":
        assert all(re.match(r"\W*[A-Z][a-z ]", text) for text in made)
    pattern_starts = [part[:6] for part in sentences("en", 6, rng).split(". ")]
    assert len(pattern_starts) == len(set(pattern_starts))


@pytest.mark.parametrize("language", ["zh", "en"])
def test_word_lists_hold_no_word_twice_and_the_default_font_draws_them_all(language: str) -> None:
    words = wordlist(language)
    assert len(words) == len(set(words)) > 300
    face = recipe(PURE).fonts[0].face(400)
    assert all(face.draws(character) for word in words for character in word)


@pytest.mark.parametrize("resolution", [256, 640, 1328])
def test_a_resolution_is_the_nine_sizes_of_training(resolution: int) -> None:
    rng = np.random.default_rng(0)
    canvases = [Canvas(resolution=resolution)]
    assert Counter(pick_size(canvases, rng) for _ in range(900)).keys() == set(sizes(resolution))
    sample = recipe(PURE, f"canvases=[{{resolution: {resolution}}}]", only("kind: paragraph")).render(1)
    assert sample.image.size in sizes(resolution)


def test_a_canvas_is_a_size_or_a_resolution() -> None:
    for fields in ({}, {"size": (64, 64), "resolution": 256}):
        with pytest.raises(ValueError, match="either size or resolution"):
            Canvas(**fields)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("kind: word, words: [fine, '\U0001f600']", "holds what cannot be drawn"),
        ("kind: word, words: ['']", "is empty"),
        ("kind: word, length: [1, 6000]", "length must be .* within 1..5000"),
    ],
)
def test_contents_that_cannot_be_drawn_are_one_line(content: str, message: str) -> None:
    with pytest.raises(UserError, match=message):
        recipe(GLYPHS, only(content))


def test_words_of_the_dictionary_say_nothing_obscene_or_political() -> None:
    reachable = {word for words in dictionary().values() for word in words}
    assert (
        not {"妓女", "强奸", "卖淫", "裸体", "法轮功", "共产党", "毛主席", "台独", "赌博", "屠杀", "纳粹"} & reachable
    )
    assert not [word for word in reachable if is_blocked(word)]
    assert {"图书", "湖泊", "苹果"} <= reachable


def test_words_of_a_line_are_kept_apart_and_characters_without_one_stand_alone() -> None:
    words = {word for found in dictionary().values() for word in found}
    for index in range(150):
        text = recipe(PURE, only("kind: balanced, words: [2, 4]")).text(index)[0].replace("\n", "")
        assert all(part in words or len(part) == 1 for part in re.split("[、， ]", text)), text


def test_words_of_a_lexicon_come_and_common_ones_come_before_those_of_one_text() -> None:
    """恕已及物 is a misspelling of 恕己及物; 髃 has no other word than 肩髃, which the lexicon lacks."""
    words = {word for found in dictionary().values() for word in found}
    assert not {"恕已及物", "吊膀子"} & words
    known = phrases("test") | {word for word, count in frequencies()[0].items() if count >= 100}
    alone = [character for character, found in dictionary().items() if not known.intersection(found)]
    mixed = [c for c, found in dictionary().items() if known.intersection(found) and not known.issuperset(found)]
    assert "髃" in alone
    assert not mixed
    assert 800 < len(alone) < 1300


def test_a_word_knows_the_heading_it_stands_under_and_a_given_one_knows_none() -> None:
    made = recipe(PURE, "contents=[{kind: word, languages: {en: 1}}]")
    found = {made._drawn(index).composition.text for index in range(12)}
    assert {text.topic for text in found} <= set(wordlist("en").values())
    assert all(wordlist("en")[text.text] == text.topic for text in found)
    given = recipe(PURE, "contents=[{kind: word, words: [apple]}]")
    assert given._drawn(0).composition.text.topic == ""
