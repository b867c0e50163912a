"""Weighted choice, and the schedule that gives every index its content.

index ──Schedule──> (content k, n-th sample of k)    exact shares in every block of 1,000 indices
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, TypeVar

import numpy as np

K = TypeVar("K")


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
