"""Why pictures were stopped and why inputs failed, with the pictures that show it best.

decided rows, rules ──reasons──> per operator: judged, stopped, share, examples
failures/F          ──failure_groups──> per step and kind of error: count, uris
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from pipeline.predicate import parse
from pipeline.report.cuts import cuts, values


@dataclass(frozen=True)
class Example:
    """A picture and the value that the operator saw."""

    id: str
    value: float | None


@dataclass(frozen=True)
class Reason:
    """One rule: ``stopped`` pictures went no further because of it, ``fails`` would have been stopped by it.

    ``examples`` were stopped by it, ``passed`` it by the least.
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
    known = [str(rule["name"]) for rule in rules]
    seen = sorted(set(rows["stopped_by"].drop_nulls()) - set(known))
    blank: dict[str, object] = {"keep": "", "applies_to": "", "if_null": ""}
    ordered = [*rules, *({**blank, "name": name, "stage": _stage(name)} for name in seen)]
    ordered.sort(key=lambda rule: int(str(rule["stage"])))
    return [_reason(rows, rule, pictures) for rule in ordered]


def _reason(rows: pl.DataFrame, rule: Mapping[str, object], pictures: int) -> Reason:
    name = str(rule["name"])
    stopped = _with_value(rows.filter(pl.col("stopped_by") == name), str(rule.get("keep") or ""))
    fails = int(rows["fails"].list.contains(name).sum() or 0)
    return Reason(
        name,
        int(str(rule["stage"])),
        str(rule.get("keep") or ""),
        str(rule.get("applies_to") or ""),
        str(rule.get("if_null") or ""),
        len(stopped),
        max(fails, len(stopped)),
        len(stopped) / len(rows) if len(rows) else 0.0,
        _examples(stopped, pictures),
        _passed(rows, rule, pictures // 2) if len(stopped) else [],
    )


def _passed(rows: pl.DataFrame, rule: Mapping[str, object], pictures: int) -> list[Example]:
    """Pictures that the rule judges and keeps, those nearest to a threshold of its first quantity first."""
    keep, scope = str(rule.get("keep") or ""), str(rule.get("applies_to") or "")
    if not keep or not {*parse(keep).columns, *(parse(scope).columns if scope else ())} <= set(rows.columns):
        return []
    judged = rows.filter(parse(scope).polars(rows.schema)) if scope else rows
    good = judged.filter(parse(keep).polars(rows.schema) & ~pl.col("fails").list.contains(str(rule["name"])))
    found = cuts(keep)
    value = values(good, found[0].quantity) if found else None
    if value is None:
        return [Example(id_, None) for id_ in good["id"].sort().head(pictures)]
    away = pl.min_horizontal((value - cut.value).abs() for cut in found if cut.quantity == found[0].quantity)
    near = good.select("id", value=value, away=away).sort(["away", "id"], nulls_last=True)
    return [Example(*row) for row in near.select("id", "value").head(pictures).iter_rows()]


def _with_value(stopped: pl.DataFrame, keep: str) -> pl.DataFrame:
    """Rows with the number to show as ``stopped_value``: of ``width * height < 9`` the product, not the width."""
    found = cuts(keep) if keep else []
    value = values(stopped, found[0].quantity) if found and found[0].quantity not in stopped.columns else None
    return stopped if value is None else stopped.with_columns(stopped_value=value)


def _examples(stopped: pl.DataFrame, pictures: int) -> list[Example]:
    """Spread over the values that were stopped, so that one sees the border and the extremes."""
    ordered = stopped.sort(["stopped_value", "id"], nulls_last=True)
    count = min(pictures, len(ordered))
    picked = sorted({round(i * (len(ordered) - 1) / max(1, count - 1)) for i in range(count)})
    chosen = ordered[picked].select("id", "stopped_value") if picked else ordered.select("id", "stopped_value").head(0)
    return [Example(*row) for row in chosen.iter_rows()]


def _stage(name: str) -> int:
    match = re.match(r"S(\d)\.", name)
    return int(match.group(1)) if match else 0


def failure_groups(failures: pl.DataFrame, shown: int = 12) -> list[FailureGroup]:
    """Failures (uri, step, error) by step and kind of error, most first."""
    groups: dict[tuple[str, str], list[tuple[str, str]]] = {}
    for uri, step, error in failures.select("uri", "step", "error").sort(["step", "error", "uri"]).iter_rows():
        groups.setdefault((step, _kind(error)), []).append((uri, error))
    ordered = sorted(groups.items(), key=lambda item: (-len(item[1]), item[0]))
    return [FailureGroup(step, members[0][1], len(members), members[:shown]) for (step, _), members in ordered]


def _kind(error: str) -> str:
    return re.sub(r"\d[\d,.]*|'[^']*'|\"[^\"]*\"", "…", error)
