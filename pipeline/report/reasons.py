"""Why pictures were stopped and why inputs failed, with the pictures that show it best.

decided rows, rules ──reasons──> per operator: judged, stopped, share, examples
failures/F          ──failure_groups──> per step and kind of error: count, uris
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from pipeline.predicate import parse
from pipeline.report.cuts import cuts, expression

_LOOKED_AT = {"S1.license": ("license",)}
"""What operators that are no rules look at."""
_VALUES = 3
"""Columns whose values stand below an example, at most; chosen."""


_DIFFERS = r"""\d[\d,.]*|'[^']*'|"[^"]*\""""
"""What differs in errors of one kind: numbers and quoted names."""


@dataclass(frozen=True)
class Example:
    """A picture and the ``values`` that the operator saw, by the names of their columns."""

    id: str
    values: dict[str, Any]


@dataclass(frozen=True)
class Reason:
    """One rule: ``stopped`` pictures went no further because of it, ``fails`` would have been stopped by it.

    ``examples`` fail it, those that it stopped if there are any; ``passed`` pass it by the least.
    """

    name: str
    stage: int
    keep: str
    applies_to: str
    if_null: str
    stopped: int
    fails: int
    share: float
    examples: list[Example]
    passed: list[Example]


@dataclass(frozen=True)
class FailureGroup:
    """Failures of one step whose error lines differ in numbers and quoted names only."""

    step: str
    error: str
    count: int
    uris: list[tuple[str, str]]
    """(uri, its own error line) of the first ones."""


def reasons(rows: pl.DataFrame, rules: Sequence[Mapping[str, object]], pictures: int = 6) -> list[Reason]:
    """Every rule in its order, and operators that stopped pictures without being a rule (deduplication) after them.

    ``share`` is of the decided rows. Examples lie closest to the threshold first, then further off.
    """
    stopped = _counts(rows.select(pl.col("stopped_by").cast(pl.String)).to_series())
    fails = _counts(rows["fails"].drop_nulls().explode(empty_as_null=False).drop_nulls().cast(pl.String))
    known = [str(rule["name"]) for rule in rules]
    blank: dict[str, object] = {"keep": "", "applies_to": "", "if_null": ""}
    seen = sorted({*stopped, *fails} - set(known))
    ordered = [*rules, *({**blank, "name": name, "stage": _stage(name)} for name in seen)]
    ordered.sort(key=lambda rule: int(str(rule["stage"])))
    return [_reason(rows, rule, stopped, fails, pictures) for rule in ordered]


def _counts(names: pl.Series) -> dict[str, int]:
    counted = names.drop_nulls().rename("name").value_counts(name="rows")
    return dict(counted.select("name", "rows").iter_rows())


def _reason(
    rows: pl.DataFrame,
    rule: Mapping[str, object],
    stopped: Mapping[str, int],
    fails: Mapping[str, int],
    pictures: int,
) -> Reason:
    name, keep = str(rule["name"]), str(rule.get("keep") or "")
    count = stopped.get(name, 0)
    failing = max(fails.get(name, 0), count)
    mine = pl.col("stopped_by") == name if count else pl.col("fails").list.contains(name)
    return Reason(
        name,
        int(str(rule["stage"])),
        keep,
        str(rule.get("applies_to") or ""),
        str(rule.get("if_null") or ""),
        count,
        failing,
        count / len(rows) if len(rows) else 0.0,
        _examples(rows, mine, _seen(rows, name, keep), pictures) if failing else [],
        _passed(rows, rule, pictures // 2) if failing else [],
    )


def _seen(rows: pl.DataFrame, name: str, keep: str) -> dict[str, pl.Expr]:
    """What to show of a picture: the number that the rule compares (of ``width * height < 9`` the product), else columns."""
    if keep and (quantity := _quantity(rows, keep)) is not None:
        return quantity
    columns = parse(keep).columns if keep else _LOOKED_AT.get(name, ())
    return {column: pl.col(column) for column in columns[:_VALUES] if column in rows.columns}


def _quantity(rows: pl.DataFrame, keep: str) -> dict[str, pl.Expr] | None:
    found = cuts(keep)
    value = expression(rows, found[0].quantity) if found else None
    return None if value is None else {found[0].quantity: value}


def _examples(rows: pl.DataFrame, mine: pl.Expr, seen: Mapping[str, pl.Expr], pictures: int) -> list[Example]:
    """Spread over the values that were stopped, so that one sees the border and the extremes."""
    ordered = rows.lazy().filter(mine).select("id", **seen).collect().sort([*seen, "id"], nulls_last=True)
    count = min(pictures, len(ordered))
    picked = sorted({round(i * (len(ordered) - 1) / max(1, count - 1)) for i in range(count)})
    return _as_examples(ordered[picked] if picked else ordered.head(0))


def _passed(rows: pl.DataFrame, rule: Mapping[str, object], pictures: int) -> list[Example]:
    """Pictures that the rule judges and keeps, those nearest to a threshold of its first quantity first."""
    name, keep, scope = str(rule["name"]), str(rule.get("keep") or ""), str(rule.get("applies_to") or "")
    if not keep or not {*parse(keep).columns, *(parse(scope).columns if scope else ())} <= set(rows.columns):
        return []
    good = parse(keep).polars(rows.schema) & (parse(scope).polars(rows.schema) if scope else True)
    seen, found = _seen(rows, name, keep), cuts(keep)
    value = _quantity(rows, keep)
    away = pl.lit(0.0)
    if value is not None:
        ((quantity, at),) = value.items()
        away = pl.min_horizontal((at - cut.value).abs() for cut in found if cut.quantity == quantity)
    near = rows.lazy().filter(good).select("id", away.alias("\0away"), **seen).bottom_k(pictures, by=["\0away", "id"])
    return _as_examples(near.collect().sort("\0away", "id").drop("\0away"))


def _as_examples(chosen: pl.DataFrame) -> list[Example]:
    return [Example(row.pop("id"), row) for row in chosen.iter_rows(named=True)]


def _stage(name: str) -> int:
    match = re.match(r"S(\d)\.", name)
    return int(match.group(1)) if match else 0


def failure_groups(failures: pl.DataFrame, shown: int = 12) -> list[FailureGroup]:
    """Failures (uri, step, error) by step and kind of error, most first."""
    kind = pl.col("error").str.replace_all(_DIFFERS, "…").alias("kind")
    groups = (
        failures.lazy()
        .select("step", "error", "uri", kind)
        .sort("step", "error", "uri")
        .group_by("step", "kind", maintain_order=True)
        .agg(pl.col("error").first().alias("line"), pl.len().alias("count"), pl.col("uri", "error").head(shown))
        .sort(["count", "step", "kind"], descending=[True, False, False])
        .collect()
    )
    return [
        FailureGroup(row["step"], row["line"], row["count"], list(zip(row["uri"], row["error"], strict=True)))
        for row in groups.iter_rows(named=True)
    ]
