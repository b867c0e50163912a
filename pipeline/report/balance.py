"""What ``repeats`` (expected draws per epoch) does to the frequencies of characters and to the cells.

kept rows, once each          ──> frequency of every character   "before"
kept rows, ``repeats`` times  ──> frequency of every character   "after"
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.report import charts

_CELL = ("task", "text_language", "text_level")
"""``repeats`` averages 1 within each of these: shares between them belong to the training phase."""


@dataclass(frozen=True)
class Cell:
    """A cell of the balance: its rows, and how ``repeats`` spreads in it."""

    task: str
    language: str
    level: int | None
    rows: int
    low: float
    mean: float
    high: float


@dataclass(frozen=True)
class Balance:
    """``chart``: expected draws of each character, most frequent first, before and after; both axes logarithmic.

    ``lift``: draws of a character after balancing for each before, averaged over its neighbors in rank.
    ``top_before`` / ``top_after``: share of all draws that falls on the most frequent tenth of the characters.
    """

    cells: list[Cell]
    chart: charts.LineChart | None
    lift: charts.LineChart | None
    characters: int
    top_before: float
    top_after: float


def balance(kept: pl.DataFrame) -> Balance:
    """The balance of kept rows (text, repeats, task, text_language, text_level); ``repeats`` null counts as 1."""
    kept = kept.with_columns(pl.col("repeats").fill_null(1.0).cast(pl.Float64))
    before, after = character_draws(kept)
    if len(before) < 2:
        return Balance(_cells(kept), None, None, len(before), 0.0, 0.0)
    ranks = np.arange(1, len(before) + 1, dtype=np.float64)
    chart = charts.line_chart(
        [
            charts.Series(ranks, np.sort(before)[::-1], "before", "each picture once"),
            charts.Series(ranks, np.maximum(np.sort(after)[::-1], 1e-3), "after", "with repeats"),
        ],
        log_x=True,
        log_y=True,
    )
    return Balance(_cells(kept), chart, _lift(before, after, ranks), len(before), _top(before), _top(after))


def character_draws(kept: pl.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """(C,) expected draws per epoch of each distinct visible character, unweighted and weighted by ``repeats``."""
    once: defaultdict[str, float] = defaultdict(float)
    weighted: defaultdict[str, float] = defaultdict(float)
    for text, repeats in kept.select("text", "repeats").iter_rows():
        for character in text or "":
            if not character.isspace():
                once[character] += 1
                weighted[character] += repeats
    order = sorted(once)
    return np.array([once[c] for c in order]), np.array([weighted[c] for c in order])


def _lift(before: np.ndarray, after: np.ndarray, ranks: np.ndarray) -> charts.LineChart:
    order = np.argsort(-before, kind="stable")
    ratio = charts.smooth((after / before)[order], max(1, len(order) // 20))
    even = charts.Series(ranks[[0, -1]], np.ones(2), "before")
    reach = max(1.1, float(ratio.max()), 1 / max(float(ratio.min()), 0.1))
    return charts.line_chart(
        [even, charts.Series(ranks, ratio, "after")], log_x=True, log_y=True, y_range=(1 / reach, reach), y_ticks=3
    )


def _top(draws: np.ndarray) -> float:
    top = np.sort(draws)[::-1][: max(1, len(draws) // 10)]
    return float(top.sum() / draws.sum()) if draws.sum() else 0.0


def _cells(kept: pl.DataFrame) -> list[Cell]:
    grouped = (
        kept.group_by(_CELL)
        .agg(
            pl.len().alias("rows"),
            pl.col("repeats").min().alias("low"),
            pl.col("repeats").mean().alias("mean"),
            pl.col("repeats").max().alias("high"),
        )
        .sort(_CELL, nulls_last=True)
    )
    return [
        Cell(task, language or "unknown", level, rows, low, mean, high)
        for task, language, level, rows, low, mean, high in grouped.iter_rows()
    ]
