"""Which two of a prompt's pictures become a pair."""

from __future__ import annotations

from collections.abc import Sequence


def best_and_worst(scores: Sequence[float | None], margin: float) -> tuple[int, int] | None:
    """Places of the highest and the lowest score, the first of equal ones; None where fewer than two pictures have one, or
    the two are less than ``margin`` apart or equal: a pair of ties teaches nothing."""
    known = [(score, place) for place, score in enumerate(scores) if score is not None]
    if len(known) < 2:
        return None
    best = max(known, key=lambda each: (each[0], -each[1]))
    worst = min(known)
    return (best[1], worst[1]) if best[0] - worst[0] >= max(margin, 1e-9) else None
