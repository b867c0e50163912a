"""Draws by number: permutations are permutations, counts follow repeats, every draw stands alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tolerance import counting
from trainer.order.draw import Weights, mix, permute
from trainer.order.row_sets import RowSet, RowSets


def sets(strata: list[np.ndarray]) -> RowSets:
    found = []
    for rows in strata:
        found.append(RowSet())
        found[-1].add(rows)
    return RowSets(found)


def draw(numbers: np.ndarray, repeats: np.ndarray, key: int) -> np.ndarray:
    """Rows of the draws ``numbers`` of a stratum of all rows."""
    weights = Weights(sets([np.arange(len(repeats))]), repeats.astype(np.float32))
    return weights.draw(np.zeros(len(numbers), dtype=np.int64), numbers, np.full(len(numbers), key, np.uint64))


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 3000), st.integers(0, 2**63))
def test_permute_is_a_permutation(n: int, key: int) -> None:
    assert sorted(permute(np.arange(n), n, key).tolist()) == list(range(n))


def test_permutations_differ_by_key_and_do_not_keep_order() -> None:
    first, second = permute(np.arange(1000), 1000, 1), permute(np.arange(1000), 1000, 2)
    assert (first != second).mean() > 0.95
    assert abs(np.corrcoef(first, np.arange(1000))[0, 1]) < 0.1


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0.25, 4.0), min_size=1, max_size=200), st.integers(0, 2**32), st.integers(0, 10**6))
def test_an_epoch_draws_each_row_as_often_as_it_repeats(repeats: list[float], key: int, epoch: int) -> None:
    n = len(repeats)
    stored = np.array(repeats, dtype=np.float32)
    scaled = stored.astype(np.float64) * (n / stored.sum(dtype=np.float64))
    counts = np.bincount(draw(np.arange(epoch * n, (epoch + 1) * n), stored, key), minlength=n)
    assert (counts >= np.floor(scaled - 1e-9)).all()
    assert (counts <= np.ceil(scaled + 1e-9)).all()


def test_over_many_epochs_draws_are_proportional_to_repeats() -> None:
    repeats = np.array([0.5, 2.5, 1.0, 1.0, 0.25, 0.75])
    counts = np.bincount(draw(np.arange(6 * 4000), repeats, 3), minlength=6)
    assert counts / 4000 == pytest.approx(repeats, abs=counting(0.5, 4000))  # once more or not, each epoch


def test_a_draw_is_the_same_alone_and_far_out() -> None:
    repeats = np.linspace(0.5, 1.5, 517)
    together = draw(np.arange(10**9, 10**9 + 50), repeats, 9)
    alone = [int(draw(np.array([10**9 + i]), repeats, 9)[0]) for i in range(50)]
    assert together.tolist() == alone


def test_strata_drawn_together_are_drawn_as_each_alone() -> None:
    rng = np.random.default_rng(0)
    repeats = rng.uniform(0.5, 2.0, 3000).astype(np.float32)
    repeats[1000:1400] = 1.0
    strata = [np.arange(0, 1000, 3), np.arange(1000, 1400), np.arange(1400, 3000), np.array([2])]
    together = Weights(sets(strata), repeats)
    which, numbers = rng.integers(0, 4, 400), rng.integers(0, 10**7, 400)
    keys = mix(5, which)
    drawn = together.draw(which, numbers, keys)
    for stratum, rows in enumerate(strata):
        mine = which == stratum
        alone = Weights(sets([rows]), repeats)
        again = alone.draw(np.zeros(mine.sum(), np.int64), numbers[mine], keys[mine])
        assert drawn[mine].tolist() == again.tolist()
        assert set(again.tolist()) <= set(rows.tolist())


def test_a_row_is_where_the_running_sum_of_all_repeats_says() -> None:
    """Against the sum over a whole stratum, of which every 16th is kept."""
    repeats = np.random.default_rng(1).uniform(0.1, 3.0, 1000).astype(np.float32)
    numbers = np.arange(5000, 7000)
    epoch, place = np.divmod(numbers, 1000)
    keys = mix(11, epoch)
    points = permute(place, 1000, keys) + mix(keys, 1).astype(np.float64) / 2.0**64
    sums = np.cumsum(repeats.astype(np.float64))
    expected = np.searchsorted(sums * (1000 / repeats.astype(np.float64).sum()), points, side="right")
    assert draw(numbers, repeats, 11).tolist() == np.minimum(expected, 999).tolist()


def test_mix_spreads_every_bit() -> None:
    bits = mix(7, np.arange(20_000))
    shares = [(bits >> np.uint64(b) & np.uint64(1)).mean() for b in range(64)]
    assert np.abs(np.array(shares) - 0.5).max() < counting(0.5, 20_000)
    assert len(np.unique(bits)) == 20_000
