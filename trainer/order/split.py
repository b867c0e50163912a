"""Cutting a global batch into micro-batches: the same number on every rank, balanced by cost. Pure.

The loss is a sum over samples divided by the size of the *global* batch, so any cut gives the same
gradient; the cut only decides how long a step takes. A rank without work runs a dummy of weight 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

Cut = list[list[np.ndarray]]
"""[rank][micro-batch] -> positions in the global batch; an empty array is a dummy."""


def split(
    sizes: Sequence[int] | np.ndarray, costs: Sequence[float] | np.ndarray, ranks: int, budget: int | None
) -> Cut:
    """Cut samples of ``sizes`` tokens (text and image) and ``costs`` FLOPs for ``ranks`` ranks.

    No micro-batch exceeds ``budget`` tokens unless a single sample does; None: one micro-batch per rank.
    """
    size, cost = np.asarray(sizes), np.asarray(costs, dtype=np.float64)
    order = np.lexsort((np.arange(len(size)), -cost))  # dear ones first; equal ones as they come
    micro = max(1, math.ceil(size.sum() / (budget * ranks))) if budget else 1
    while True:
        bins = _fill(order, size, cost, ranks * micro, budget)
        if bins is not None:
            return [
                [np.sort(np.array(bins[m * ranks + r], dtype=np.int64)) for m in range(micro)] for r in range(ranks)
            ]
        micro += 1


def _fill(
    order: np.ndarray, size: np.ndarray, cost: np.ndarray, count: int, budget: int | None
) -> list[list[int]] | None:
    """Each sample into the cheapest of ``count`` bins that has room, or None when one finds no room."""
    bins: list[list[int]] = [[] for _ in range(count)]
    filled, spent = np.zeros(count, dtype=np.int64), np.zeros(count)
    for sample in order.tolist():
        room = (filled == 0) | (filled + size[sample] <= budget) if budget else np.ones(count, bool)
        if not room.any():
            return None
        chosen = int(np.argmin(np.where(room, spent, np.inf)))
        bins[chosen].append(sample)
        filled[chosen] += size[sample]
        spent[chosen] += cost[sample]
    return bins
