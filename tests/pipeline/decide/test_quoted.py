"""Quotations that a reader finds in the picture, and those that nobody does."""

from __future__ import annotations

import pytest

from pipeline.decide.quoted import quoted_read


@pytest.mark.parametrize(
    ("captions", "read", "expected"),
    [
        (['A sign that says "EXIT"'], "Exit", 1.0),
        (["一块牌子，上面写着“今日特价”"], "欢迎光临\n今日特价\n满100减20", 1.0),
        (['A poster with "GRAND\nOPENING"'], "GRAND\nOPENING", 1.0),
        (['A sign that says "EXIT"'], "", 0.0),
        (['A sign that says "EXIT"'], "日月", 0.0),
        (['"ABCD" above "WXYZ"'], "ABCD", 0.5),
        (['It says "HELLO WORLD"'], "HELLO", 0.5),
        (["A cat"], "EXIT", None),
        (['A sign that says "EXIT"'], None, None),
        ([], "EXIT", None),
    ],
)
def test_share_of_what_is_quoted(captions: list[str], read: str | None, expected: float | None) -> None:
    found = quoted_read([{"text": text, "invalid": None} for text in captions], read)
    assert found == (None if expected is None else pytest.approx(expected, abs=0.01))


def test_refused_captions_say_nothing() -> None:
    captions = [{"text": 'says "EXIT"', "invalid": "S3.alignment"}, {"text": 'says "SHOP"', "invalid": None}]
    assert quoted_read(captions, "SHOP") == 1.0
