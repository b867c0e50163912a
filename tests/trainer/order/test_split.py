"""Cutting a batch: everything once, as many micro-batches on every rank, none over budget, balanced."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from trainer.order.split import split


@settings(max_examples=150, deadline=None)
@given(st.lists(st.integers(1, 400), min_size=1, max_size=40), st.integers(1, 5), st.none() | st.integers(50, 900))
def test_every_sample_once_within_budget(sizes: list[int], ranks: int, budget: int | None) -> None:
    cut = split(sizes, [float(s) ** 1.5 for s in sizes], ranks, budget)
    assert len(cut) == ranks
    assert len({len(micro) for micro in cut}) == 1
    placed = [int(i) for rank in cut for micro in rank for i in micro]
    assert sorted(placed) == list(range(len(sizes)))
    if budget:
        for rank in cut:
            for micro in rank:
                assert sum(sizes[i] for i in micro) <= budget or len(micro) == 1


def test_ranks_get_about_the_same_cost() -> None:
    rng = np.random.default_rng(0)
    costs = rng.uniform(1, 10, 256)
    cut = split(np.full(256, 10), costs, 4, 320)
    spent = [sum(costs[i] for micro in rank for i in micro) for rank in cut]
    assert max(spent) / min(spent) < 1.02
    assert all(len(rank) == 2 for rank in cut)


def test_a_rank_without_work_has_a_dummy() -> None:
    assert [len(micro[0]) for micro in split([5], [1.0], 3, None)] == [1, 0, 0]
