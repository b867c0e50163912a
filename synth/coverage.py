"""How often a recipe draws each of the 8,105 characters: a table by level, and the long tail as a plot.

texts ──count──> Counter ──rows──> Row per level      ──plot──> SVG: occurrences over rank, a curve a level
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from synth.corpus.builtin import levels_characters

_WIDTH, _HEIGHT, _LEFT, _TOP, _RIGHT, _BOTTOM = 960, 540, 70, 30, 30, 60  # px
_COLORS = ("#1769aa", "#c2410c", "#15803d")  # of levels 1, 2, 3


@dataclass(frozen=True)
class Row:
    """One level: its characters, how many were drawn, and occurrences of the rarest, the median and the commonest."""

    level: int
    characters: int
    seen: int
    min_count: int
    median: int
    max_count: int


def rows(counts: Counter[str], tables: Mapping[int, Sequence[str]]) -> list[Row]:
    """A row per level; occurrences count characters never drawn as 0."""
    found = []
    for level, table in tables.items():
        ordered = sorted(counts[c] for c in table)
        seen = sum(n > 0 for n in ordered)
        found.append(Row(level, len(table), seen, ordered[0], ordered[len(ordered) // 2], ordered[-1]))
    return found


def plot(counts: Counter[str], tables: Mapping[int, Sequence[str]], title: str) -> str:
    """An SVG: characters of a level from the commonest to the rarest (x, rank) and how often they came (y, logarithmic).

    A curve ends where its characters were never drawn.
    """
    longest = max(len(table) for table in tables.values())
    top = 10 ** math.ceil(math.log10(max(max((counts[c] for t in tables.values() for c in t), default=1), 10)))

    def x(rank: float) -> float:
        return _LEFT + rank / longest * (_WIDTH - _LEFT - _RIGHT)

    def y(count: float) -> float:
        return _HEIGHT - _BOTTOM - math.log10(count) / math.log10(top) * (_HEIGHT - _TOP - _BOTTOM)

    parts = [_text(_LEFT, 20, title, "start")]
    for power in range(round(math.log10(top)) + 1):
        parts += [
            _line(_LEFT, y(10**power), _WIDTH - _RIGHT, y(10**power)),
            _text(_LEFT - 8, y(10**power) + 5, f"{10**power:,}", "end"),
        ]
    for rank in range(0, longest + 1, 500):
        parts += [
            _line(x(rank), _HEIGHT - _BOTTOM, x(rank), _HEIGHT - _BOTTOM + 5),
            _text(x(rank), _HEIGHT - _BOTTOM + 22, f"{rank:,}"),
        ]
    parts.append(
        _text(
            (_LEFT + _WIDTH - _RIGHT) / 2,
            _HEIGHT - 14,
            "rank of the character within its level (count of it upwards, logarithmic)",
        )
    )
    for place, ((level, table), color) in enumerate(zip(tables.items(), _COLORS, strict=False)):
        drawn = sorted((counts[c] for c in table if counts[c]), reverse=True)
        points = " ".join(f"{x(rank):.1f},{y(count):.1f}" for rank, count in enumerate(drawn))
        parts.append(f'<polyline points="{points}" fill="none" stroke="{color}" stroke-width="2"/>')
        label = f"level {level}: {len(drawn):,} of {len(table):,} drawn"
        parts.append(_text(_WIDTH - _RIGHT - 4, _TOP + 22 + 22 * place, label, "end", color))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" font-family="sans-serif" font-size="14">'
    return "\n".join([head, f'<rect width="{_WIDTH}" height="{_HEIGHT}" fill="#fff"/>', *parts, "</svg>\n"])


def _line(x1: float, y1: float, x2: float, y2: float) -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="#ccc"/>'


def _text(x: float, y: float, text: str, anchor: str = "middle", color: str = "#222") -> str:
    safe = text.replace("&", "&amp;").replace("<", "&lt;")
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{color}">{safe}</text>'


def count_characters(texts: Iterable[str | None]) -> Counter[str]:
    """Occurrences of every visible character (no white space) over all texts."""
    counts: Counter[str] = Counter()
    for text in texts:
        counts.update(text or "")
    for blank in [c for c in counts if c.isspace()]:
        del counts[blank]
    return counts


def tables() -> dict[int, Sequence[str]]:
    """Level -> its characters, in the table's order."""
    return {level: levels_characters((level,)) for level in (1, 2, 3)}
