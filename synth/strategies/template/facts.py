"""Facts of a template: records, dates and numbers that agree with each other, declared in the family's file.

    facts: {dishes: {kind: rows, ...}, day: {kind: date, ...}, total: "= sum(dishes.price)"}
      ──draw_facts(facts, language, rng)──> {name: value}      in the order of the file, so that later ones may use earlier
      ──told("{total:money}", values, language)──> "¥86.00"

A cell is a number, a text ("English | 中文"), a range to draw from ("3..9", "3..9/0.5"; also one for each language:
"4..9/0.5 | 18..38") or a formula ("= qty * price") over the fields of its record and the facts before.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from typing import Any, Literal

import numpy as np

from synth.language import CaptionLanguage
from synth.strategies.template.formats import written
from synth.strategies.template.formula import evaluate

_RANGE = re.compile(r"(-?[\d.]+?)\.\.(-?[\d.]+)(?:/([\d.]+))?")
_PLACE = re.compile(r"\{([^{}:]+)(?::([^{}]*))?\}")
_NAME = re.compile(r"(?<![\w.])[a-z_]\w*")
Value = Any
"""A number, a text, a date, a record or a list of records."""


@dataclass(frozen=True)
class Rows:
    """Records from a table. ``fields``: names of the columns; a column that holds tables is {name: [its fields]}.

    ``count``: how many are taken, [least, most], in a list; without it one, as a record. ``inner``: how many rows of an
    inner table. ``more``: further fields of every record. ``sort``: a field to order by; else the order of the file
    stays, unless they are ``shuffled``. ``unlike``: no two records agree in this field.
    """

    kind: Literal["rows"]
    fields: tuple[str | dict[str, tuple[str, ...]], ...]
    rows: tuple[tuple[Any, ...], ...]
    count: tuple[int, int] | None = None
    inner: tuple[int, int] | None = None
    more: dict[str, str | float] = field(default_factory=dict)
    sort: str | None = None
    shuffled: bool = False
    unlike: str | None = None

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.fields):
                raise ValueError(f"rows: {list(row)} has {len(row)} cells for {len(self.fields)} fields")
        if self.count and not 0 < self.count[0] <= self.count[1] <= len(self.rows):
            raise ValueError(f"count must be [least, most] within 1..{len(self.rows)}, found {list(self.count)}")


@dataclass(frozen=True)
class Day:
    """A date between two others, both ISO. ``weekdays``: only these, 0 is Monday."""

    kind: Literal["date"]
    after: str = "2023-01-01"
    before: str = "2032-12-31"
    weekdays: tuple[int, ...] = tuple(range(7))

    def __post_init__(self) -> None:
        if not _days(self):
            raise ValueError(f"there is no day from {self.after} to {self.before} on weekdays {list(self.weekdays)}")


@dataclass(frozen=True)
class Month:
    """A month of ``years`` as a record: ``first`` (its first day), ``days`` (how many) and ``weeks`` of seven ``days``.

    Days of other months are empty. Weeks begin on Monday in Chinese, on Sunday or Monday in English.
    """

    kind: Literal["month"]
    years: tuple[int, int] = (2023, 2032)


Fact = Rows | Day | Month | str | float | int


def draw_facts(facts: Mapping[str, Fact], language: CaptionLanguage, rng: np.random.Generator) -> dict[str, Value]:
    """All facts of one picture. Raises ValueError for a formula that cannot be worked out."""
    values: dict[str, Value] = {}
    for name, fact in facts.items():
        values[name] = _draw(fact, values, language, rng)
    return values


def told(text: str, values: Mapping[str, Value], language: CaptionLanguage) -> str:
    """A text with its {places} filled: {dish.name}, {total:money}. Raises ValueError for a name that there is not."""
    return _PLACE.sub(lambda place: written(evaluate(place[1], values), place[2] or "", language), text)


def names_in(text: str) -> set[str]:
    """First parts of the names that a text asks for."""
    return {name for place in _PLACE.finditer(text) for name in _NAME.findall(place[1])}


def in_language(text: str, language: CaptionLanguage) -> str:
    """One side of "English | 中文", or the whole text where it has but one."""
    english, bar, chinese = text.partition(" | ")
    return (chinese if language == "zh" else english).strip() if bar else text


def _draw(fact: Fact, values: Mapping[str, Value], language: CaptionLanguage, rng: np.random.Generator) -> Value:
    if isinstance(fact, Rows):
        return _rows(fact, values, language, rng)
    if isinstance(fact, Day):
        days = _days(fact)
        return days[int(rng.integers(len(days)))]
    return _month(fact, language, rng) if isinstance(fact, Month) else _cell(fact, values, language, rng)


@lru_cache(maxsize=256)
def _days(fact: Day) -> list[date]:
    """All days that a fact allows."""
    first, last = date.fromisoformat(fact.after), date.fromisoformat(fact.before)
    days = (first + timedelta(days=k) for k in range((last - first).days + 1))
    return [day for day in days if day.weekday() in fact.weekdays]


def _rows(fact: Rows, values: Mapping[str, Value], language: CaptionLanguage, rng: np.random.Generator) -> Value:
    order = rng.permutation(len(fact.rows))
    if fact.count is None:
        return _record(fact, fact.rows[int(order[0])], values, language, rng)
    wanted = int(rng.integers(fact.count[0], fact.count[1] + 1))
    records: list[dict[str, Value]] = []
    kept: list[int] = []
    for number in map(int, order):
        if len(records) == wanted:
            break
        record = _record(fact, fact.rows[number], values, language, rng)
        if fact.unlike is None or all(record[fact.unlike] != other[fact.unlike] for other in records):
            records.append(record)
            kept.append(number)
    if fact.shuffled:
        return records
    by_file = [record for _, record in sorted(zip(kept, records, strict=True), key=lambda pair: pair[0])]
    return sorted(by_file, key=lambda record: record[fact.sort]) if fact.sort else by_file


def _record(
    fact: Rows, row: Sequence[Any], values: Mapping[str, Value], language: CaptionLanguage, rng: np.random.Generator
) -> dict[str, Value]:
    record: dict[str, Value] = {}
    for column, cell in zip(fact.fields, row, strict=True):
        if isinstance(column, str):
            record[column] = _cell(cell, {**values, **record}, language, rng)
            continue
        ((name, fields),) = column.items()
        low, high = fact.inner or (len(cell), len(cell))
        count = min(int(rng.integers(low, high + 1)), len(cell))
        kept = sorted(int(i) for i in rng.permutation(len(cell))[:count])
        inner = Rows("rows", tuple(fields), tuple(tuple(cell[i]) for i in kept))
        record[name] = [_record(inner, inner_row, {**values, **record}, language, rng) for inner_row in inner.rows]
    for name, more in fact.more.items():
        record[name] = _cell(more, {**values, **record}, language, rng)
    return record


def _cell(cell: Any, values: Mapping[str, Value], language: CaptionLanguage, rng: np.random.Generator) -> Value:
    if not isinstance(cell, str):
        return cell
    if cell.startswith("="):
        return evaluate(cell[1:].strip(), values)
    own = in_language(cell, language)
    range_ = _RANGE.fullmatch(own)
    if range_:
        return _number(float(range_[1]), float(range_[2]), float(range_[3] or 1), rng)
    # A text of two languages keeps both sides: {name:en} beside {name}.
    return Both(own, cell) if " | " in cell else own


class Both(str):
    """A text in the picture's language that knows the other."""

    both: str

    def __new__(cls, own: str, both: str) -> Both:
        made = super().__new__(cls, own)
        made.both = both
        return made


def _number(low: float, high: float, step: float, rng: np.random.Generator) -> float:
    """One of low, low + step, ... up to high; a whole number where it is one."""
    drawn = round(low + step * int(rng.integers(round((high - low) / step) + 1)), 6)
    return int(drawn) if drawn == int(drawn) else drawn


def _month(fact: Month, language: CaptionLanguage, rng: np.random.Generator) -> dict[str, Value]:
    first = date(int(rng.integers(fact.years[0], fact.years[1] + 1)), int(rng.integers(1, 13)), 1)
    following = (first.replace(day=28) + timedelta(days=4)).replace(day=1)
    days = (following - first).days
    sunday_first = language == "en" and rng.random() < 0.5
    before = (first.weekday() + sunday_first) % 7
    cells = [""] * before + [str(day) for day in range(1, days + 1)]
    cells += [""] * (-len(cells) % 7)
    weeks = [
        {"days": [{"day": d, "column": c} for c, d in enumerate(cells[i : i + 7])]} for i in range(0, len(cells), 7)
    ]
    monday = date(2024, 1, 1 - sunday_first + 7)
    heads = [{"name": monday + timedelta(days=k)} for k in range(7)]
    return {"first": first, "days": days, "weeks": weeks, "heads": heads}
