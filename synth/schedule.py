"""Mixtures dealt out in blocks, so that weights hold over any stretch of indices.

index ──Schedule──> (content k, n-th sample of k)    exact in every block of 1,000 indices
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

BLOCK = 1000  # indices; chosen


class Schedule:
    """Which content an index renders, and how many of that content came before it: O(1) for any index."""

    def __init__(self, weights: Sequence[float], seed: int) -> None:
        self._quotas = _quotas(np.asarray(weights, dtype=float))
        self._seed = seed

    def at(self, index: int) -> tuple[int, int]:
        """(content, ordinal) of an index from 0 on."""
        block, place = divmod(index, BLOCK)
        kinds, ranks = _block(tuple(self._quotas), self._seed, block)
        kind = int(kinds[place])
        return kind, block * self._quotas[kind] + int(ranks[place])


def _quotas(weights: np.ndarray) -> list[int]:
    """How many of a block each content gets: largest remainders, at least one each."""
    exact = weights / weights.sum() * BLOCK
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
