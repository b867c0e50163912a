"""Portions keep order and limit."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from configs.portions import portions


@given(st.lists(st.integers(0, 9)), st.integers(1, 12))
def test_nothing_is_lost_and_only_one_item_alone_may_be_larger(sizes: list[int], limit: int) -> None:
    cut = portions(sizes, lambda size: size, limit)
    assert [size for part in cut for size in part] == sizes
    assert all(sum(part) <= limit or len(part) == 1 for part in cut)
    assert all(sum(part) + after[0] > limit for part, after in pairwise(cut))
    assert all(cut)
