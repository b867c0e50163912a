"""Where the scores of a run lie, and where the rules of ``decide`` cut them.

keep: clarity >= 40 and luma < 0.9   ──cuts──>   clarity: 40 and above, luma: below 0.9
every score ──histogram──> a chart with its thresholds, and how many pictures lie on both sides of each
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
from pipeline.report.tables import NUMBER
from pipeline.store.table import FRAGMENT_ROW

_KNOWN = {
    "clarity": "sharpness of edges",
    "luma": "mean brightness",
    "saturation": "strength of colors",
    "entropy": "variety of colors; large uniform regions are low",
    "texture": "fine structure; noise is high",
    "blockiness": "visible blocks of strong compression",
    "exposure": "share of pixels crushed to black or burnt out",
    "nsfw": "probability of not-safe-for-work content",
    "align_zh_max": "Chinese CLIP cosine of the best raw caption",
    "align_siglip_max": "SigLIP cosine of the best raw caption",
    "aesthetic": "what the aesthetics head says",
    "ocr_score": "confidence of the text reader",
    "text_area": "share of the picture that lines of text cover",
    "text_min_height": "height of the smallest line of text, px",
    "text_chars": "visible characters",
    "quoted_read": "share of what captions quote that is read in the picture",
    "text_read": "share of rendered characters that a reader reads",
    "face_area": "share of the picture that faces cover",
    "face_hidden": "mosaic or blur over a face",
    "code_area": "share of the picture that QR codes and barcodes cover",
    "category_score": "probability of the category",
    "width * height": "pixels",
    "width / height": "aspect ratio",
    "bytes_len": "size of the file, bytes",
    "repeats": "expected draws per epoch of what is kept",
}
"""Quantities with a histogram, in this order, and what they mean; definitions are in pipeline/annotators/measure.py.
Other quantities that rules compare with a number follow, then scores of annotators from outside."""


_RATIOS = ("clarity", "width * height", "bytes_len", "repeats")
"""Quantities that are compared by ratio: their axis is logarithmic."""

_FLAGS = 8
"""A quantity with so few values is a code, not a score, as the EXIF orientation is; chosen."""

_PARTS: tuple[str, ...] = (
    "exposure",
    "nsfw",
    "ocr_score",
    "text_area",
    "quoted_read",
    "text_read",
    "face_area",
    "face_hidden",
)
_PARTS += ("code_area", "category_score")
"""Quantities that are shares or probabilities: their axis is 0 to 1."""
_NO_SCORES = {NUMBER, FRAGMENT_ROW, "text_level", "stage_from", "stage_to", "stopped_value", "leaf_rank", "n_captions"}
_SCORES_OF_PIPELINE = {"width", "height", "faces", "codes", "text_read_clean"}
"""Numbers of ours that have no chart unless a rule asks."""


@dataclass(frozen=True)
class Threshold:
    """A cut in words, and how many of the pictures that its rule judges lie on the side that it ``kept`` or ``stopped``."""

    label: str
    kept: int
    stopped: int


@dataclass(frozen=True)
class ScoreChart:
    """``real``, ``synthetic``: pictures with a value; ``nulls``: those without."""

    quantity: str
    meaning: str
    chart: charts.Chart
    log: bool
    thresholds: list[Threshold]
    real: int
    synthetic: int
    nulls: int


@dataclass(frozen=True)
class _Rule:
    """``judged``: (N,) rows that it applies to, None for all; ``lanes``: whether any (real, synthetic) one is among them."""

    name: str
    cut: Cut
    judged: np.ndarray | None
    lanes: tuple[bool, bool]


def score_charts(rows: pl.DataFrame, rules: Sequence[Mapping[str, Any]]) -> list[ScoreChart]:
    """A chart for every score, and every quantity in a rule, that has a value.

    ``rules``: name (S2.clarity), keep and applies_to of each rule.
    """
    if rows.is_empty():
        return []
    named: dict[str, list[_Rule]] = {quantity: [] for quantity in _KNOWN}
    scopes: dict[str, tuple[np.ndarray | None, tuple[bool, bool]]] = {}
    for rule in rules:
        scope = str(rule.get("applies_to") or "")
        if scope not in scopes:
            scopes[scope] = _judged(rows, scope)
        for cut in cuts(rule["keep"]):
            named.setdefault(cut.quantity, []).append(_Rule(rule["name"], cut, *scopes[scope]))
    for name, dtype in rows.schema.items():
        if dtype.is_numeric() and name not in _NO_SCORES | _SCORES_OF_PIPELINE:
            named.setdefault(name, [])
    synthetic = rows["synthetic"].to_numpy()
    found = (_chart(rows, synthetic, quantity, asked) for quantity, asked in named.items())
    return [chart for chart in found if chart is not None]


def _judged(rows: pl.DataFrame, applies_to: str) -> tuple[np.ndarray | None, tuple[bool, bool]]:
    """Rows for which ``applies_to`` is true, and whether any real and any synthetic one is among them."""
    synthetic = rows["synthetic"].to_numpy()
    if not applies_to:
        return None, (not synthetic.all(), bool(synthetic.any()))
    if not set(parse(applies_to).columns) <= set(rows.columns):
        return np.zeros(len(rows), bool), (True, False)
    judged = (
        rows.lazy().select(judged=parse(applies_to).polars(rows.schema).fill_null(False)).collect()["judged"].to_numpy()
    )
    return judged, (bool((judged & ~synthetic).any()) or not judged.any(), bool((judged & synthetic).any()))


def _chart(rows: pl.DataFrame, synthetic: np.ndarray, quantity: str, rules: Sequence[_Rule]) -> ScoreChart | None:
    column = values(rows, quantity)
    if column is None or column.null_count() == len(column):
        return None
    if quantity not in _KNOWN and column.head(10_000).n_unique() <= _FLAGS and column.n_unique() <= _FLAGS:
        return None
    seen = column.to_numpy()  # NaN where there is none
    finite = np.isfinite(seen)
    lanes = {"real": seen[finite & ~synthetic], "rendered": seen[finite & synthetic]}
    every = seen[finite]
    if not every.size:
        return None
    scale = _scale(quantity, every, [rule.cut.value for rule in rules])
    lines = [charts.Cut(r.cut.value, r.cut.side, _words(r), r.lanes) for r in rules]
    return ScoreChart(
        quantity,
        _KNOWN.get(quantity, ""),
        charts.histogram(lanes, scale, lines),
        scale.log,
        [_threshold(seen, finite, rule) for rule in rules],
        len(lanes["real"]),
        len(lanes["rendered"]),
        len(seen) - len(every),
    )


def _scale(quantity: str, values: np.ndarray, thresholds: Sequence[float]) -> charts.Scale:
    if quantity in _PARTS:
        return charts.Scale(0.0, 1.0)
    positive = float(values.min()) > 0
    shown = [value for value in thresholds if value > 0 or not positive]
    return charts.fit(values, shown, log=True if quantity in _RATIOS and positive else None)


def _words(rule: _Rule) -> str:
    words = {"above": "at least", "below": "at most", "equal": "exactly"}[rule.cut.side]
    return f"{rule.name}: {words} {short(rule.cut.value)}"


def _threshold(seen: np.ndarray, finite: np.ndarray, rule: _Rule) -> Threshold:
    """How the pictures that the rule judges lie around its cut."""
    judged = seen[finite if rule.judged is None else finite & rule.judged]
    kept = int(np.count_nonzero(rule.cut.keeps(judged)))
    return Threshold(_words(rule), kept, len(judged) - kept)
