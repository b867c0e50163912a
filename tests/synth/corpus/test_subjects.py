"""Texts of one subject: every subject has what pages ask for, and its sentences come in their order."""

from __future__ import annotations

import re

import numpy as np
import pytest

from synth.corpus import subjects
from synth.corpus.builtin import DATA
from synth.corpus.subjects import Part
from synth.language import CaptionLanguage

LANGUAGES: tuple[CaptionLanguage, ...] = ("en", "zh")


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_subject_has_a_title_headings_sentences_items_and_a_note(language: CaptionLanguage) -> None:
    found = subjects._subjects(language)
    assert len(found) >= 29
    for name, subject in found.items():
        assert subject.title, name
        assert len(subject.sections) >= 2, name
        assert all(heading and sentences for heading, sentences in subject.sections), name
        assert sum(len(sentences) for _, sentences in subject.sections) >= 8, name
        assert len(subject.more["item"]) >= 4, name
        assert subject.more["note"], name


@pytest.mark.parametrize("language", LANGUAGES)
def test_no_slot_is_left_open_and_no_mark_of_emphasis(language: CaptionLanguage) -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        title, paragraphs = subjects.passage(language, [2, 3, 1], rng)
        listed, entries = subjects.items(language, 5, rng)
        for text in (title, *paragraphs, listed, *entries):
            assert text
            assert not re.search(r"[{}*]|\b_\w", text), text


def test_sentences_of_a_passage_follow_each_other_in_the_file() -> None:
    file = (DATA / "subjects-zh.txt").read_text("utf-8").replace("*", "")
    plain = [line[3:] for line in file.splitlines() if line.startswith("s: ") and "{" not in line]
    rng = np.random.default_rng(1)
    checked = 0
    for _ in range(60):
        for paragraph in subjects.passage("zh", [3, 3], rng)[1]:
            at = [paragraph.index(sentence) for sentence in plain if sentence in paragraph]
            assert sorted(at) == at, paragraph
            checked += len(at) > 1
    assert checked > 30


def test_a_note_is_referred_to_by_the_sentence_that_is_of_it() -> None:
    parts = [
        Part(
            "paragraph",
            "The gauge of the railway is 3.5 feet wide. It opened in May.",
            ((4, 9, "bold"), (46, 52, "italic")),
        ),
        Part("paragraph", "Trains run from early morning."),
    ]
    first, second = subjects._referred(parts, 2, "The railway gauge was measured twice.") or []
    assert first.text == "The gauge of the railway is 3.5 feet wide.[2] It opened in May."
    assert [first.text[a:b] for a, b, _ in first.runs] == ["gauge", "opened"]
    assert second == parts[1]
    assert subjects._referred(parts, 1, "Clay shrinks when fired.") is None


def test_more_entries_than_a_subject_has_come_from_others() -> None:
    _, entries = subjects.items("en", 10, np.random.default_rng(2))
    assert len(entries) == len(set(entries)) == 10


@pytest.mark.parametrize("language", ["en", "zh"])
def test_no_document_ends_with_a_heading_however_short_it_is_cut(language: CaptionLanguage) -> None:
    for seed in range(150):
        rng = np.random.default_rng(seed)
        made = subjects.write(language, int(rng.integers(100, 3000)), frozenset(), rng)
        assert made.parts[-1].kind == "paragraph", seed
