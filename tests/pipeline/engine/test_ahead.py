from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator

import pytest

from pipeline.engine.ahead import batches


def test_parts_come_together_in_their_order() -> None:
    parts = [[number] * 3 for number in range(50)]
    found = list(batches(iter(parts), 7))
    assert [item for batch in found for item in batch] == [item for part in parts for item in part]
    assert all(len(batch) >= 7 for batch in found[:-1])
    assert list(batches(iter([]), 7)) == []


def test_parts_are_made_while_the_last_ones_are_worked_on() -> None:
    asked, go_on = threading.Event(), threading.Event()

    def parts() -> Iterator[list[int]]:
        yield [1]
        asked.set()
        assert go_on.wait(60)
        yield [2]
        yield [3]

    listed = batches(parts(), 1)
    assert next(listed) == [1]
    assert asked.wait(60)  # nobody has asked for the next batch
    go_on.set()
    assert [item for batch in listed for item in batch] == [2, 3]


def test_a_listing_that_fails_or_is_not_wanted_any_more_ends() -> None:
    def parts() -> Iterator[list[int]]:
        yield [1]
        raise ValueError("no such folder")

    with pytest.raises(ValueError, match="no such folder"):
        list(batches(parts(), 100))

    def without_end() -> Iterator[list[int]]:
        while True:
            time.sleep(0.001)  # so that there are not millions of them
            yield [1]

    before = threading.active_count()
    with contextlib.closing(batches(without_end(), 1)) as listed:
        next(listed)
    assert threading.active_count() == before
