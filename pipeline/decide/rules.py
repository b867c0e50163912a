"""Decide: for which stages S1..S7 of the report a sample is good, from stored scores alone.

    table + duplicates ──rules, each an expression──> stage_from, stage_to, stopped_by, stopped_value, fails

A later stage's data is what passes every earlier stage too (report, section 3.1): ``stage_to`` is the stage
before the first rule that fails. Real pictures start at S1, synthetic text at S4; a sample that
fails before its first stage is rejected, ``stage_to`` 0. The report prints no thresholds: all are chosen.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa

from configs.errors import RunFailed, UserError
from pipeline.decide.best import BestConfig, leaf_rank
from pipeline.decide.subset import SubsetConfig, subset
from pipeline.decide.watermark import WatermarkConfig
from pipeline.licenses import license_name, permits
from pipeline.predicate import Predicate, parse

if TYPE_CHECKING:
    import polars as pl

_LAST_STAGE = 7
_DUPLICATE = "S1.duplicate"
"""The operator of pipeline/decide/dedup.py."""
LICENSE = "S1.license"
"""The operator of ``licenses``."""


@dataclass(frozen=True)
class Rule:
    """One operator. ``name``: S<stage>.<operator>; ``keep``: the condition that a good sample meets.

    ``applies_to``: rows it judges, null for all. ``if_null``: what an unknown condition means.
    """

    name: str
    stage: int
    keep: str
    applies_to: str | None = None
    if_null: Literal["pass", "stop", "error"] = "pass"

    def __post_init__(self) -> None:
        if not 1 <= self.stage <= _LAST_STAGE:
            raise ValueError(f"field 'stage': must be between 1 and {_LAST_STAGE}, found {self.stage}")
        if not self.name.startswith(f"S{self.stage}.") or len(self.name) < 4:
            raise ValueError(f"field 'name': expected S{self.stage}.<operator>, found '{self.name}'")
        self.condition()
        self.scope()

    def condition(self) -> Predicate:
        return parse(self.keep, f"rule {self.name}, keep")

    def scope(self) -> Predicate | None:
        return parse(self.applies_to, f"rule {self.name}, applies_to") if self.applies_to else None

    def columns(self) -> set[str]:
        """Names of the columns that it looks at."""
        scope = self.scope()
        return {*self.condition().columns, *(scope.columns if scope else ())}


@dataclass(frozen=True)
class DecideConfig:
    """``rules`` are applied in order of stage, then as listed. ``synthetic_from``: first stage of synthetic pictures.
    ``licenses``: those that may be trained on, by their SPDX names, ``unknown`` among them if it may; null: all. Of an
    expression all that it demands must be there, of alternatives one. ``watermark``, ``subsets`` and ``best`` say how the
    columns watermark, subset and leaf_rank come about, which rules may use: leaf_rank in S7, the others everywhere."""

    rules: tuple[Rule, ...] = ()
    synthetic_from: int = 4
    licenses: tuple[str, ...] | None = None
    watermark: WatermarkConfig = field(default_factory=WatermarkConfig)
    subsets: SubsetConfig = field(default_factory=SubsetConfig)
    best: BestConfig = field(default_factory=BestConfig)

    def __post_init__(self) -> None:
        names = [rule.name for rule in self.rules]
        for index, name in enumerate(names):
            if name in names[:index] or name in (_DUPLICATE, LICENSE):
                raise ValueError(f"field 'rules.{index}.name': '{name}' is given twice; names are unique")
        if not 1 <= self.synthetic_from <= _LAST_STAGE:
            raise ValueError(
                f"field 'synthetic_from': must be between 1 and {_LAST_STAGE}, found {self.synthetic_from}"
            )


def check_rules(config: DecideConfig, schema: Mapping[str, Any]) -> None:
    """Raise UserError for a rule that names an unknown column or compares the wrong types. ``schema``: Polars'."""
    import polars as pl

    subset(config.subsets, {n: t for n, t in schema.items() if n != "subset"})
    for name in config.best.by:
        if name not in schema or not schema[name].is_numeric():
            raise UserError(f"field 'decide.best.by': '{name}' is no score of this run, such as clarity")
    for rule in config.rules:
        known = {**schema, "leaf_rank": pl.Int32()} if rule.stage == _LAST_STAGE else schema
        rule.condition().polars(known)
        if scope := rule.scope():
            scope.polars(known)


