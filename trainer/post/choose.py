"""Which of a prompt's pictures become pairs."""

from __future__ import annotations

from collections.abc import Sequence


def best_and_worst(scores: Sequence[float | None], margin: float, most: int = 1) -> list[tuple[int, int]]:
    """Places of the highest and the lowest score, of the second highest and the second lowest, and so on: at most ``most``
    pairs, no place twice, the first of equal scores first. A pair whose scores are less than ``margin`` apart or equal
    would teach nothing, and ends it."""
    known = [(score, place) for place, score in enumerate(scores) if score is not None]
    best, worst = sorted(known, key=lambda each: (-each[0], each[1])), sorted(known)
    count = min(most, len(known) // 2)
    pairs = zip(best[:count], worst[:count], strict=True)
    return [(high[1], low[1]) for high, low in pairs if high[0] - low[0] >= max(margin, 1e-9)]
