"""What ``repeats`` (expected draws per epoch) does to the frequencies of characters and to the cells.

kept rows, once each          ──> frequency of every character   "before"
kept rows, ``repeats`` times  ──> frequency of every character   "after"
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import polars as pl

from pipeline.report import charts

_CELL = ("task", "text_language", "text_level")
"""``repeats`` averages 1 within each of these: shares between them belong to the training phase."""
_CODES = 0x110000
"""Code points of Unicode."""


@dataclass(frozen=True)
class Draws:
    """``characters``: the C distinct ones. ``once``, ``weighted``: (C,) draws of each per epoch, where each row is drawn
    once, and where it is drawn ``repeats`` times."""

    characters: list[str]
    once: np.ndarray
    weighted: np.ndarray

    def counts(self) -> Counter[str]:
        """Occurrences of each character."""
        return Counter(dict(zip(self.characters, self.once.astype(int).tolist(), strict=True)))


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
    chart: charts.Chart | None
    lift: charts.Chart | None
    characters: int
    top_before: float
    top_after: float


def balance(kept: pl.DataFrame, draws: Draws) -> Balance:
    """The balance of kept rows (repeats, task, text_language, text_level), whose texts hold ``draws``."""
    kept = kept.select(*_CELL, pl.col("repeats").fill_null(1.0).cast(pl.Float64))
    before, after = draws.once, draws.weighted
    if len(before) < 2:
        return Balance(_cells(kept), None, None, len(before), 0.0, 0.0)
    ranks = np.arange(1, len(before) + 1, dtype=np.float64)
    chart = charts.line_chart(
        [
            charts.Series(ranks, np.sort(before)[::-1], "before", "each picture once"),
            charts.Series(ranks, np.maximum(np.sort(after)[::-1], 1e-3), "after", "with repeats"),
        ],
        ("rank", "draws"),
        log=(True, True),
    )
    return Balance(_cells(kept), chart, _lift(before, after, ranks), len(before), _top(before), _top(after))


def character_draws(texts: Iterable[pl.Series], repeats: np.ndarray) -> Draws:
    """Of the visible characters of all ``texts`` together, in pieces; ``repeats`` (N,) are their rows', NaN counts as 1."""
    once, weighted, start = np.zeros(_CODES), np.zeros(_CODES), 0
    for piece in texts:
        filled = piece.fill_null("")
        codes = np.frombuffer("".join(filled).encode("utf-32-le", "replace"), np.uint32)
        weights = np.nan_to_num(repeats[start : start + len(filled)], nan=1.0)
        once += np.bincount(codes, minlength=_CODES)
        weighted += np.bincount(codes, np.repeat(weights, filled.str.len_chars().to_numpy()), minlength=_CODES)
        start += len(filled)
    seen = np.array([code for code in np.flatnonzero(once) if not chr(code).isspace()], np.int64)
    return Draws([chr(code) for code in seen], once[seen], weighted[seen])


def _lift(before: np.ndarray, after: np.ndarray, ranks: np.ndarray) -> charts.Chart:
    order = np.argsort(-before, kind="stable")
    ratio = charts.smooth((after / before)[order], max(1, len(order) // 20))
    even = charts.Series(ranks[[0, -1]], np.ones(2), "before", "as often as before")
    reach = max(1.1, float(ratio.max()), 1 / max(float(ratio.min()), 0.1))
    lines = [even, charts.Series(ranks, ratio, "after", "after balancing")]
    return charts.line_chart(lines, ("rank", "times"), log=(True, True), y_range=(1 / reach, reach), height=110)


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