class Unknown:
    """Rows for which a rule with ``if_null: error`` is unknown, as parts of a table are judged one after the other."""

    def __init__(self) -> None:
        self._found: dict[str, tuple[str, int, str]] = {}

    def add(self, rule: Rule, ids: Sequence[str]) -> None:
        if ids:
            _, count, first = self._found.get(rule.name, (rule.keep, 0, ids[0]))
            self._found[rule.name] = (rule.keep, count + len(ids), first)

    def refuse(self) -> None:
        """Raise RunFailed for the first of these rules, if there is one."""
        for name, (keep, count, first) in self._found.items():
            raise RunFailed(
                f"rule {name}: '{keep}' is unknown for {count:,} samples, the first is {first}; "
                "scores are safe; let the annotator run, or set if_null to pass or stop"
            )


def columns_of(config: DecideConfig) -> set[str]:
    """What ``judge`` and ``judge_last`` look at."""
    named = {name for rule in config.rules for name in rule.columns()}
    conditions = {name for condition in config.subsets.conditions().values() for name in condition.columns}
    return {"id", "recipe", "license", *named, *conditions, *columns_of_last(config)}


def columns_of_last(config: DecideConfig) -> set[str]:
    """What ``judge_last`` looks at, beside the decided columns."""
    named = {name for rule in config.rules if rule.stage == _LAST_STAGE for name in rule.columns()}
    return {"id", "recipe", "category", "category_score", *config.best.by, *named} - {"leaf_rank"}


def judge(table: pl.DataFrame, config: DecideConfig, unknown: Unknown) -> pl.DataFrame:
    """The decided columns of each row by the rules of S1 to S6, as if nothing were a copy of it: what other rows say is
    not looked at.

    Raises UserError for a wrong rule.
    """
    import polars as pl

    check_rules(config, table.schema)
    rules = sorted(config.rules, key=lambda rule: rule.stage)  # stable: as listed within a stage
    fails: _Fails = {}
    if config.licenses is not None:
        fails[LICENSE] = (1, _forbidden(table, config.licenses), pl.lit(None, pl.Float32))
    return _judged(table, fails | _failing(table, rules, range(1, _LAST_STAGE), unknown), config)


def judge_last(
    decided: pl.DataFrame, config: DecideConfig, unknown: Unknown, removed: Sequence[int] | np.ndarray = ()
) -> pl.DataFrame:
    """``decided``, all rows with ``columns_of_last`` beside what ``judge`` gives, with leaf_rank and judged by S7, too.

    ``removed``: numbers of rows that were taken down, which have no rank.
    """
    import polars as pl

    there = pl.Series(~np.isin(np.arange(len(decided)), removed))
    good = decided.select(pl.col("fails").list.len() == 0).to_series() & there
    table = decided.with_columns(leaf_rank=leaf_rank(decided, good, config.best))
    free = pl.col("stopped_by").is_null()
    last = _judged(table, _failing(table, config.rules, [_LAST_STAGE], unknown, free), config)
    last = last.select(pl.all().name.suffix("_7"))
    return table.hstack(last).select(
        *(n for n in table.columns if n not in _BY_RULES),
        stage_to=pl.when(free).then("stage_to_7").otherwise("stage_to"),
        stopped_by=pl.when(free).then("stopped_by_7").otherwise("stopped_by"),
        stopped_value=pl.when(free).then("stopped_value_7").otherwise("stopped_value"),
        fails=pl.concat_list("fails", "fails_7"),
    )


_Fails = dict[str, tuple[int, "pl.Expr", "pl.Expr"]]
"""Operator -> its stage, whether a row fails it, the number that it saw."""
_BY_RULES = ("stage_to", "stopped_by", "stopped_value", "fails")


def _failing(
    table: pl.DataFrame, rules: Sequence[Rule], stages: Collection[int], unknown: Unknown, asked: pl.Expr | None = None
) -> _Fails:
    """``asked``: rows that a rule with ``if_null: error`` must know, None for all."""
    judged = [rule for rule in rules if rule.stage in stages]
    return {rule.name: (rule.stage, _fails(rule, table, unknown, asked), _value(rule, table)) for rule in judged}


