"""``repeats``: rare characters are drawn more often, every cell averages 1, nothing passes the cap."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.decide.balance import BalanceConfig, balance, mean_one
from tests.pipeline.rows import table


def word(text: str, **more: object) -> dict:
    return {"text": text, "text_language": "en", "text_level": 1, **more}


def test_rare_characters_weigh_more_and_every_cell_averages_one() -> None:
    rows = [word("a")] * 8 + [word("b")] * 2 + [word("字", text_language="zh")] * 3 + [{}]
    frame = table(*rows)
    repeats = balance(frame, BalanceConfig(characters=0.5, cap=4.0))["repeats"].to_numpy()
    assert repeats[8] / repeats[0] == pytest.approx(2.0)  # (8 / 2) ** 0.5
    assert repeats[:10].mean() == pytest.approx(1.0, abs=1e-6)
    assert repeats[10:] == pytest.approx(np.ones(4))


def test_categories_weigh_too_and_zero_leaves_frequencies_alone() -> None:
    rows = [{"category": "cat"}] * 9 + [{"category": "newt"}]
    assert balance(table(*rows), BalanceConfig())["repeats"][9] == pytest.approx(
        3 * balance(table(*rows), BalanceConfig())["repeats"][0]
    )
    flat = balance(table(*rows), BalanceConfig(characters=0, categories=0))["repeats"].to_numpy()
    assert flat == pytest.approx(np.ones(10))


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(1e-3, 1e3), min_size=1, max_size=50), st.floats(1.0, 10.0))
def test_mean_one_keeps_the_mean_the_cap_and_the_order(weights: list[float], cap: float) -> None:
    scaled = mean_one(np.array(weights), cap)
    assert scaled.mean() == pytest.approx(1.0, abs=1e-6)
    assert scaled.max() <= cap * (1 + 1e-9)
    assert scaled.min() >= 1 / cap * (1 - 1e-9)
    order = np.argsort(weights, kind="stable")
    assert (np.diff(scaled[order]) >= -1e-12).all()


def test_by_default_the_long_tail_is_drawn_up_to_ten_times_and_each_cell_once_on_average() -> None:
    """Characters of a Zipf distribution, in two languages: a level each is a cell."""
    rng = np.random.default_rng(0)
    rows = [
        word(chr(0x4E00 + min(int(rng.zipf(2.0)), 20_000)), text_language=language, text_level=level)
        for language in ("zh", "en")
        for level in (1, 2)
        for _ in range(2000)
    ]
    repeats = balance(table(*rows), BalanceConfig())["repeats"].to_numpy()
    assert 0.1 - 1e-6 <= repeats.min() < 0.5
    assert 4 < repeats.max() <= 10 + 1e-5
    assert repeats.reshape(4, 2000).mean(axis=1) == pytest.approx(np.ones(4), abs=1e-4)
