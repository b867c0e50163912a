"""Geometry of charts, and numbers as words."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from configs import UserError
from pipeline.report import charts, evaluation, page, training


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50), st.booleans())
def test_a_scale_holds_what_it_was_fitted_to(values: list[float], log: bool) -> None:
    scale = charts.fit(np.array(values), log=log)
    places = [scale.at(v) for v in sorted(values)]
    assert places == sorted(places)
    assert all(0 <= p <= 100 for p in places)
    assert all(0 <= tick.at <= 100 for tick in scale.ticks())


def test_scales_are_logarithmic_where_values_are_skewed() -> None:
    assert charts.fit(np.geomspace(1, 1e6, 100)).log
    assert not charts.fit(np.linspace(50, 200, 100)).log
    assert not charts.fit(np.array([0.0, 1.0, 1e6])).log  # zero has no logarithm
    assert charts.Scale(1, 1000, log=True).at(10) == pytest.approx(33.333)


def test_histogram_counts_all_values_relative_to_the_peak() -> None:
    chart = charts.histogram(np.array([0.0, 0.1, 0.1, 1.0]), np.array([]), include=[2.0], bins=4)
    assert (chart.scale.low, chart.scale.high) == (0.0, 2.0)
    assert [(b.left, b.height) for b in chart.upper] == [(0, 100), (50, pytest.approx(33.33))]
    assert chart.lower == []
    assert chart.upper[0].title == "0 to 0.5: 3"


def test_lines_leave_out_what_is_not_finite() -> None:
    x = np.arange(3.0)
    chart = charts.line_chart([charts.Series(x, np.array([1.0, math.nan, 2.0]), "raw")], y_range=(1, 2))
    assert chart.lines[0].points == "0,100 100,0"


@given(st.lists(st.floats(-100, 100), min_size=1, max_size=60), st.integers(1, 20))
def test_smoothing_stays_within_the_window(values: list[float], window: int) -> None:
    data = np.array(values)
    smoothed = charts.smooth(data, window)
    half = window // 2
    for i, value in enumerate(smoothed):
        near = data[max(0, i - half) : i + half + 1]
        assert near.min() - 1e-9 <= value <= near.max() + 1e-9


def test_words_for_names() -> None:
    assert page.name_of("photos/a%20b/caf%E9.jpg") == "caf\ufffd.jpg"
    assert page.name_of("pure@0123abcdef/7") == "pure #7"
    assert page.clean("a\u202eb\x00c\nd") == "a\ufffdb\ufffdc\nd"


def metrics(steps: int) -> list[dict[str, object]]:
    return [
        {"step": i, "phase": "ab"[i >= steps // 2], "loss": 2.0 if i < steps // 2 else 1.0, "lr": 1e-3}
        for i in range(steps)
    ]


def test_loss_is_told_by_phase() -> None:
    told = training.loss(metrics(100))
    assert told is not None
    assert [(p.name, p.first, p.last, p.start, p.end) for p in told.phases] == [("a", 0, 49, 2, 2), ("b", 50, 99, 1, 1)]
    assert [band.label for band in told.chart.bands] == ["a", "b"]
    assert sum(band.width for band in told.chart.bands) == pytest.approx(100, abs=0.1)
    assert training.loss(metrics(1)) is None


def test_metrics_of_a_resumed_and_torn_file(tmp_path: Path) -> None:
    path = tmp_path / "metrics.jsonl"
    lines = [{"step": 1, "loss": 3.0}, {"step": 2, "loss": 2.0}, {"step": 2, "loss": 2.5}, {"note": "no step"}]
    path.write_text("\n".join(json.dumps(line) for line in lines) + '\n{"step": 3, "lo')
    assert [(m["step"], m["loss"]) for m in training.read_metrics(path)] == [(1, 3.0), (2, 2.5)]
    assert training.read_metrics(tmp_path / "nothing") == []


def test_suites_of_an_evaluation(tmp_path: Path) -> None:
    suite = {"count": 3, "held_out": True, "after": {"exact": 0.5, "characters": 0.75}, "sheet": "../../x.png"}
    (tmp_path / "evaluation.json").write_text(json.dumps({"suites": {"words": suite}}))
    (told,) = evaluation.read_suites(tmp_path)
    assert (told.exact, told.characters, told.sheet) == ([None, 0.5, None], [None, 0.75, None], None)
    (tmp_path / "evaluation.json").write_text("{")
    with pytest.raises(UserError, match="not valid JSON"):
        evaluation.read_suites(tmp_path)