def _judged(table: pl.DataFrame, fails: _Fails, config: DecideConfig) -> pl.DataFrame:
    import polars as pl

    names = list(fails)
    columns = {f"fail:{n}": fails[n][1] for n in names} | {f"value:{n}": fails[n][2] for n in names}
    first_stage = pl.when(pl.col("recipe").is_null()).then(1).otherwise(config.synthetic_from).cast(pl.Int8)
    found = table.select(stage_from=first_stage, **columns)
    failing = np.array([found[f"fail:{n}"].to_numpy() for n in names], bool).reshape(len(names), len(found))
    stopped: np.ndarray = np.logical_or.reduce(failing, axis=0)
    first = failing.argmax(axis=0) if names else np.zeros(len(found), int)
    before = np.array([stage - 1 for stage, _, _ in fails.values()] or [0])  # the stage that a row still reaches
    stage_to = np.where(stopped, before[first], _LAST_STAGE)
    stage_to = np.where(stage_to < found["stage_from"].to_numpy(), 0, stage_to)
    return pl.DataFrame(
        {
            "stage_from": found["stage_from"],
            "stage_to": pl.Series(stage_to, dtype=pl.Int8),
            "stopped_by": _named(pa.array(first, pa.int32(), mask=~stopped), names),
            "stopped_value": _values(found, names, first, stopped),
            "fails": _lists(failing, names),
        }
    )


def _named(codes: pa.Array, names: Sequence[str]) -> pl.Series:
    """Categorical."""
    import polars as pl

    return pl.Series(pa.DictionaryArray.from_arrays(codes, pa.array(names, pa.string())))


def _values(found: pl.DataFrame, names: Sequence[str], first: np.ndarray, stopped: np.ndarray) -> pl.Series:
    """Of each row the value of its first failing rule."""
    import polars as pl

    values, there = np.zeros(len(found), np.float32), np.zeros(len(found), bool)
    for number, name in enumerate(names):
        mine = np.flatnonzero(stopped & (first == number))
        column = found[f"value:{name}"].gather(mine)
        values[mine], there[mine] = column.fill_null(0).to_numpy(), column.is_not_null().to_numpy()
    return pl.Series(pa.array(values, mask=~there))


def _lists(failing: np.ndarray, names: Sequence[str]) -> pl.Series:
    """List of Categorical: of each row all rules that it fails."""
    import polars as pl

    _, rules = np.nonzero(failing.T)
    offsets = np.concatenate([[0], np.cumsum(failing.sum(axis=0))]).astype(np.int32)
    codes = pa.DictionaryArray.from_arrays(pa.array(rules, pa.int32()), pa.array(names, pa.string()))
    return pl.Series(pa.ListArray.from_arrays(pa.array(offsets), codes))


def with_duplicates(is_copy: pl.Expr) -> list[pl.Expr]:
    """The columns that ``judge`` gives where some rows are copies: the first operator of S1 stops these."""
    import polars as pl

    name = pl.lit(_DUPLICATE).cast(pl.Categorical)
    return [
        pl.col("stage_from"),
        pl.when(is_copy).then(0).otherwise("stage_to").cast(pl.Int8).alias("stage_to"),
        pl.when(is_copy).then(name).otherwise("stopped_by").alias("stopped_by"),
        pl.when(is_copy).then(None).otherwise("stopped_value").alias("stopped_value"),
        pl.when(is_copy).then(pl.concat_list(name, "fails")).otherwise("fails").alias("fails"),
    ]


def _forbidden(table: pl.DataFrame, licenses: Collection[str]) -> pl.Expr:
    import polars as pl

    allowed = frozenset(map(license_name, licenses))
    return ~pl.col("license").is_in([text for text in table["license"].unique() if permits(allowed, text)])


def _fails(rule: Rule, table: pl.DataFrame, unknown: Unknown, asked: pl.Expr | None) -> pl.Expr:
    import polars as pl

    keep = rule.condition().polars(table.schema)
    scope = rule.scope()
    judged = scope.polars(table.schema).fill_null(False) if scope else pl.lit(True)
    if rule.if_null == "error":
        known = judged if asked is None else judged & asked
        unknown.add(rule, table.filter(known & keep.is_null())["id"].to_list())
    return judged & ~keep.fill_null(rule.if_null == "pass")


def _value(rule: Rule, table: pl.DataFrame) -> pl.Expr:
    """The first number that the condition looks at, for people who tune it."""
    import polars as pl

    numbers = [n for n in _as_written(rule.condition()) if table.schema[n].is_numeric()]
    return pl.col(numbers[0]).cast(pl.Float32) if numbers else pl.lit(None, pl.Float32)


def _as_written(predicate: Predicate) -> Sequence[str]:
    return sorted(predicate.columns, key=predicate.text.index)
