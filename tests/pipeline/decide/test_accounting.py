"""Sums over what is said of each input, wherever it is said."""

from __future__ import annotations

import itertools

import polars as pl
import pytest

from configs import RunFailed
from pipeline.decide.accounting import Account, Said
from pipeline.decide.accounting import count as count_said

COLUMNS = {
    "input": {"id": pl.String, "source": pl.Categorical},
    "decided": {"id": pl.String, "stopped_by": pl.Categorical},
    "attempt": {"id": pl.String, "attempt": pl.Int32},
    "failed": {"id": pl.String, "attempt": pl.Int32, "step": pl.String},
    "removed": {"id": pl.String},
}


def count(*records: tuple, removed: tuple[str, ...] = ()) -> Account:
    accounts = {"s": Account()}
    said: dict[str, list[tuple]] = {kind: [] for kind in COLUMNS}
    for id_, kind, what in [*records, *((id_, "removed", ()) for id_ in removed)]:
        said[kind].append((id_, *(what if isinstance(what, tuple) else (what,))))
    frames = [pl.DataFrame(rows, schema=COLUMNS[kind], orient="row") for kind, rows in said.items()]
    count_said(Said(*frames), accounts)
    return accounts["s"]


def test_the_last_attempt_of_an_input_counts_in_whatever_order_it_is_told() -> None:
    first, again = ("a", "failed", (1, "collect")), ("a", "attempt", 2)
    for told in itertools.permutations([("a", "input", "s"), first, again, ("a", "decided", None)]):
        assert (count(*told).kept, count(*told).failed) == (1, 0)
    twice = count(("a", "input", "s"), first, again, ("a", "failed", (2, "decode")))
    assert (twice.failed, twice.reasons) == (1, {"failed at decode": 1})


def test_what_was_taken_down_counts_as_removed_wherever_it_ended() -> None:
    records = [("a", "input", "s"), ("b", "input", "s"), ("c", "input", "s"), ("d", "input", "s")]
    ends = [("a", "failed", (1, "collect")), ("c", "decided", "S2.luma"), ("d", "decided", None)]
    found = count(*records, *ends, removed=("a", "b"))
    assert (found.inputs, found.removed, found.failed, found.stopped, found.kept) == (4, 2, 0, 1, 1)
    assert found.reasons == {"stopped by S2.luma": 1}


@pytest.mark.parametrize(
    ("ends", "error"),
    [
        ([], "neither in decisions/ nor in failures/"),
        ([("a", "failed", (1, "collect")), ("a", "decided", None)], "in decisions/ and in failures/"),
        ([("a", "failed", (1, "collect")), ("a", "attempt", 2)], "neither in decisions/"),
    ],
)
def test_an_input_that_ended_nowhere_or_twice_is_named(ends: list[tuple], error: str) -> None:
    with pytest.raises(RunFailed, match=f"input a is {error}"):
        count(("a", "input", "s"), *ends)
