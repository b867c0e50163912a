"""Ranks within the leaves of the taxonomy, and the rules of S7 that use them."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest

from configs import RunFailed, UserError
from pipeline.decide.best import BestConfig
from pipeline.decide.rules import DecideConfig, Rule, Unknown, judge, judge_last
from tests.pipeline.decide.whole import decide
from tests.pipeline.rows import table

NONE = pl.DataFrame(schema={"id": pl.String, "duplicate_of": pl.String})
CATS = {"category": "animals/cats", "category_score": 0.9}


def ranks(rows: list[dict[str, Any]], *rules: Rule, best: BestConfig | None = None) -> list[int | None]:
    config = DecideConfig(rules, best=best or BestConfig())
    return decide(table(*rows), NONE, config)["leaf_rank"].to_list()


def test_the_best_of_each_leaf_come_first() -> None:
    rows = [{**CATS, "clarity": c} for c in (10.0, 30.0, 20.0)] + [{"category": "own", "clarity": 1.0}]
    assert ranks(rows) == [3, 1, 2, 1]


def test_what_is_hardly_believed_or_stopped_before_has_no_rank() -> None:
    rows = [
        {**CATS, "clarity": 10.0},
        {**CATS, "clarity": 30.0, "category_score": 0.1},
        {**CATS, "clarity": 50.0, "luma": 0.01},
        {"clarity": 20.0},
    ]
    assert ranks(rows, Rule("S2.luma", 2, "luma > 0.1")) == [1, None, None, None]


def test_later_scores_decide_where_earlier_ones_are_equal_or_null() -> None:
    rows = [{**CATS, "entropy": e, "clarity": c} for e, c in ((1.0, 5.0), (1.0, 9.0), (None, 99.0))]
    assert ranks(rows, best=BestConfig(by=("entropy", "clarity"))) == [2, 1, 3]
    assert ranks([dict(CATS), dict(CATS)]) == [1, 2], "by id where all is equal"


def test_a_rule_of_s7_keeps_the_best_of_a_leaf() -> None:
    rows = [{**CATS, "clarity": c} for c in (10.0, 30.0, 20.0)] + [{"clarity": 1.0}]
    config = DecideConfig((Rule("S7.best", 7, "leaf_rank <= 2"),))
    found = decide(table(*rows), NONE, config)
    assert found["stage_to"].to_list() == [6, 7, 7, 7]
    assert found["stopped_by"].to_list() == ["S7.best", None, None, None]
    assert found["stopped_value"].to_list() == [3.0, None, None, None]


def test_earlier_rules_do_not_know_the_rank() -> None:
    with pytest.raises(UserError, match="unknown column 'leaf_rank'"):
        ranks([{}], Rule("S6.best", 6, "leaf_rank <= 2"))


@pytest.mark.parametrize("by", ["beauty", "task"])
def test_a_rank_by_what_is_no_score_is_refused(by: str) -> None:
    with pytest.raises(UserError, match=f"field 'decide.best.by': '{by}'"):
        ranks([{}], best=BestConfig(by=(by,)))


def test_no_number_ranks_last() -> None:
    assert ranks([{**CATS, "clarity": c} for c in (float("nan"), 3.0, None, 5.0)])[1::2] == [2, 1]


def test_what_was_taken_down_has_no_rank() -> None:
    rows = table(*({**CATS, "clarity": c} for c in (10.0, 30.0, 20.0)))
    config, unknown = DecideConfig((Rule("S7.best", 7, "leaf_rank <= 1"),)), Unknown()
    judged = judge(rows, config, unknown).with_columns(duplicate_of=pl.lit(None, pl.String))
    decided = judge_last(judged.hstack(rows), config, unknown, removed=[1])
    assert decided["leaf_rank"].to_list() == [2, None, 1]
    assert decided["stage_to"].to_list()[2] == 7


def test_a_rule_that_must_know_the_rank_asks_only_who_has_come_so_far() -> None:
    rows = [{**CATS, "clarity": 10.0}, {**CATS, "clarity": 50.0, "luma": 0.01}]
    best = Rule("S7.best", 7, "leaf_rank <= 2", if_null="error")
    assert ranks(rows, Rule("S2.luma", 2, "luma > 0.1"), best) == [1, None]
    with pytest.raises(RunFailed, match=r"rule S7.best: .* is unknown for 1 samples"):
        ranks([*rows, {"clarity": 1.0}], Rule("S2.luma", 2, "luma > 0.1"), best)
