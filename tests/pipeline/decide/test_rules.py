"""Stages from stored scores: cumulative, with the first reason and all of them."""

from __future__ import annotations

import polars as pl
import pytest

from configs import RunFailed, UserError, decode
from pipeline.decide.rules import DecideConfig, Rule
from tests.pipeline.decide.whole import decide
from tests.pipeline.rows import table

NONE = pl.DataFrame(schema={"id": pl.String, "duplicate_of": pl.String})


def decided(frame: pl.DataFrame, *rules: Rule, duplicates: pl.DataFrame = NONE) -> list[dict]:
    return decide(frame, duplicates, DecideConfig(rules)).to_dicts()


def test_a_sample_is_good_up_to_the_stage_before_the_first_rule_that_fails() -> None:
    frame = table({}, {"clarity": 5.0}, {"luma": 0.01, "clarity": 5.0}, {"bytes_len": 10})
    rows = decided(
        frame,
        Rule("S5.clarity", 5, "clarity > 10"),  # listed first, but of a later stage
        Rule("S1.bytes", 1, "bytes_len > 100"),
        Rule("S2.luma", 2, "0.1 < luma < 0.9"),
    )
    assert [(r["stage_from"], r["stage_to"], r["stopped_by"]) for r in rows] == [
        (1, 7, None),
        (1, 4, "S5.clarity"),
        (1, 1, "S2.luma"),
        (1, 0, "S1.bytes"),
    ]
    assert rows[2]["fails"] == ["S2.luma", "S5.clarity"]
    assert rows[2]["stopped_value"] == pytest.approx(0.01)
    assert rows[0]["stopped_value"] is None


def test_synthetic_text_enters_at_s4_and_is_rejected_when_it_fails_before() -> None:
    frame = table({"recipe": "r"}, {"recipe": "r", "text_level": 4}, {"recipe": "r", "clarity": 0.0})
    rows = decided(frame, Rule("S4.level", 4, "text_level < 4"), Rule("S2.clarity", 2, "clarity > 1", "recipe is null"))
    assert [(r["stage_from"], r["stage_to"]) for r in rows] == [(4, 7), (4, 0), (4, 7)]


def test_duplicates_are_rejected_with_their_twin_named() -> None:
    frame = table({"id": "a"}, {"id": "b"})
    rows = decided(frame, duplicates=pl.DataFrame({"id": ["b"], "duplicate_of": ["a"]}))
    assert [(r["stage_to"], r["stopped_by"], r["duplicate_of"]) for r in rows] == [
        (7, None, None),
        (0, "S1.duplicate", "a"),
    ]


@pytest.mark.parametrize(("if_null", "stage"), [("pass", 7), ("stop", 1)])
def test_null_means_what_the_rule_says(if_null: str, stage: int) -> None:
    rule = Rule("S2.clarity", 2, "clarity > 1", if_null=if_null)  # type: ignore[arg-type]
    assert decided(table({"clarity": None}), rule)[0]["stage_to"] == stage


def test_null_may_be_an_error_that_names_the_sample() -> None:
    with pytest.raises(RunFailed, match=r"S2\.clarity.*unknown for 1 samples.*" + "0" * 32):
        decided(table({"clarity": None}), Rule("S2.clarity", 2, "clarity > 1", if_null="error"))


def test_only_allowed_licenses_pass_and_the_others_stop_at_s1() -> None:
    licenses = ["MIT", "cc0-1.0", "unknown", "MIT AND GPL-2.0-only", "MIT OR GPL-2.0-only"]
    frame = table(*({"license": text} for text in licenses), {"license": "MIT", "recipe": "r"})
    config = decode({"licenses": ["mit", "CC0-1.0"]}, DecideConfig, "config x")
    rows = decide(frame, NONE, config)
    assert rows["stopped_by"].to_list() == [None, None, "S1.license", "S1.license", None, None]
    assert rows["stage_to"].to_list() == [7, 7, 0, 0, 7, 7]
    nothing = decide(frame, NONE, decode({"licenses": []}, DecideConfig, "config x"))
    assert nothing["stage_to"].to_list() == [0] * 6
    with pytest.raises(UserError, match=r"'S1\.license' is given twice"):
        decode({"rules": [{"name": "S1.license", "stage": 1, "keep": "width > 0"}]}, DecideConfig, "config x")


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"name": "S2.x", "stage": 2, "keep": "claritty > 1"}, "rule S2.x, keep: unknown column 'claritty'.*clarity"),
        ({"name": "S2.x", "stage": 3, "keep": "clarity > 1"}, "field 'name': expected S3.<operator>"),
        ({"name": "S9.x", "stage": 9, "keep": "clarity > 1"}, "field 'stage'"),
        ({"name": "S2.x", "stage": 2, "keep": "clarity >"}, "cannot be read"),
    ],
)
def test_a_wrong_rule_is_named(rule: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        decide(table({}), NONE, decode({"rules": [rule]}, DecideConfig, "config x"))
