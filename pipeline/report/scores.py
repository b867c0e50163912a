"""Where the scores of a run lie, and where the rules of ``decide`` cut them.

keep: clarity >= 40 and luma < 250   ──thresholds──>   clarity: 40 and above, luma: below 250
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from configs.numbers import short
from pipeline.predicate import parse
from pipeline.report import charts
from pipeline.report.cuts import Cut, cuts, values

_SHOWN = {
    "clarity": "sharpness of edges",
    "luma": "mean brightness",
    "saturation": "strength of colors",
    "entropy": "variety of colors; large uniform regions are low",
    "texture": "fine structure; noise is high",
    "blockiness": "visible blocks of strong compression",
    "exposure": "share of pixels crushed to black or burnt out",
    "nsfw": "probability of not-safe-for-work content",
    "ocr_score": "confidence of the text reader",
    "text_area": "share of the picture that lines of text cover",
    "text_min_height": "height of the smallest line of text, px",
    "text_chars": "visible characters",
    "face_area": "share of the picture that faces cover",
    "face_hidden": "mosaic or blur over a face",
    "category_score": "probability of the category",
    "width * height": "pixels",
    "width / height": "aspect ratio",
    "bytes_len": "size of the file, bytes",
}
"""Quantities with a histogram, in this order, and what they mean; definitions are in pipeline/annotators/measure.py.
Other quantities that rules compare with a number follow."""


_RATIOS = ("clarity", "width * height", "bytes_len")
"""Quantities that are compared by ratio: their axis is logarithmic."""

_FLAGS = 8
"""A quantity of a rule with so few values is a code, not a score, as the EXIF orientation is; chosen."""

_PARTS = ("exposure", "nsfw", "ocr_score", "text_area", "face_area", "face_hidden", "category_score")
"""Quantities that are shares or probabilities: their axis is 0 to 1."""


@dataclass(frozen=True)
class Threshold:
    """A cut on the chart: its place, the stretch that is stopped (percent), and the words beside it.

    ``lanes``: whether the rule judges any (real, synthetic) picture.
    """

    at: float
    left: float
    width: float
    label: str
    lanes: tuple[bool, bool]


@dataclass(frozen=True)
class ScoreChart:
    quantity: str
    meaning: str
    chart: charts.Histogram
    thresholds: list[Threshold]
    real: int
    synthetic: int
    nulls: int


_Named = tuple[str, Cut, tuple[bool, bool]]
"""A rule's name, one of its cuts, and whether it judges any (real, synthetic) picture."""


def score_charts(rows: pl.DataFrame, rules: Sequence[Mapping[str, Any]]) -> list[ScoreChart]:
    """A chart for every quantity of ``_SHOWN``, or in a rule, that has a value.

    ``rules``: name (S2.clarity), keep and applies_to of each rule.
    """
    if rows.is_empty():
        return []
    named: dict[str, list[_Named]] = {quantity: [] for quantity in _SHOWN}
    for rule in rules:
        lanes = _judged(rows, rule.get("applies_to"))
        for cut in cuts(rule["keep"]):
            named.setdefault(cut.quantity, []).append((rule["name"], cut, lanes))
    found = (_chart(rows, quantity, lines) for quantity, lines in named.items())
    return [chart for chart in found if chart is not None]


def _judged(rows: pl.DataFrame, applies_to: str | None) -> tuple[bool, bool]:
    """Whether ``applies_to`` is true of any real and of any synthetic row."""
    chosen = rows.filter(parse(applies_to).polars(rows.schema)) if applies_to else rows
    return not chosen["synthetic"].all() or chosen.is_empty(), bool(chosen["synthetic"].any())


def _chart(rows: pl.DataFrame, quantity: str, named: Sequence[_Named]) -> ScoreChart | None:
    column = values(rows, quantity)
    if column is None or column.is_null().all() or (quantity not in _SHOWN and column.n_unique() <= _FLAGS):
        return None
    synthetic = rows["synthetic"].to_numpy()
    lanes = [column.filter(synthetic == kind).drop_nulls().to_numpy() for kind in (False, True)]
    positive = min(float(np.min(lane)) for lane in lanes if lane.size) > 0
    shown = [cut.value for _, cut, _ in named if cut.value > 0 or not positive]
    scale = charts.Scale(0.0, 1.0) if quantity in _PARTS else None
    if quantity in _RATIOS and positive:
        scale = charts.fit(np.concatenate(lanes), shown, log=True, tail=charts.TAIL)
    chart = charts.histogram(lanes[0], lanes[1], include=shown, scale=scale)
    lines = [_threshold(chart.scale, *one) for one in named]
    return ScoreChart(
        quantity, _SHOWN.get(quantity, ""), chart, lines, lanes[0].size, lanes[1].size, column.null_count()
    )


def _threshold(scale: charts.Scale, name: str, cut: Cut, lanes: tuple[bool, bool]) -> Threshold:
    at = scale.at(cut.value)
    words = {"above": "at least", "below": "at most", "equal": "exactly"}[cut.side]
    stopped = {"above": (0.0, at), "below": (at, round(100 - at, 3)), "equal": (at, 0.0)}[cut.side]
    return Threshold(at, *stopped, f"{name}: {words} {short(cut.value)}", lanes)
