"""Numbers as people read them."""

from __future__ import annotations

import math

import pytest

from configs.numbers import duration, number, percent, short, size


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (0.25, "0.25"),
        (0.00025, "2.5e-4"),
        (1234.0, "1234"),
        (12345, "12.3k"),
        (2.5e6, "2.5M"),
        (math.nan, "not finite"),
    ],
)
def test_short_numbers(value: float, text: str) -> None:
    assert short(value) == text


def test_words_for_numbers() -> None:
    assert (number(1234567), number(None), number(0.12345)) == ("1,234,567", "–", "0.123")
    assert (percent(0.1234), percent(0.0), percent(0.0001)) == ("12.3 %", "0.0 %", "< 0.1 %")
    assert [duration(s) for s in (4.25, 59.97, 190, 7500)] == ["4.2 s", "1 min 0 s", "3 min 10 s", "2 h 5 min"]
    assert [size(n) for n in (12, 1500, 2.5e6, 3e9)] == ["12 bytes", "1.5 kB", "2.5 MB", "3.0 GB"]


@pytest.mark.parametrize(
    ("seconds", "told"), [(4.21, "4.2 s"), (59.6, "1 min 0 s"), (187, "3 min 7 s"), (50_600, "14 h 3 min")]
)
def test_durations_are_read_at_a_glance(seconds: float, told: str) -> None:
    assert duration(seconds) == told
