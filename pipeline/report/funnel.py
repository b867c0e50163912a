"""How many inputs are left at every stage S1..S7, real and synthetic pictures apart.

inputs ──failures──> readable ──S1──> ... ──S7──>      a row belongs to stage k when
                                                       stage_from <= k <= stage_to
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

STAGES = {
    1: ("S1", "initial curation", "256p"),
    2: ("S2", "image quality", "256p"),
    3: ("S3", "image-text alignment", "256p"),
    4: ("S4", "text rendering", "256p"),
    5: ("S5", "high resolution", "640p"),
    6: ("S6", "category balance, portraits", "640p"),
    7: ("S7", "balanced multi-scale", "640p + 1328p"),
}
"""Short name, name and resolution of each filtering stage (Qwen-Image report, section on data filtering)."""


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


def funnel(rows: pl.DataFrame, inputs: _Pair, failed: _Pair) -> Funnel:
    """The funnel of decided ``rows`` (synthetic, stage_from, stage_to, stopped_by).

    ``inputs`` and ``failed``: how many were listed and how many failed, (real, synthetic).
    """
    readable = (inputs[0] - failed[0], inputs[1] - failed[1])
    real, synthetic = (Lane(n, 1.0 if n else 0.0, 0) for n in inputs)
    steps = [Step("Inputs", "as listed", "", real, synthetic, [])]
    steps.append(Step("Readable", "opened and judged", "", *_lanes(readable, inputs, inputs), []))
    before = readable
    for stage, (name, title, note) in STAGES.items():
        now = (_left(rows, stage, False), _left(rows, stage, True))
        joins = (_joins_later(rows, stage, False), _joins_later(rows, stage, True))
        steps.append(Step(name, title, note, *_lanes(now, before, inputs, joins), _stops(rows, stage)))
        before = (before[0] if joins[0] else now[0], before[1] if joins[1] else now[1])
    kept = rows.filter(pl.col("stage_to") >= pl.col("stage_from"))
    return Funnel(
        steps,
        inputs=sum(inputs),
        failed=sum(failed),
        rejected=len(rows.filter(pl.col("stage_to") < pl.col("stage_from"))),
        kept=len(kept),
        synthetic_kept=int(kept["synthetic"].sum()),
    )


def _lanes(now: _Pair, before: _Pair, inputs: _Pair, joins: tuple[bool, bool] = (False, False)) -> tuple[Lane, Lane]:
    def lane(i: int) -> Lane:
        return Lane(now[i], now[i] / inputs[i] if inputs[i] else 0.0, 0 if joins[i] else before[i] - now[i], joins[i])

    return lane(0), lane(1)


def _left(rows: pl.DataFrame, stage: int, synthetic: bool) -> int:
    within = (pl.col("stage_from") <= stage) & (pl.col("stage_to") >= stage)
    return len(rows.filter(within & (pl.col("synthetic") == synthetic)))


def _joins_later(rows: pl.DataFrame, stage: int, synthetic: bool) -> bool:
    """Whether every row of this kind starts at a later stage."""
    first = rows.filter(pl.col("synthetic") == synthetic)["stage_from"].drop_nulls()
    return not first.is_empty() and bool((first > stage).all())


def _stops(rows: pl.DataFrame, stage: int) -> list[tuple[str, int]]:
    counted = (
        rows.filter(pl.col("stopped_by").str.starts_with(f"S{stage}."))
        .group_by("stopped_by")
        .len()
        .sort(["len", "stopped_by"], descending=[True, False])
    )
    return [(name, count) for name, count in counted.iter_rows()]
