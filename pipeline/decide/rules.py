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
_LICENSE = "S1.license"
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
            if name in names[:index] or name in (_DUPLICATE, _LICENSE):
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


def decide(table: pl.DataFrame, duplicates: pl.DataFrame, config: DecideConfig) -> pl.DataFrame:
    """One row per row of ``table``, in its order: id, leaf_rank and what the rules decide.

    ``duplicates``: (id, duplicate_of). Raises UserError for a wrong rule, RunFailed where ``if_null: error`` meets null.
    """
    import polars as pl

    check_rules(config, table.schema)
    table = table.join(duplicates, on="id", how="left", maintain_order="left")
    fails = {_DUPLICATE: (1, pl.col("duplicate_of").is_not_null(), pl.lit(None, pl.Float32))}
    if config.licenses is not None:
        fails[_LICENSE] = (1, _forbidden(table, config.licenses), pl.lit(None, pl.Float32))
    rules = sorted(config.rules, key=lambda rule: rule.stage)  # stable: as listed within a stage
    fails |= _failing(table, [rule for rule in rules if rule.stage < _LAST_STAGE])
    good = table.select(good=~pl.any_horizontal(failing for _, failing, _ in fails.values()))["good"]
    table = table.with_columns(leaf_rank=leaf_rank(table, good, config.best))
    fails |= _failing(table, [rule for rule in rules if rule.stage == _LAST_STAGE])
    return _decided(table, fails, config.synthetic_from)


_Fails = dict[str, tuple[int, "pl.Expr", "pl.Expr"]]
"""Operator -> its stage, whether a row fails it, the number that it saw."""


def _failing(table: pl.DataFrame, rules: Sequence[Rule]) -> _Fails:
    return {rule.name: (rule.stage, _fails(rule, table), _value(rule, table)) for rule in rules}


def _decided(table: pl.DataFrame, fails: _Fails, synthetic_from: int) -> pl.DataFrame:
    import polars as pl

    names = list(fails)
    judged = table.select(
        "id",
        "duplicate_of",
        "leaf_rank",
        stage_from=pl.when(pl.col("recipe").is_null()).then(1).otherwise(synthetic_from).cast(pl.Int8),
        **{f"fail:{n}": fails[n][1] for n in names},
        **{f"value:{n}": fails[n][2] for n in names},
    )
    first = pl.coalesce(*(pl.when(pl.col(f"fail:{n}")).then(pl.lit(n)) for n in names))
    reached = pl.coalesce(*(pl.when(pl.col(f"fail:{n}")).then(pl.lit(fails[n][0] - 1)) for n in names), _LAST_STAGE)
    value = pl.coalesce(*(pl.when(pl.col(f"fail:{n}")).then(pl.struct(v=f"value:{n}")) for n in names))
    failing = pl.concat_list(pl.when(pl.col(f"fail:{n}")).then(pl.lit(n)) for n in names).list.drop_nulls()
    decided = judged.with_columns(stage_to=reached.cast(pl.Int8), stopped_by=first, stopped_value=value, fails=failing)
    rejected = pl.col("stage_to") < pl.col("stage_from")
    return decided.select(
        "id",
        "stage_from",
        stage_to=pl.when(rejected).then(0).otherwise("stage_to").cast(pl.Int8),
        stopped_by="stopped_by",
        stopped_value=pl.col("stopped_value").struct.field("v"),
        fails="fails",
        duplicate_of="duplicate_of",
        leaf_rank="leaf_rank",
    )


def _forbidden(table: pl.DataFrame, licenses: Collection[str]) -> pl.Expr:
    import polars as pl

    allowed = frozenset(map(license_name, licenses))
    return ~pl.col("license").is_in([text for text in table["license"].unique() if permits(allowed, text)])


def _fails(rule: Rule, table: pl.DataFrame) -> pl.Expr:
    import polars as pl

    keep = rule.condition().polars(table.schema)
    scope = rule.scope()
    judged = scope.polars(table.schema).fill_null(False) if scope else pl.lit(True)
    if rule.if_null == "error":
        unknown = table.filter(judged & keep.is_null())["id"].to_list()
        if unknown:
            raise RunFailed(
                f"rule {rule.name}: '{rule.keep}' is unknown for {len(unknown):,} samples, the first is {unknown[0]}; "
                "scores are safe; let the annotator run, or set if_null to pass or stop"
            )
    return judged & ~keep.fill_null(rule.if_null == "pass")


def _value(rule: Rule, table: pl.DataFrame) -> pl.Expr:
    """The first number that the condition looks at, for people who tune it."""
    import polars as pl

    numbers = [n for n in _as_written(rule.condition()) if table.schema[n].is_numeric()]
    return pl.col(numbers[0]).cast(pl.Float32) if numbers else pl.lit(None, pl.Float32)


def _as_written(predicate: Predicate) -> Sequence[str]:
    return sorted(predicate.columns, key=predicate.text.index)
