"""Rows with one key become one, in the order of the list, in memory that does not grow with it."""

from __future__ import annotations

import gc
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.sources import repeats
from pipeline.sources.repeats import Listed, merged
from pipeline.store import partitions


def listed(number: int, key: str | None, **values: str) -> Listed:
    return Listed(number, key or "none", key, values, refused=None if key else "no URL")


def test_the_first_takes_in_what_the_others_say() -> None:
    rows = [
        listed(0, "b", alt="1"),
        listed(1, "a", alt="2"),
        listed(2, "b", alt="3"),
        listed(3, None),
        listed(4, "b", alt="1"),
    ]
    first, other, second, none, third = merged(rows)
    assert (first.number, first.values, first.joined) == (0, {"alt": "1"}, [{"alt": "3"}])
    assert (other.key, other.joined) == ("a", [])
    assert none.refused == "no URL"
    for row in (second, third):
        assert (row.key, row.reason, "row 0" in (row.refused or "")) == (None, "repeated", True)


@settings(deadline=None)
@given(st.lists(st.sampled_from("abcdefgh"), max_size=60), st.integers(1, 20))
def test_every_row_comes_out_once_and_in_order(keys: list[str], buffered: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(partitions, "_BUFFERED", buffered)
        rows = list(merged(listed(n, key, alt=str(n)) for n, key in enumerate(keys)))
    assert [row.number for row in rows] == list(range(len(keys)))
    assert [row.number for row in rows if row.key] == [n for n, key in enumerate(keys) if key not in keys[:n]]


def test_a_long_list_stays_out_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(partitions, "_BUFFERED", 500)
    monkeypatch.setattr(repeats, "_ROWS", 500)

    def peak(count: int) -> int:
        rows = (listed(number, f"http://h/{number % 10_000}", alt=f"{number:0100d}") for number in range(count))
        tracemalloc.start()
        for number, _ in enumerate(merged(rows)):
            if number % 1000 == 0:
                gc.collect()  # in a process that holds much already, Python itself would wait for more garbage
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    def least(count: int) -> int:
        """What is made once in a process, and what other threads do meanwhile, counts for nothing."""
        return min(peak(count) for _ in range(3))

    assert least(20_000) < 2 * least(5_000)
