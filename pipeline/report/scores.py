"""Where the scores of a run lie, and where the rules of ``decide`` cut them.

keep: clarity >= 40 and luma < 250   ──thresholds──>   clarity: 40 and above, luma: below 250
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from pipeline.predicate import parse
from pipeline.report import charts
from pipeline.report.cuts import Cut, cuts

SHOWN = {
    "clarity": "sharpness of edges",
    "luma": "mean brightness",
    "saturation": "strength of colours",
    "entropy": "variety of colours; large uniform regions are low",
    "texture": "fine structure; noise is high",
    "blockiness": "visible blocks of strong compression",
    "nsfw": "probability of not-safe-for-work content",
    "ocr_score": "confidence of the text reader",
    "text_area": "share of the picture that lines of text cover",
    "text_min_height": "height of the smallest line of text, px",
    "text_chars": "visible characters",
    "short_side": "shorter side of the picture, px",
    "bytes_len": "size of the file, bytes",
}
"""Columns with a histogram, in this order, and what they tell; definitions are in pipeline/annotate/measure.py."""


PARTS = ("nsfw", "ocr_score", "text_area")
"""Columns that are shares or probabilities: their axis is 0 to 1."""


@dataclass(frozen=True)
class Threshold:
    """A cut on the chart: its place, the stretch that is stopped (percent), and the words beside it.

    ``lanes``: whether the rule judges any (real, made) picture.
    """

    at: float
    left: float
    width: float
    label: str
    lanes: tuple[bool, bool]


@dataclass(frozen=True)
class ScoreChart:
    column: str
    meaning: str
    chart: charts.Histogram
    thresholds: list[Threshold]
    real: int
    made: int
    nulls: int


Named = tuple[str, Cut, tuple[bool, bool]]
"""A rule's name, one of its cuts, and whether it judges any (real, made) picture."""


def score_charts(rows: pl.DataFrame, rules: Sequence[Mapping[str, Any]]) -> list[ScoreChart]:
    """A chart for every column of ``SHOWN`` that has a value.

    ``rules``: name (S2.clarity), keep and applies_to of each rule.
    """
    if rows.is_empty():
        return []
    rows = rows.with_columns(short_side=pl.min_horizontal("width", "height"))
    by_column: dict[str, list[Named]] = {}
    for rule in rules:
        lanes = _judged(rows, rule.get("applies_to"))
        for cut in cuts(rule["keep"]):
            column = "short_side" if cut.column in ("width", "height") else cut.column
            same = by_column.setdefault(column, [])
            if (rule["name"], cut.side, cut.value) not in [(name, c.side, c.value) for name, c, _ in same]:
                same.append((rule["name"], cut, lanes))
    return [
        _chart(rows, column, meaning, by_column.get(column, []))
        for column, meaning in SHOWN.items()
        if column in rows.columns and rows[column].count() > 0
    ]


def _judged(rows: pl.DataFrame, applies_to: str | None) -> tuple[bool, bool]:
    """Whether ``applies_to`` is true of any real and of any made row."""
    chosen = rows.filter(parse(applies_to).polars(rows.schema)) if applies_to else rows
    return not chosen["made"].all() or chosen.is_empty(), bool(chosen["made"].any())


def _chart(rows: pl.DataFrame, column: str, meaning: str, named: Sequence[Named]) -> ScoreChart:
    lanes = [
        rows.filter(pl.col("made") == made)[column].drop_nulls().cast(pl.Float64).to_numpy() for made in (False, True)
    ]
    positive = min(float(np.min(lane)) for lane in lanes if lane.size) > 0
    wanted = [cut.value for _, cut, _ in named if cut.value > 0 or not positive]
    scale = charts.Scale(0.0, 1.0) if column in PARTS else None
    chart = charts.histogram(lanes[0], lanes[1], include=wanted, scale=scale)
    lines = [_threshold(chart.scale, *one) for one in named]
    return ScoreChart(column, meaning, chart, lines, lanes[0].size, lanes[1].size, rows[column].null_count())


def _threshold(scale: charts.Scale, name: str, cut: Cut, lanes: tuple[bool, bool]) -> Threshold:
    at = scale.at(cut.value)
    words = {"above": "at least", "below": "at most", "equal": "exactly"}[cut.side]
    stopped = {"above": (0.0, at), "below": (at, round(100 - at, 3)), "equal": (at, 0.0)}[cut.side]
    return Threshold(at, *stopped, f"{name}: {words} {charts.short(cut.value)}", lanes)
