"""Weighted choice, and the schedule that gives every index its content.

index ──Schedule──> (content k, n-th sample of k)    exact shares in every block of 1,000 indices
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any, TypeVar

import numpy as np

K = TypeVar("K")
BLOCK = 1000


def choose(rng: np.random.Generator, shares: Sequence[float]) -> int:
    """Index drawn in proportion to ``shares``."""
    edges = list(accumulate(shares))
    return bisect_right(edges, rng.random() * edges[-1])


def choose_key(rng: np.random.Generator, shares: Mapping[K, float]) -> K:
    """Key drawn in proportion to its value."""
    return list(shares)[choose(rng, list(shares.values()))]


def check_shares(name: str, shares: Mapping[Any, float]) -> None:
    """Raise ValueError unless ``shares`` can be drawn from; for ``__post_init__`` of configs."""
    if not shares or min(shares.values()) < 0 or max(shares.values()) == 0:
        raise ValueError(f"{name} must hold shares of at least 0, one of them above 0, found {dict(shares)}")


class Schedule:
    """Which content an index renders, and how many of that content came before it: O(1) for any index."""

    def __init__(self, shares: Sequence[float], seed: int) -> None:
        self._quotas = _quotas(np.asarray(shares, dtype=float))
        self._seed = seed

    def at(self, index: int) -> tuple[int, int]:
        """(content, ordinal) of an index from 0 on."""
        block, place = divmod(index, BLOCK)
        kinds, ranks = _block(tuple(self._quotas), self._seed, block)
        kind = int(kinds[place])
        return kind, block * self._quotas[kind] + int(ranks[place])


def _quotas(shares: np.ndarray) -> list[int]:
    """How many of a block each content gets: largest remainders, at least one each."""
    exact = shares / shares.sum() * BLOCK
    quotas = np.maximum(np.floor(exact).astype(int), 1)
    order = np.argsort(-(exact - np.floor(exact)), kind="stable")
    for step in range(BLOCK - int(quotas.sum())):
        quotas[order[step % len(order)]] += 1
    while quotas.sum() > BLOCK:
        quotas[int(np.argmax(quotas))] -= 1
    return [int(q) for q in quotas]


@lru_cache(maxsize=64)
def _block(quotas: tuple[int, ...], seed: int, block: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.Generator(np.random.PCG64([seed, block, len(quotas)]))
    kinds = rng.permutation(np.repeat(np.arange(len(quotas)), quotas))
    ranks = np.zeros(len(kinds), dtype=int)
    for kind in range(len(quotas)):
        places = np.flatnonzero(kinds == kind)
        ranks[places] = np.arange(len(places))
    return kinds, ranks
