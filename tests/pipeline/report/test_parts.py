"""What the page tells, computed from small tables: funnel, reasons, coverage, balance, scores, choices."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from configs import UserError
from pipeline.report import balance, coverage, cuts, funnel, reasons, scores, select
from pipeline.report.tables import read_run
from pipeline.report.taxonomy import taxonomy
from synth.coverage import count_characters, tables

RULES = [
    {"name": "S2.clarity", "stage": 2, "keep": "clarity >= 40", "applies_to": "not synthetic", "if_null": "pass"},
    {"name": "S5.luma", "stage": 5, "keep": "0.1 < luma < 0.9", "applies_to": None, "if_null": "pass"},
]


def table(rows: list[tuple[str, bool, int, int, str | None, float | None]]) -> pl.DataFrame:
    names = ["id", "synthetic", "stage_from", "stage_to", "stopped_by", "stopped_value"]
    schema = dict(zip(names, [pl.String, pl.Boolean, pl.Int8, pl.Int8, pl.String, pl.Float32], strict=True))
    fails = [[stop] if stop else [] for *_, stop, _ in rows]
    return pl.DataFrame(rows, schema=schema, orient="row").with_columns(
        source=pl.when("synthetic").then(pl.lit("glyphs")).otherwise(pl.lit("photos")),
        fails=pl.Series(fails, dtype=pl.List(pl.String)),
        number=pl.int_range(len(rows), dtype=pl.UInt32),
    )


def inputs(real: int, synthetic: int) -> pl.DataFrame:
    kinds = {"source": ["photos", "glyphs"], "synthetic": [False, True]}
    return pl.DataFrame({**kinds, "inputs": [real, synthetic]})


FAILED = pl.DataFrame({"source": ["photos"] * 2, "synthetic": [False] * 2})


DECIDED = table(
    [
        ("a", False, 1, 7, None, None),
        ("b", False, 1, 1, "S2.clarity", 12.0),
        ("c", False, 1, 0, "S1.duplicate", None),
        ("d", True, 4, 7, None, None),
        ("e", True, 4, 4, "S5.luma", 0.95),
        ("f", True, 4, 0, "S4.dense", 99.0),
    ]
)


def test_funnel_counts_every_stage_and_adds_up() -> None:
    told = funnel.funnel(funnel.tally(DECIDED), inputs(5, 3), FAILED)
    counts = {step.name: (step.real.count, step.synthetic.count) for step in told.steps}
    assert counts == {
        "Inputs": (5, 3),
        "Readable": (3, 3),
        "S1": (2, 0),
        "S2": (1, 0),
        "S3": (1, 0),
        "S4": (1, 2),
        "S5": (1, 1),
        "S6": (1, 1),
        "S7": (1, 1),
    }
    lost = {
        step.name: (step.real.lost, step.synthetic.lost) for step in told.steps if step.real.lost or step.synthetic.lost
    }
    assert lost == {"Readable": (2, 0), "S1": (1, 0), "S2": (1, 0), "S4": (0, 1), "S5": (0, 1)}
    assert [step.name for step in told.steps if step.synthetic.joins] == ["S1", "S2", "S3"]
    assert {name: count for step in told.steps for name, count in step.stops} == {
        "S1.duplicate": 1,
        "S2.clarity": 1,
        "S4.dense": 1,
        "S5.luma": 1,
    }
    assert (told.kept, told.rejected, told.failed, told.synthetic_kept) == (4, 2, 2, 2)
    assert told.adds_up
    assert not funnel.funnel(funnel.tally(DECIDED), inputs(6, 3), FAILED).adds_up


def test_every_source_has_its_own_funnel() -> None:
    chart = funnel.by_source(funnel.tally(DECIDED), inputs(5, 3), FAILED)
    assert chart is not None
    cells = json.loads(chart.spec)["data"]["values"]
    left = {(cell["source"], cell["step"]): (cell["left"], cell["share"]) for cell in cells}
    assert left["photos", "Inputs"] == (5, 1.0)
    assert left["photos", "Readable"] == (3, 0.6)
    assert (left["photos", "S1"], left["photos", "S2"]) == ((2, 0.4), (1, 0.2))
    assert (left["glyphs", "S3"][0], left["glyphs", "S4"][0], left["glyphs", "S7"][0]) == (0, 2, 1)
    assert funnel.by_source(funnel.tally(DECIDED), inputs(5, 3).head(1), FAILED) is None


def test_reasons_keep_the_order_of_stages_and_name_operators_without_a_rule() -> None:
    told = reasons.reasons(DECIDED, RULES)
    assert [r.name for r in told] == ["S1.duplicate", "S2.clarity", "S4.dense", "S5.luma"]
    clarity = told[1]
    assert (clarity.stopped, clarity.fails, clarity.share) == (1, 1, pytest.approx(1 / 6))
    assert [e.id for e in clarity.examples] == ["b"]


def test_pictures_that_a_rule_keeps_are_shown_nearest_to_its_thresholds_first() -> None:
    rows = table([(name, False, 1, 7, None, None) for name in "abcdef"] + [("g", False, 1, 1, "S2.luma", 0.99)])
    rows = rows.with_columns(luma=pl.Series([0.5, 0.9, 0.13, 0.6, None, 0.05, 0.99]), task=pl.lit("t2i"))
    rule = {"name": "S2.luma", "stage": 2, "keep": "0.1 <= luma <= 0.92", "applies_to": "luma > 0.06"}
    (told,) = reasons.reasons(rows, [rule])
    assert [(e.id, e.values) for e in told.passed] == [
        ("b", {"luma": 0.9}),
        ("c", {"luma": 0.13}),
        ("d", {"luma": 0.6}),
    ]
    assert [(e.id, e.values) for e in told.examples] == [("g", {"luma": 0.99})]
    (flag,) = reasons.reasons(rows, [{**rule, "keep": "task == 't2i'", "applies_to": None}])
    assert [(e.id, e.values) for e in flag.passed] == [(name, {"task": "t2i"}) for name in "abc"]


def test_what_other_rules_stopped_before_shows_a_rule_that_stopped_nothing() -> None:
    fails = pl.Series([["S1.duplicate", "S2.luma"], ["S1.duplicate"], []], dtype=pl.List(pl.String))
    rows = table([(name, False, 1, 0, "S1.duplicate", None) for name in "ab"] + [("c", False, 1, 7, None, None)])
    told = reasons.reasons(
        rows.with_columns(luma=pl.Series([0.95, 0.5, 0.8]), fails=fails), [RULES[1] | {"name": "S2.luma", "stage": 2}]
    )
    luma = next(reason for reason in told if reason.name == "S2.luma")
    assert (luma.stopped, luma.fails, [e.id for e in luma.examples]) == (0, 1, ["a"])
    assert [e.id for e in luma.passed] == ["c", "b"]


def test_examples_run_from_the_lowest_to_the_highest_value() -> None:
    many = table([(f"{i:02d}", False, 1, 1, "S2.clarity", float(100 - i)) for i in range(50)])
    rule = {**RULES[0], "applies_to": None}
    (told,) = reasons.reasons(many.with_columns(clarity="stopped_value"), [rule], pictures=4)
    values = [example.values["clarity"] for example in told.examples]
    assert values == sorted(values)
    assert (values[0], values[-1], len(values)) == (51.0, 100.0, 4)


def test_failures_of_one_kind_stand_together() -> None:
    failures = pl.DataFrame(
        {
            "uri": ["a.jpg", "b.jpg", "c.png"],
            "step": ["decode"] * 3,
            "error": ["1200 bytes, allowed are 10", "7,000 bytes, allowed are 10", "empty: no bytes at all"],
        }
    )
    groups = reasons.failure_groups(failures)
    assert [(g.count, [uri for uri, _ in g.uris]) for g in groups] == [(2, ["a.jpg", "b.jpg"]), (1, ["c.png"])]


def test_coverage_maps_each_character_to_its_shade() -> None:
    counts = count_characters(["一一 二\n", None, "ab一"])
    assert counts == Counter({"一": 3, "二": 1, "a": 1, "b": 1})
    told = coverage.coverage(counts + Counter({"é": 2}), {1: "一乙", 2: "二"})
    assert [(level.seen, level.characters) for level in told.levels] == [(1, 2), (1, 1)]
    assert [level.missing for level in told.levels] == ["乙", ""]
    assert (told.seen, told.outside, told.most_frequent[0]) == (2, 1, ("一", 3))
    assert coverage.shade_labels() == ["never", "1 to 2", "3 to 9", "10 to 29", "30 and more"]


def test_the_table_has_8105_characters() -> None:
    told = coverage.coverage(Counter(), tables())
    assert [level.characters for level in told.levels] == [3500, 3000, 1605]
    assert (told.seen, told.most_frequent, told.least_frequent) == (0, [], [])


def test_distribution_names_levels_and_nulls() -> None:
    rows = pl.DataFrame({"text_level": [2, 0, 2, None], "synthetic": [True, False, False, False]})
    parts = coverage.distribution(rows, "text_level")
    assert [(p.label, p.real, p.synthetic) for p in parts] == [("none", 1, 0), ("line", 1, 1), ("unknown", 1, 0)]


def test_balance_weighs_characters_by_repeats() -> None:
    kept = pl.DataFrame(
        {
            "text": ["aab", "c", None],
            "repeats": [0.5, 1.5, 1.0],
            "task": ["t2i"] * 3,
            "text_language": ["en", "en", "none"],
            "text_level": [1, 1, 0],
        }
    )
    draws = balance.character_draws([kept["text"][:2], kept["text"][2:]], kept["repeats"].to_numpy())
    assert (draws.characters, draws.once.tolist(), draws.weighted.tolist()) == (
        ["a", "b", "c"],
        [2, 1, 1],
        [1.0, 0.5, 1.5],
    )
    assert draws.counts() == {"a": 2, "b": 1, "c": 1}
    told = balance.balance(kept, draws)
    assert (told.top_before, told.top_after) == (0.5, 0.5)
    cells = {(c.language, c.level): (c.rows, c.low, c.mean, c.high) for c in told.cells}
    assert cells == {("en", 1): (2, 0.5, 1.0, 1.5), ("none", 0): (1, 1.0, 1.0, 1.0)}
    assert told.chart is not None


def test_balance_of_nothing() -> None:
    columns = {"text": pl.String, "repeats": pl.Float32, "task": pl.String}
    nothing = pl.DataFrame(schema=columns | {"text_language": pl.String, "text_level": pl.Int8})
    told = balance.balance(nothing, balance.character_draws([], np.empty(0)))
    assert (told.chart, told.cells) == (None, [])


@pytest.mark.parametrize(
    ("expression", "found"),
    [
        ("clarity >= 40", [("clarity", "above", 40.0)]),
        ("0.1 < luma < 0.9", [("luma", "above", 0.1), ("luma", "below", 0.9)]),
        ("clarity > -1 and 5 >= entropy", [("clarity", "above", -1.0), ("entropy", "below", 5.0)]),
        ("clarity > 1 or luma > 1", []),
        ("not clarity > 1", []),
        ("clarity + luma > 1", [("clarity + luma", "above", 1.0)]),
        ("0.33 <= width / height", [("width / height", "above", 0.33)]),
        ("text_language == 'zh'", []),
        ("1 < 2", []),
    ],
)
def test_cuts_are_what_a_line_can_tell(expression: str, found: list[tuple[str, str, float]]) -> None:
    assert [(c.quantity, c.side, c.value) for c in cuts.cuts(expression)] == found


def test_values_of_arithmetic() -> None:
    rows = pl.DataFrame({"width": [200, 30, None], "height": [100, 60, 5], "uri": ["a", "b", "c"]})
    assert cuts.values(rows, "width / height - 1").to_list() == [1.0, -0.5, None]
    assert cuts.values(rows, "clarity") is None
    assert cuts.values(rows, "uri") is None


def test_cuts_of_nonsense_are_refused() -> None:
    with pytest.raises(UserError):
        cuts.cuts("clarity >=")


def test_charts_of_scores_count_what_lies_on_both_sides_of_each_threshold() -> None:
    rows = pl.DataFrame(
        {
            "synthetic": [False, False, True],
            "clarity": [10.0, 90.0, 5.0],
            "luma": [0.2, 0.9, None],
            "width": [64, 300, 300],
            "height": [100, 200, 300],
        }
    )
    told = {chart.quantity: chart for chart in scores.score_charts(rows, RULES)}
    assert list(told) == ["clarity", "luma", "width * height", "width / height"]
    (clarity,) = told["clarity"].thresholds
    assert (clarity.label, clarity.kept, clarity.stopped) == ("S2.clarity: at least 40", 1, 1)  # synthetic: not judged
    low, high = told["luma"].thresholds
    assert ((low.kept, low.stopped), (high.kept, high.stopped)) == ((2, 0), (1, 1))  # luma < 0.9
    assert (told["luma"].real, told["luma"].synthetic, told["luma"].nulls) == (2, 0, 1)


def test_what_lies_on_the_stopped_side_is_what_fails(run: Path) -> None:
    told = read_run(run)
    thresholds = {t.label: t for chart in scores.score_charts(told.rows, told.rules) for t in chart.thresholds}
    fails = {reason.name: reason.fails for reason in reasons.reasons(told.rows, told.rules)}
    assert thresholds["S2.clarity: at least 40"].stopped == fails["S2.clarity"] > 0
    assert sum(t.stopped for name, t in thresholds.items() if name.startswith("S2.luma")) == fails["S2.luma"]
    assert thresholds["S4.dense: at most 60"].stopped == fails["S4.dense"] > 0


def test_a_score_that_nobody_named_has_a_chart_and_a_code_has_none() -> None:
    many = pl.DataFrame({"synthetic": [False] * 20, "redness": [i / 20 for i in range(20)], "orientation": [1] * 20})
    assert [chart.quantity for chart in scores.score_charts(many, [])] == ["redness"]


def test_samples_come_from_every_cell_in_turn() -> None:
    rows = pl.DataFrame(
        {
            "id": [f"{i:02d}" for i in range(20)],
            "synthetic": [True] * 19 + [False],
            "text_level": [1] * 16 + [4, 3, 2, 1],
            "text_language": ["zh"] * 20,
            "recipe": ["pure"] * 20,
        }
    )
    assert select.samples(rows, synthetic=True, count=5) == ["16", "17", "18", "00", "01"]
    assert select.samples(rows, synthetic=False, count=5) == ["19"]
    assert select.samples(rows.head(0), synthetic=True, count=5) == []


def test_groups_of_copies_show_the_largest_first() -> None:
    twin = {"b": "a", "e": "d", "f": "d", "z": "gone"}
    rows = pl.DataFrame({"id": list("abdefz"), "duplicate_of": [twin.get(i) for i in "abdefz"]})
    told = [(group.kept, group.stopped, group.count) for group in select.copies(rows)]
    assert told == [("d", ["e", "f"], 2), ("a", ["b"], 1)]
    many = pl.DataFrame({"id": [f"{i:02d}" for i in range(20)], "duplicate_of": [None] + ["00"] * 19})
    ((group),) = select.copies(many)
    assert (len(group.stopped), group.count) == (select.MEMBERS, 19)


def test_the_tree_sums_up_its_branches() -> None:
    rows = pl.DataFrame(
        {
            "category": ["food/coffee", "food/tea", "food/tea", None],
            "stage_from": [1, 1, 1, 1],
            "stage_to": [7, 0, 2, 0],
        }
    )
    tree = taxonomy(rows)
    assert tree is not None
    food, unknown = tree.shown
    assert (food.name, food.count, food.kept, food.last) == ("food", 3, 2, 1)
    assert [(leaf.name, leaf.count, leaf.kept) for leaf in food.shown] == [("tea", 2, 1), ("coffee", 1, 1)]
    assert (unknown.name, unknown.count, unknown.shown) == ("without a category", 1, [])
    assert taxonomy(rows.with_columns(category=pl.lit(None, pl.String))) is None
