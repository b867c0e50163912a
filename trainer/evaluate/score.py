"""What was read against what was asked, text by text. Pure functions.

Comparison is case-sensitive and takes full-width forms for their half-width ones (NFKC); white space
does not count, because the reader guesses it from gaps. Look-alikes are not forgiven: a charset that
is to be read from single characters should not hold both of a pair such as O and 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.ocr.lines import character_accuracy, normalize


@dataclass(frozen=True)
class Score:
    """Over ``count`` texts. ``exact``: share read exactly; ``characters``: character accuracy, both 0..1."""

    count: int
    exact: float
    characters: float


def is_exact(wanted: str, read: str) -> bool:
    return normalize(wanted) == normalize(read)


def score(wanted: Sequence[str], read: Sequence[str]) -> Score:
    """Means over pairs; ValueError when there are none, or the lists do not match."""
    if not wanted or len(wanted) != len(read):
        raise ValueError(f"{len(read)} readings of {len(wanted)} texts; there must be one for each, and at least one")
    pairs = list(zip(wanted, read, strict=True))
    return Score(
        count=len(pairs),
        exact=sum(is_exact(w, r) for w, r in pairs) / len(pairs),
        characters=sum(character_accuracy(w, r) for w, r in pairs) / len(pairs),
    )
