"""What charts hold, and words for names."""

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
def test_every_value_is_in_a_bar(values: list[float], log: bool) -> None:
    scale = charts.fit(np.array(values), log=log)
    assert scale.low < scale.high
    counts = scale.count(np.array([*values, math.nan]))
    assert counts.sum() == len(values)
    edges, slack = scale.edges(), 1e-6 * (scale.high - scale.low)
    for value in (v for v in values if scale.low <= v <= scale.high):
        bar = int(scale.count(np.array([value])).argmax())
        assert edges[bar] - slack <= value <= edges[bar + 1] + slack


def test_scales_are_logarithmic_where_values_are_skewed() -> None:
    assert charts.fit(np.geomspace(1, 1e6, 100)).log
    assert not charts.fit(np.linspace(50, 200, 100)).log
    assert not charts.fit(np.array([0.0, 1.0, 1e6])).log  # zero has no logarithm
    assert charts.Scale(1, 1000, log=True).count(np.array([0.5, 2, 50, 500, 5000]), 3).tolist() == [2, 1, 2]


def spec(chart: charts.Chart) -> dict:
    assert not set("<>&") & set(chart.spec)
    return json.loads(chart.spec)


def values(found: object) -> list[dict]:
    """Rows of all data that a specification holds."""
    if isinstance(found, dict):
        own = found["data"]["values"] if "values" in found.get("data", {}) else []
        return [*own, *(row for value in found.values() for row in values(value))]
    return [row for one in found for row in values(one)] if isinstance(found, list) else []


def test_bars_count_all_values_relative_to_the_peak_of_their_kind() -> None:
    lanes = {"real": np.array([0.0, 0.1, 0.1, 1.0]), "rendered": np.array([0.5])}
    cut = charts.Cut(2.0, "above", "S2.clarity: at least 2", (True, False))
    rows = values(spec(charts.histogram(lanes, charts.fit(lanes["real"], [2.0]), [cut])))
    bars = [row for row in rows if "pictures" in row]
    assert [(bar["kind"], bar["pictures"], bar["size"]) for bar in bars] == [
        ("real", 1, 0.5),
        ("real", 2, 1.0),
        ("real", 1, 0.5),
        ("rendered", 1, -1.0),
    ]
    (stopped, *_) = [row for row in rows if "rule" in row]
    assert (stopped["from"], stopped["to"], stopped["size"], stopped["rule"]) == (
        0.0,
        2.0,
        0.0,
        "S2.clarity: at least 2",
    )


def test_lines_leave_out_what_is_not_finite_and_tell_thousands_by_hundreds() -> None:
    line = charts.line_chart([charts.Series(np.arange(3.0), np.array([1.0, math.nan, 2.0]), "raw")], ("step", "loss"))
    assert [(row["x"], row["y"]) for row in values(spec(line))] == [(0, 1), (2, 2)]
    many = np.arange(1.0, 100_001.0)
    rows = values(spec(charts.line_chart([charts.Series(many, many, "after")], ("rank", "draws"), log=(True, True))))
    assert (rows[0]["x"], rows[-1]["x"], len(rows) < 500) == (1, 100_000, True)


def test_the_map_has_a_square_for_each_character_and_carries_no_character_itself() -> None:
    chart = charts.character_map("一乙二", {"一": 3}, (0, 1, 3, 10, 30))
    assert [(row["c"], row["n"]) for row in values(spec(chart))] == [
        ("一 U+4E00", 3),
        ("乙 U+4E59", 0),
        ("二 U+4E8C", 0),
    ]
    assert chart.spec.isascii()


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
    bands = [(row["phase"], row["x"], row["to"]) for row in values(spec(told.chart)) if "phase" in row]
    assert {("a", 0, 50), ("b", 50, 99)} == set(bands)
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
