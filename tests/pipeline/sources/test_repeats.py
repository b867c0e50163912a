"""Rows with one key become one, in the order of the list, in memory that does not grow with it."""

from __future__ import annotations

import gc
import multiprocessing
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


def peak(count: int) -> int:
    """Bytes that Python holds at most while a list of so many rows goes through; what is made once counts for nothing."""
    partitions._BUFFERED = repeats._ROWS = 500
    found = []
    for _ in range(2):
        rows = (listed(number, f"http://h/{number % 10_000}", alt=f"{number:0100d}") for number in range(count))
        tracemalloc.start()
        for number, _ in enumerate(merged(rows)):
            if number % 1000 == 0:
                gc.collect()
        found.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    return min(found)


def test_a_long_list_stays_out_of_memory() -> None:
    """In processes of their own: in one that holds much already a collection takes a second."""
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as pool:
        few, many = pool.map(peak, [5_000, 20_000], chunksize=1)
    assert many < 2 * few
