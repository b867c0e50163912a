"""How many inputs are left at every stage S1..S7: real and synthetic pictures apart, and source by source.

inputs ──failures──> readable ──S1──> ... ──S7──>      a row belongs to stage k when
                                                       stage_from <= k <= stage_to
rows ──tally──> a few hundred kinds of row ──> Funnel, by_source
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import polars as pl

from configs.numbers import number
from pipeline.report import charts
from pipeline.report.stages import KEPT, STAGES, within

_KINDS = ("source", "synthetic", "stage_from", "stage_to", "stopped_by")
SOURCES = 24
"""Sources that have a line of their own in the chart, those with the most inputs; chosen."""
_Pair = tuple[int, int]
"""Of real and of synthetic pictures."""


@dataclass(frozen=True)
class Lane:
    """One bar: ``count`` inputs are left, ``share`` of the lane's inputs; ``lost`` since the bar above."""

    count: int
    share: float
    lost: int
    joins: bool = False
    """No picture of this lane is judged before a later stage."""


@dataclass(frozen=True)
class Step:
    """A row of the funnel. ``stops``: (operator, pictures it stopped here), most first."""

    name: str
    title: str
    note: str
    real: Lane
    synthetic: Lane
    stops: list[tuple[str, int]]


@dataclass(frozen=True)
class Funnel:
    steps: list[Step]
    inputs: int
    failed: int
    rejected: int
    kept: int
    synthetic_kept: int

    @property
    def adds_up(self) -> bool:
        """Every input is kept, stopped before its first stage, or failed."""
        return self.inputs == self.kept + self.rejected + self.failed


def tally(rows: pl.DataFrame) -> pl.DataFrame:
    """How many ``rows`` there are of each kind: source, synthetic, stage_from, stage_to, stopped_by, count."""
    return rows.lazy().group_by(_KINDS).agg(count=pl.len()).collect().with_columns(pl.col("count").cast(pl.Int64))


def funnel(counts: pl.DataFrame, inputs: pl.DataFrame, failures: pl.DataFrame) -> Funnel:
    """The funnel of all sources. ``counts``: as ``tally`` gives them. ``inputs``: source, synthetic, inputs;
    ``failures``: source, synthetic of each."""
    listed = _pair(lambda kind: _sum(inputs.filter(kind), "inputs"))
    failed = _pair(lambda kind: len(failures.filter(kind)))
    readable = (listed[0] - failed[0], listed[1] - failed[1])
    real, synthetic = (Lane(n, 1.0 if n else 0.0, 0) for n in listed)
    steps = [Step("Inputs", "as listed", "", real, synthetic, [])]
    steps.append(Step("Readable", "opened and judged", "", *_lanes(readable, listed, listed), []))
    before = readable
    for stage, (name, title, note) in STAGES.items():
        now = _pair(lambda kind, stage=stage: _sum(counts.filter(kind & within(stage))))  # type: ignore[misc]
        joins = (_joins_later(counts, stage, False), _joins_later(counts, stage, True))
        steps.append(Step(name, title, note, *_lanes(now, before, listed, joins), _stops(counts, stage)))
        before = (before[0] if joins[0] else now[0], before[1] if joins[1] else now[1])
    kept = counts.filter(KEPT)
    return Funnel(
        steps,
        inputs=sum(listed),
        failed=sum(failed),
        rejected=_sum(counts.filter(pl.col("stage_to") < pl.col("stage_from"))),
        kept=_sum(kept),
        synthetic_kept=_sum(kept.filter("synthetic")),
    )


def by_source(counts: pl.DataFrame, inputs: pl.DataFrame, failures: pl.DataFrame) -> charts.Chart | None:
    """A square for each source and step, darker the more of its inputs are left; None with less than two sources."""
    if len(inputs) < 2:
        return None
    failed = dict(failures["source"].value_counts().iter_rows())
    largest = inputs.sort(["inputs", "source"], descending=[True, False]).head(SOURCES)
    cells: list[dict[str, Any]] = []
    for source, _, listed in largest.select("source", "synthetic", "inputs").iter_rows():
        mine = counts.filter(pl.col("source").cast(pl.String) == source)
        left = {"Inputs": listed, "Readable": listed - failed.get(source, 0)}
        left |= {name: _sum(mine.filter(within(stage))) for stage, (name, *_) in STAGES.items()}
        cells += [_cell(source, step, count, listed) for step, count in left.items()]
    return charts.heat_map(cells, ["Inputs", "Readable", *(name for name, *_ in STAGES.values())])


def _cell(source: str, step: str, count: int, listed: int) -> dict[str, Any]:
    share = count / listed if listed else 0.0
    return {"source": source, "step": step, "left": count, "share": round(share, 4), "label": number(count)}


def _pair(count: Callable[[pl.Expr], int]) -> _Pair:
    return count(~pl.col("synthetic")), count(pl.col("synthetic"))


def _sum(counts: pl.DataFrame, column: str = "count") -> int:
    return int(counts[column].sum())


def _lanes(now: _Pair, before: _Pair, inputs: _Pair, joins: tuple[bool, bool] = (False, False)) -> tuple[Lane, Lane]:
    def lane(i: int) -> Lane:
        return Lane(now[i], now[i] / inputs[i] if inputs[i] else 0.0, 0 if joins[i] else before[i] - now[i], joins[i])

    return lane(0), lane(1)


def _joins_later(counts: pl.DataFrame, stage: int, synthetic: bool) -> bool:
    """Whether every row of this kind starts at a later stage."""
    first = counts.filter(pl.col("synthetic") == synthetic)["stage_from"].drop_nulls()
    return not first.is_empty() and bool((first > stage).all())


def _stops(counts: pl.DataFrame, stage: int) -> list[tuple[str, int]]:
    stopped = counts.with_columns(pl.col("stopped_by").cast(pl.String))
    stopped = stopped.filter(pl.col("stopped_by").str.starts_with(f"S{stage}."))
    summed = stopped.group_by("stopped_by").agg(pl.col("count").sum())
    return list(summed.sort(["count", "stopped_by"], descending=[True, False]).iter_rows())
