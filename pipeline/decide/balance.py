"""Balance: how often a sample should be drawn, so that rare characters and categories are not lost.

    repeats ~ mean over its characters of (frequency / mean frequency)^-characters
              x (size of its category / mean size)^-categories,       mean 1 within (task, language, level, band of lengths)

S7 of the report resamples text data against the long tail of token frequencies; this formula is chosen. The
mixture of cells (task, language, level, band) belongs to the training phase, so every cell averages exactly 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl

_CELL = ("task", "text_language", "text_level")
OF_CELLS = (*_CELL, "text_chars")
"""Columns that ``cells_of`` looks at."""
_BANDS = (200, 500, 1000, 2000, 4000)
"""Characters at which one band of lengths ends and the next begins, chosen: a page of thousands is no paragraph."""
_SPACES = np.array([code for code in range(0x3001) if chr(code).isspace()], np.uint32)
"""White space; the last of it is the ideographic space."""

Texts = Callable[[], "Iterable[pl.Series]"]


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
    repeats = repeats_of(cells_of(table), table["category"], lambda: [table["text"]], config)
    return table.select("id").with_columns(repeats=repeats)


def cells_of(table: pl.DataFrame) -> np.ndarray:
    """int (N,): equal for rows of the same task, language, level and band of ``text_chars``, from 0 on."""
    import polars as pl

    counted = pl.col("text_chars").fill_null(0) if "text_chars" in table.columns else pl.lit(0)
    band = counted.cut(list(_BANDS), labels=[str(k) for k in range(len(_BANDS) + 1)]).alias("band")
    return table.select(pl.struct(*_CELL, band).rank("dense")).to_series().to_numpy().astype(np.int64) - 1


def repeats_of(cells: np.ndarray, categories: pl.Series, texts: Texts, config: BalanceConfig) -> pl.Series:
    """``repeats`` of rows in these cells. ``texts``: gives all of their texts in order, in pieces; it is asked twice."""
    import polars as pl

    weights = _character_weights(cells, texts, config.characters) * _category_weights(
        cells, categories, config.categories
    )
    repeats = np.ones(len(cells))
    order = np.argsort(cells, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(cells[order])) + 1) if len(order) else ():
        repeats[rows] = mean_one(weights[rows], config.cap)
    return pl.Series("repeats", repeats, dtype=pl.Float32)


def _character_weights(cells: np.ndarray, texts: Texts, power: float) -> np.ndarray:
    """(N,) mean over the visible characters of each text of (frequency / mean frequency)^-power; 1 without text."""
    counts: dict[int, np.ndarray] = {}
    for rows, codes, owners in _characters(texts):
        for cell, mine in _by_cell(cells[rows][owners]):
            counts[cell] = _sum(counts.get(cell, np.empty(0, np.int64)), np.bincount(codes[mine]))
    rarity = {cell: _rarity(found, power) for cell, found in counts.items()}
    weights = np.ones(len(cells))
    for rows, codes, owners in _characters(texts):
        values = np.empty(len(codes))
        for cell, mine in _by_cell(cells[rows][owners]):
            values[mine] = rarity[cell][codes[mine]]
        count = rows.stop - rows.start
        lengths = np.bincount(owners, minlength=count)
        sums = np.bincount(owners, values, minlength=count)
        weights[rows] = np.divide(sums, lengths, out=np.ones(count), where=lengths > 0)
    return weights


def _sum(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Of counts by code point, as long as the highest of each needs."""
    short, long = sorted((one, other), key=len)
    long = long.copy()
    long[: len(short)] += short
    return long


def _characters(texts: Texts) -> Iterator[tuple[slice, np.ndarray, np.ndarray]]:
    """Of each piece of texts: which rows it is, the code points of visible characters, and whose of its rows they are."""
    start = 0
    for piece in texts():
        filled = piece.fill_null("")
        codes = np.frombuffer("".join(filled).encode("utf-32-le"), np.uint32)
        owners = np.repeat(np.arange(len(filled)), filled.str.len_chars().to_numpy())
        seen = ~np.isin(codes, _SPACES)
        yield slice(start, start + len(filled)), codes[seen], owners[seen]
        start += len(filled)


def _by_cell(cells: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Each cell, and where it is."""
    order = np.argsort(cells, kind="stable")
    for mine in np.split(order, np.flatnonzero(np.diff(cells[order])) + 1) if len(order) else ():
        yield int(cells[mine[0]]), mine


def _rarity(counts: np.ndarray, power: float) -> np.ndarray:
    """By code point."""
    there = counts > 0
    mean = counts.sum() / there.sum()
    return np.where(there, np.where(there, counts, 1) / mean, 1.0) ** -power


def _category_weights(cells: np.ndarray, categories: pl.Series, power: float) -> np.ndarray:
    """(N,) (size of the category / mean size in its cell)^-power; 1 for rows without a category."""
    import polars as pl

    frame = pl.DataFrame({"cell": cells, "category": categories})
    known = pl.col("category").is_not_null()
    if not frame["category"].count():
        return np.ones(len(cells))
    size = frame.filter(known).group_by("cell", "category").len()
    size = size.with_columns(mean=pl.col("len").mean().over("cell"))
    found = frame.join(size, on=["cell", "category"], how="left", maintain_order="left")
    return found.select((pl.col("len") / pl.col("mean")).fill_null(1.0)).to_series().to_numpy() ** -power


def mean_one(weights: np.ndarray, cap: float) -> np.ndarray:
    """``weights`` scaled to average 1 with all of them within [1/cap, cap].

    Clipping changes the average, so the scale is found by bisection: the average after clipping grows with it.
    """
    low, high = 1 / (cap * weights.max()), cap / weights.min()
    for _ in range(200):  # bisection in log space: 200 halvings end at the precision of float64
        factor = np.sqrt(low * high)
        if factor in (low, high):
            break
        average = np.clip(weights * factor, 1 / cap, cap).mean()
        low, high = (factor, high) if average < 1 else (low, factor)
    return np.clip(weights * np.sqrt(low * high), 1 / cap, cap)
