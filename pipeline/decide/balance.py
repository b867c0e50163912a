"""Balance: how often a sample should be drawn, so that rare characters and categories are not lost.

    repeats ~ mean over its characters of (frequency / mean frequency)^-characters
              x (size of its category / mean size)^-categories,       mean 1 within (task, language, level)

S7 of the report resamples text data against the long tail of token frequencies; this formula is chosen. The
mixture of cells (task, language, level) belongs to the training phase, so every cell averages exactly 1.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl

_CELL = ("task", "text_language", "text_level")


@dataclass(frozen=True)
class BalanceConfig:
    """All numbers are chosen. ``characters`` and ``categories``: 0 leaves frequencies as they are, 1 evens them out.

    ``cap``: no sample is drawn more than this many times, or less than its inverse, as often as its cell's average.
    """

    characters: float = 0.5
    categories: float = 0.5
    cap: float = 10.0

    def __post_init__(self) -> None:
        for name in ("characters", "categories"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"field '{name}': must be between 0 and 1, found {getattr(self, name)}")
        if self.cap < 1:
            raise ValueError(f"field 'cap': must be at least 1, found {self.cap}")


def balance(table: pl.DataFrame, config: BalanceConfig) -> pl.DataFrame:
    """(id, repeats) of the rows of ``table`` (id, task, text, text_language, text_level, category): kept ones only."""
    import polars as pl

    parts = []
    for cell in table.partition_by(*_CELL, maintain_order=True):
        weights = _character_weights(cell["text"].to_list(), config.characters)
        weights *= _category_weights(cell["category"].to_list(), config.categories)
        parts.append(cell.select("id").with_columns(repeats=pl.Series(mean_one(weights, config.cap), dtype=pl.Float32)))
    return pl.concat(parts) if parts else pl.DataFrame(schema={"id": pl.String, "repeats": pl.Float32})


def _character_weights(texts: Sequence[str | None], power: float) -> np.ndarray:
    """(N,) mean over the visible characters of each text of (frequency / mean frequency)^-power; 1 without text."""
    counts = Counter(c for text in texts for c in text or "" if not c.isspace())
    if not counts:
        return np.ones(len(texts))
    mean = sum(counts.values()) / len(counts)
    rarity = {c: (n / mean) ** -power for c, n in counts.items()}
    return np.array([_mean([rarity[c] for c in text or "" if not c.isspace()]) for text in texts])


def _category_weights(categories: Sequence[str | None], power: float) -> np.ndarray:
    """(N,) (size of the category / mean size)^-power; 1 for rows without a category."""
    counts = Counter(c for c in categories if c is not None)
    if not counts:
        return np.ones(len(categories))
    mean = sum(counts.values()) / len(counts)
    return np.array([1.0 if c is None else (counts[c] / mean) ** -power for c in categories])


def mean_one(weights: np.ndarray, cap: float) -> np.ndarray:
    """``weights`` scaled to average 1 with all of them within [1/cap, cap].

    Clipping changes the average, so the scale is found by bisection: the average after clipping grows with it.
    """
    low, high = 1 / (cap * weights.max()), cap / weights.min()
    for _ in range(200):  # bisection in log space: 200 halvings end at the precision of float64
        factor = np.sqrt(low * high)
        average = np.clip(weights * factor, 1 / cap, cap).mean()
        low, high = (factor, high) if average < 1 else (low, factor)
    return np.clip(weights * np.sqrt(low * high), 1 / cap, cap)


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values) if values else 1.0
