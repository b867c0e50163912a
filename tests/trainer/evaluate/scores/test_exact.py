"""What was read against what was asked."""

import pytest

from pipeline.ocr.lines import character_accuracy, normalize
from trainer.evaluate.scores.exact import is_exact, judge_text


@pytest.mark.parametrize(
    ("wanted", "read", "right"),
    [("A", "A", True), ("A", "Ａ", True), ("27", "2 7", True), ("A", "a", False), ("0", "O", False), ("国", "", False)],
)
def test_exactness_forgives_width_and_gaps_but_not_case(wanted, read, right):
    assert is_exact(wanted, read) is right


def test_normalise_keeps_what_is_seen():
    assert normalize(" Ｑ３　龙\n") == "Q3龙"


@pytest.mark.parametrize(
    ("wanted", "read", "accuracy"),
    [("1234", "1234", 1.0), ("1234", "1243", 0.5), ("12", "1234", 0.5), ("龙", "", 0.0), ("", "", 1.0)],
)
def test_character_accuracy_is_one_minus_ned(wanted, read, accuracy):
    assert character_accuracy(wanted, read) == pytest.approx(accuracy)


def test_surplus_text_costs_precision():
    # 3 of the 5 read characters were asked for
    assert judge_text("abc", "abcxy")["precision"] == (3.0, 5.0)
    assert judge_text("abc", "")["precision"] == (0.0, 0.0)
