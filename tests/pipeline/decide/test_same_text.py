"""Texts that a reader may have read of one picture, and those that make another picture of it."""

from __future__ import annotations

import polars as pl
import pytest

from pipeline.decide.same_text import rests, same_rests, text_groups

PAGE = "天地玄黄宇宙洪荒日月盈昃辰宿列张寒来暑往秋收冬藏闰余成岁律吕调阳"


def same(one: str | None, other: str | None) -> bool:
    """By group and by the second look."""
    texts = pl.Series([one, other], dtype=pl.String)
    groups, is_long = text_groups(texts)
    if groups[0] != groups[1] or not is_long[0]:
        return bool(groups[0] == groups[1])
    rest = rests(texts)
    return bool(same_rests(rest[:1], rest[1:])[0])


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (None, ""),
        ("EXIT 12", "exit  12!"),
        ("EXIT 12", "ＥＸＩＴ\n12"),
        ("欢迎光临", "欢迎, 光临。"),
        (PAGE, PAGE.replace("盈", "盁")),
        (PAGE, PAGE[1:]),
        ("one internationalization two", "one internationalizatiom two"),
    ],
)
def test_the_same(one: str | None, other: str | None) -> None:
    assert same(one, other)
    assert same(other, one)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (None, "EXIT"),
        ("EXIT 12", "EXIT 47"),
        ("EXIT 12", "SHOP 12"),
        ("GATE A1", "GATE A2"),
        ("12 34", "1234"),
        ("出口", "入口"),
        ("走2路", "走3路"),
        (PAGE + "2024", PAGE + "2025"),
        (PAGE, PAGE.replace("盈昃", "盁仄")),
        (PAGE + " exit", PAGE + " exist"),
        ("wagon", "wagen"),
    ],
)
def test_not_the_same(one: str | None, other: str | None) -> None:
    assert not same(one, other)
    assert not same(other, one)
