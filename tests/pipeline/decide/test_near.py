"""The search for near rows gives what the plain greedy gives, also where hashes collide by the thousand."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.decide import near
from pipeline.decide.near import NearRows, greedy_near


def rows_of(hashes: np.ndarray, seed: int = 0) -> NearRows:
    rng = np.random.default_rng(seed)
    at = rng.integers(0, 400, len(hashes))
    low, high = np.maximum(at - 100, 0), at + 100
    groups = rng.integers(0, 2, len(hashes), dtype=np.uint64)
    return NearRows(hashes, groups, *(v.astype(np.uint16) for v in (at, low, high)))


def uniform(count: int) -> np.ndarray:
    return np.random.default_rng(1).integers(0, 2**64, count, dtype=np.uint64)


def clusters(count: int) -> np.ndarray:
    """A fifth of the hashes within a few bits of 20 centers."""
    rng = np.random.default_rng(2)
    hashes = uniform(count)
    members = rng.permutation(count)[: count // 5]
    near_centers = uniform(20)[rng.integers(0, 20, len(members))]
    for _ in range(4):
        near_centers ^= np.uint64(1) << rng.integers(0, 64, len(members)).astype(np.uint64)
    hashes[members] = near_centers
    return hashes


def one(count: int) -> np.ndarray:
    return np.full(count, 77, np.uint64)


def all_agree(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return np.ones(len(a), bool)


def some_agree(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return ((a * 7919) ^ (b * 104729)) % 5 > 0


def plain_greedy(rows: NearRows, radius: int, agree: near.Agree) -> np.ndarray:
    of = np.arange(len(rows.hashes))
    for row in range(len(of)):
        kept = np.flatnonzero(of[:row] == np.arange(row))
        close = np.bitwise_count(rows.hashes[kept] ^ rows.hashes[row]) <= radius
        close &= (rows.at[kept] >= rows.low[row]) & (rows.at[kept] <= rows.high[row])
        kept = kept[close & (rows.groups[kept] == rows.groups[row])]
        kept = kept[agree(kept, np.full(len(kept), row))]
        if len(kept):
            of[row] = kept[0]
    return of


@pytest.mark.parametrize("halved", [False, True])
@pytest.mark.parametrize("agree", [all_agree, some_agree])
@pytest.mark.parametrize(
    ("hashes", "count", "radius"),
    [(one, 500, 0), (clusters, 2000, 3), (clusters, 2000, 4), (clusters, 2000, 9), (one, 1000, 4), (clusters, 500, 16)],
)
def test_it_is_the_plain_greedy(
    hashes, count: int, radius: int, agree, halved: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if halved:  # as with millions of rows
        for name, value in (("_PAIRS", 100), ("_PAIRS_PER_ROW", 1), ("_FEW", 40), ("_CHUNK", 1000)):
            monkeypatch.setattr(near, name, value)
    rows = rows_of(hashes(count))
    expected = plain_greedy(rows, radius, agree)
    assert (expected != np.arange(count)).any()
    for shared in (2, 3):
        np.testing.assert_array_equal(greedy_near(rows, radius, agree, shared=shared), expected)


def test_a_hash_that_100_000_rows_share_is_no_matter_of_pairs() -> None:
    """Five thousand million pairs; only those with the one that is kept are looked at, and a few first ones."""
    looked_at = 0

    def agree(a: np.ndarray, b: np.ndarray) -> np.ndarray:
        nonlocal looked_at
        looked_at += len(a)
        return np.ones(len(a), bool)

    count = 100_000
    none = np.zeros(count, np.uint16)
    of = greedy_near(NearRows(one(count), np.zeros(count, np.uint64), none, none, none), 4, agree)
    np.testing.assert_array_equal(of, 0)
    assert looked_at < 100 * count


def test_no_rows_are_no_rows() -> None:
    assert len(greedy_near(rows_of(uniform(0)), 4, all_agree)) == 0
