"""Which characters the visible texts of kept pictures hold, and how often.

Han characters are counted by the three levels of the Table of General Standard Chinese Characters
(3,500 / 3,000 / 1,605 characters, the 8,105 that the report's ChineseWord benchmark draws from).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from pipeline.report import charts
from pipeline.report.page import level_name

_SHADES = (0, 1, 3, 10, 30)
"""Lower limits of the shades of the map; shade 0 is: never seen."""


_MISSING = 120
"""Characters that never occur and are written out for each level, in the table's order; chosen: a few lines."""


@dataclass(frozen=True)
class LevelMap:
    """One level: a square per character in the table's order. ``missing``: the first of those that never occur."""

    level: int
    characters: int
    seen: int
    chart: charts.Chart
    missing: str

    @property
    def share(self) -> float:
        return self.seen / self.characters


@dataclass(frozen=True)
class Coverage:
    levels: list[LevelMap]
    most_frequent: list[tuple[str, int]]
    least_frequent: list[tuple[str, int]]
    occurrences: int
    distinct: int
    outside: int
    """Distinct characters that are neither among the 8,105 nor ASCII."""

    @property
    def seen(self) -> int:
        return sum(level.seen for level in self.levels)


def coverage(counts: Counter[str], tables: dict[int, Sequence[str]], examples: int = 24) -> Coverage:
    """How ``counts`` cover ``tables`` (level -> its characters); most and least frequent of those seen."""
    levels = [_level_map(level, table, counts) for level, table in tables.items()]
    known = {c for table in tables.values() for c in table}
    ordered = sorted(((c, n) for c, n in counts.items() if c in known), key=lambda pair: (-pair[1], pair[0]))
    outside = sum(c not in known and ord(c) > 127 for c in counts)
    least = [pair for pair in ordered[::-1] if pair not in ordered[:examples]][:examples]
    return Coverage(levels, ordered[:examples], least, sum(counts.values()), len(counts), outside)


def _level_map(level: int, table: Sequence[str], counts: Counter[str]) -> LevelMap:
    missing = [c for c in table if not counts[c]]
    chart = charts.character_map(table, counts, _SHADES)
    return LevelMap(level, len(table), len(table) - len(missing), chart, "".join(missing[:_MISSING]))


@dataclass(frozen=True)
class Part:
    """One value of a distribution; ``real`` and ``synthetic`` pictures."""

    label: str
    real: int
    synthetic: int


def distribution(rows: pl.DataFrame, column: str) -> list[Part]:
    """Pictures by value of ``column``, most first (text levels in their own order); null is ``unknown``."""
    counted: dict[object, list[int]] = {}
    for value, synthetic, count in rows.lazy().group_by([column, "synthetic"]).len().collect().iter_rows():
        counted.setdefault(value, [0, 0])[int(synthetic)] += count
    if column == "text_level":
        order = sorted(counted, key=lambda v: (v is None, v))
    else:
        order = sorted(counted, key=lambda v: (-sum(counted[v]), str(v)))
    return [Part(_label(column, value), *counted[value]) for value in order]


def _label(column: str, value: object) -> str:
    if value is None:
        return "unknown"
    return level_name(value) if column == "text_level" and isinstance(value, int) else str(value)


def shade_labels() -> list[str]:
    """Words for ``_SHADES``."""
    labels = ["never"]
    for low, above in zip(_SHADES[1:], [*_SHADES[2:], None], strict=True):
        labels.append(f"{low} and more" if above is None else str(low) if above == low + 1 else f"{low} to {above - 1}")
    return labels
