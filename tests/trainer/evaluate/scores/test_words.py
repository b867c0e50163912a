"""CVTG-2K's count, worked by hand."""

import pytest

from trainer.evaluate.base import Item
from trainer.evaluate.config import EvaluateConfig
from trainer.evaluate.scores.clip_score import clip_score
from trainer.evaluate.scores.words import found, quoted, similarity, words
from trainer.evaluate.suites.cvtg import Cvtg


def test_truth_is_what_stands_in_single_quotes():
    assert quoted("A sign 'SALE NOW' and a cup with 'Tea'.") == ["SALE NOW", "Tea"]
    assert quoted("the owner's cup says 'Tea'") == ["s cup says "]  # an apostrophe breaks it, as it does there


def test_words_are_lower_case_and_one_read_word_serves_several():
    assert words(["SALE  now", "Tea"]) == ["sale", "now", "tea"]
    assert found(["tea", "tea", "now"], ["tea"]) == 2


@pytest.mark.parametrize(
    ("word", "read", "expected"),
    [
        ("sale", ["sale"], 1.0),
        ("sale", ["sole", "x"], 0.75),  # one of four characters
        ("sale", ["sales"], 0.8),  # one of five
        ("sale", [], 0.0),
        ("sale", ["xyz"], 0.0),
    ],
)
def test_similarity_to_the_nearest_word(word, read, expected):
    assert similarity(word, read) == pytest.approx(expected, abs=1e-5)


def test_a_picture_counts_its_words():
    item = Item("0", "", 64, 64, ("SALE NOW", "Tea"))
    judged = Cvtg(EvaluateConfig()).judge(item, ("Sale", "Tee tea pot"))
    assert judged["word_accuracy"] == (2.0, 3.0)  # sale, tea; now is missing
    assert judged["precision"] == (2.0, 4.0)
    # now: its nearest word by difflib is pot or sale ..., with one letter in common at most
    assert 2.0 <= judged["ned"][0] <= 2.34
    assert judged["ned"][1] == 3.0


def test_clip_score_scales_the_cosine():
    assert clip_score(0.32) == pytest.approx(0.8)
    assert clip_score(-0.1) == 0.0
