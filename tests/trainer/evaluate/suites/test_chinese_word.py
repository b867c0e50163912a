"""ChineseWord: the characters of the standard table, and the weights of its levels."""

import pytest

from trainer.evaluate.config import EvaluateConfig
from trainer.evaluate.scores.means import figures
from trainer.evaluate.suites.chinese_word import ChineseWord, evenly


def test_all_8105_characters_are_asked_for_once():
    items = ChineseWord(EvaluateConfig()).items()
    assert len(items) == len({item.id for item in items}) == len({item.text for item in items}) == 8105
    assert all(f"“{item.text}”" in item.prompt for item in items)
    groups = [item.group for item in items]
    assert [groups.count(f"level {n}") for n in (1, 2, 3)] == [3500, 3000, 1605]


def test_levels_weigh_by_their_size_however_few_are_drawn():
    suite = ChineseWord(EvaluateConfig(chinese_word=3))
    items = suite.items()
    assert len(items) == 9
    read = [item.text if item.group == "level 1" else "x" for item in items]
    rows = [(i.id, i.group, suite.judge(i, [r])) for i, r in zip(items, read, strict=True)]
    assert figures(rows, suite.weights)["exact"].value == pytest.approx(3500 / 8105)


def test_evenly_takes_both_ends():
    assert evenly("abcdefg", 3) == ["a", "d", "g"]
    assert evenly("abc", 0) == evenly("abc", 9) == ["a", "b", "c"]
