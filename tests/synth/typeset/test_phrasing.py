"""Ends of Chinese lines cost nothing at a pause and most within what belongs together."""

from __future__ import annotations

import pytest

from synth.typeset.phrasing import chinese_ends


def test_a_pause_costs_nothing() -> None:
    assert chinese_ends(["下雨，", "我们"]) == [0.0, 0.0]


@pytest.mark.parametrize(
    "words",
    [
        ["售票", "窗口"],  # two nouns
        ["在", "图书馆"],  # a preposition and its noun
        ["三", "小猫"],
        ["新", "图书馆"],
        ["走", "到"],  # a verb and what comes of it
        ["窗口", "旁"],
        ["很", "漂亮"],
    ],
)
def test_what_belongs_together_costs_most(words: list[str]) -> None:
    assert chinese_ends(words)[1] == 1.0


@pytest.mark.parametrize(
    ("better", "worse"),
    [
        (["图书馆", "在", "楼上"], ["看", "展览"]),  # before a preposition rather than between verb and object
        (["邻居", "去", "海边"], ["看", "展览"]),  # between subject and predicate rather than verb and object
        (["苹果、", "梨"], ["邻居", "去"]),
    ],
)
def test_some_ends_are_better_than_others(better: list[str], worse: list[str]) -> None:
    assert 0 < chinese_ends(better)[1] < chinese_ends(worse)[1] < 1


def test_traditional_words_are_looked_up_as_simplified_ones() -> None:
    assert chinese_ends(["售票", "窗口"]) == chinese_ends(["售票", "窗口"])
    assert chinese_ends(["鐵路", "車站"]) == chinese_ends(["铁路", "车站"])
