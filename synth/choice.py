"""Weighted choice from a sample's random stream."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from itertools import accumulate
from typing import Any, TypeVar

import numpy as np

K = TypeVar("K")


def choose(rng: np.random.Generator, weights: Sequence[float]) -> int:
    """Index drawn in proportion to ``weights``."""
    edges = list(accumulate(weights))
    return bisect_right(edges, rng.random() * edges[-1])


def choose_key(rng: np.random.Generator, weights: Mapping[K, float]) -> K:
    """Key drawn in proportion to its value."""
    return list(weights)[choose(rng, list(weights.values()))]


def check_weights(name: str, weights: Mapping[Any, float]) -> None:
    """Raise ValueError unless ``weights`` can be drawn from; for ``__post_init__`` of configs."""
    if not weights or min(weights.values()) < 0 or max(weights.values()) == 0:
        raise ValueError(f"{name} must hold weights of at least 0, one of them above 0, found {dict(weights)}")
