"""Draws by number: permutations are permutations, counts follow repeats, every draw stands alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tolerance import counting
from trainer.order.draw import draw, mix, permute


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3000), st.integers(0, 2**63))
def test_permute_is_a_permutation(n: int, key: int) -> None:
    assert sorted(permute(np.arange(n), n, key).tolist()) == list(range(n))


def test_permutations_differ_by_key_and_do_not_keep_order() -> None:
    first, second = permute(np.arange(1000), 1000, 1), permute(np.arange(1000), 1000, 2)
    assert (first != second).mean() > 0.95
    assert abs(np.corrcoef(first, np.arange(1000))[0, 1]) < 0.1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.25, 4.0), min_size=1, max_size=40), st.integers(0, 2**32), st.integers(0, 10**6))
def test_an_epoch_draws_each_row_as_often_as_it_repeats(repeats: list[float], key: int, epoch: int) -> None:
    n = len(repeats)
    scaled = np.array(repeats) * (n / sum(repeats))
    counts = np.bincount(draw(np.arange(epoch * n, (epoch + 1) * n), np.cumsum(scaled), key), minlength=n)
    assert (counts >= np.floor(scaled - 1e-9)).all()
    assert (counts <= np.ceil(scaled + 1e-9)).all()


def test_over_many_epochs_draws_are_proportional_to_repeats() -> None:
    repeats = np.array([0.5, 2.5, 1.0, 1.0, 0.25, 0.75])
    counts = np.bincount(draw(np.arange(6 * 4000), np.cumsum(repeats), 3), minlength=6)
    assert counts / 4000 == pytest.approx(repeats, abs=counting(0.5, 4000))  # once more or not, each epoch


def test_a_draw_is_the_same_alone_and_far_out() -> None:
    cumulated = np.cumsum(np.ones(17))
    together = draw(np.arange(10**9, 10**9 + 50), cumulated, 9)
    alone = [int(draw(np.array([10**9 + i]), cumulated, 9)[0]) for i in range(50)]
    assert together.tolist() == alone


def test_mix_spreads_every_bit() -> None:
    bits = mix(7, np.arange(20_000))
    shares = [(bits >> np.uint64(b) & np.uint64(1)).mean() for b in range(64)]
    assert np.abs(np.array(shares) - 0.5).max() < counting(0.5, 20_000)
    assert len(np.unique(bits)) == 20_000
