"""LongText-Bench's count, worked by hand."""

import pytest

from trainer.evaluate.base import Item
from trainer.evaluate.config import EvaluateConfig
from trainer.evaluate.scores.overlap import overlap, units
from trainer.evaluate.suites.long_text import LongText


@pytest.mark.parametrize(
    ("text", "language", "expected"),
    [
        ("Fresh TEA, every day!", "en", ["fresh", "tea", "every", "day"]),
        ("Café — 50% off\n& more", "en", ["café", "50", "off", "more"]),
        ("don't", "en", ["dont"]),  # the apostrophe goes, the word stays one
        ("全场 8折，Sale！", "zh", ["全", "场", "8", "折", "S", "a", "l", "e"]),
        ("龥龦", "zh", ["龥"]),  # U+9FA5 is the last one that its cleaner keeps
    ],
)
def test_units(text, language, expected):
    assert units(text, language) == expected


def test_overlap_is_of_multisets():
    assert overlap(["a", "a", "b"], ["a", "b", "b"]) == 2
    assert overlap([], ["a"]) == 0


@pytest.mark.parametrize(
    ("lines", "hits", "read"),
    [
        (("Open late", "Fresh tea"), 4, 4),
        (("fresh TEA open", "late"), 4, 4),  # order and case cost nothing
        (("Open open late",), 2, 3),  # a word counts as often as it is asked for
        (("Open late Fresh tea and much more",), 4, 7),  # surplus costs precision alone
        ((), 0, 0),
    ],
)
def test_a_picture_counts_its_words(lines, hits, read):
    item = Item("0", "", 64, 64, ("Open late", "Fresh tea!"), "en")
    judged = LongText(EvaluateConfig()).judge(item, lines)
    assert judged == {"overlap": (hits, 4.0), "precision": (hits, float(read))}


def test_chinese_counts_characters_in_their_case():
    item = Item("0", "", 64, 64, ("特价 Tea",), "zh")
    judged = LongText(EvaluateConfig()).judge(item, ("价tea特",))
    assert judged["overlap"] == (4.0, 5.0)  # 特 价 e a; T is not t
