"""Figures out of judged pictures: sums of hits over sums of what they are out of, with their standard error.

Pictures of one prompt are not independent of each other, so the error is that of a ratio over prompts (clusters).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from trainer.evaluate.base import Judged, Ratio


@dataclass(frozen=True)
class Figure:
    """``value`` and its ``error``, one standard error; None where there is nothing, or nothing to tell it from."""

    value: float | None
    error: float | None


def ratio(parts: Iterable[tuple[str, Ratio]]) -> Figure:
    """Of (cluster, (hits, out of)) pairs. The error is the linearized one of a ratio of sums over k clusters:
    sqrt(k / (k - 1) * sum((n_i - R d_i)^2)) / sum(d_i)."""
    sums: dict[str, list[float]] = {}
    for cluster, (hits, total) in parts:
        both = sums.setdefault(cluster, [0.0, 0.0])
        both[0] += hits
        both[1] += total
    n, d = np.array(list(sums.values())).reshape(-1, 2).T
    if not d.sum():
        return Figure(None, None)
    value = float(n.sum() / d.sum())
    count = len(n)
    if count < 2:
        return Figure(value, None)
    spread = float(((n - value * d) ** 2).sum()) * count / (count - 1)
    return Figure(value, math.sqrt(spread) / float(d.sum()))


def weighted(figures: Sequence[tuple[Figure, float]]) -> Figure:
    """The mean of groups by weight, of those that have a value; their errors are independent."""
    known = [(f, w) for f, w in figures if f.value is not None and w > 0]
    total = sum(w for _, w in known)
    if not total:
        return Figure(None, None)
    value = sum(f.value * w for f, w in known if f.value is not None) / total
    errors = [f.error for f, _ in known]
    if any(e is None for e in errors):
        return Figure(value, None)
    return Figure(value, math.sqrt(sum((f.error or 0.0) ** 2 * w * w for f, w in known)) / total)


def figures(rows: Sequence[tuple[str, str, Judged]], weights: Mapping[str, float]) -> dict[str, Figure]:
    """By metric, of (cluster, group, judged) rows; ``weights`` of groups, empty for none."""
    names = list(dict.fromkeys(name for _, _, judged in rows for name in judged))
    return {name: _figure(name, rows, weights) for name in names}


def _figure(name: str, rows: Sequence[tuple[str, str, Judged]], weights: Mapping[str, float]) -> Figure:
    if not weights:
        return ratio((cluster, judged[name]) for cluster, _, judged in rows if name in judged)
    parts = [
        (ratio((c, judged[name]) for c, g, judged in rows if g == group and name in judged), weight)
        for group, weight in weights.items()
    ]
    return weighted(parts)
