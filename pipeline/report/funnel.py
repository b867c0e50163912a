"""How many inputs are left at every stage S1..S7, real and made pictures apart.

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
    made: Lane
    stops: list[tuple[str, int]]


@dataclass(frozen=True)
class Funnel:
    steps: list[Step]
    inputs: int
    failed: int
    rejected: int
    kept: int
    made_kept: int

    @property
    def adds_up(self) -> bool:
        """Every input is kept, stopped before its first stage, or failed."""
        return self.inputs == self.kept + self.rejected + self.failed


def funnel(rows: pl.DataFrame, inputs: tuple[int, int], failed: tuple[int, int]) -> Funnel:
    """The funnel of decided ``rows`` (made, stage_from, stage_to, stopped_by).

    ``inputs`` and ``failed``: how many were listed and how many failed, (real, made).
    """
    readable = (inputs[0] - failed[0], inputs[1] - failed[1])
    steps = [
        Step("Inputs", "as listed", "", *(Lane(n, 1.0 if n else 0.0, 0) for n in inputs), stops=[]),
        Step("Readable", "opened and judged", "", *_lanes(readable, inputs, inputs), stops=[]),
    ]
    before = readable
    for stage, (name, title, note) in STAGES.items():
        now = tuple(_left(rows, stage, made) for made in (False, True))
        joins = tuple(now[i] == 0 and _joins_later(rows, stage, made) for i, made in enumerate((False, True)))
        steps.append(Step(name, title, note, *_lanes(now, before, inputs, joins), stops=_stops(rows, stage)))
        before = tuple(before[i] if joins[i] else now[i] for i in (0, 1))
    kept = rows.filter(pl.col("stage_to") >= pl.col("stage_from"))
    return Funnel(
        steps,
        inputs=sum(inputs),
        failed=sum(failed),
        rejected=len(rows.filter(pl.col("stage_to") < pl.col("stage_from"))),
        kept=len(kept),
        made_kept=int(kept["made"].sum()),
    )


def _lanes(
    now: tuple[int, ...], before: tuple[int, ...], inputs: tuple[int, int], joins: tuple[bool, ...] = (False, False)
) -> list[Lane]:
    return [
        Lane(n, n / total if total else 0.0, 0 if j else b - n, j)
        for n, b, total, j in zip(now, before, inputs, joins, strict=True)
    ]


def _left(rows: pl.DataFrame, stage: int, made: bool) -> int:
    within = (pl.col("stage_from") <= stage) & (pl.col("stage_to") >= stage)
    return len(rows.filter(within & (pl.col("made") == made)))


def _joins_later(rows: pl.DataFrame, stage: int, made: bool) -> bool:
    return (
        len(rows.filter((pl.col("made") == made) & (pl.col("stage_from") <= stage))) == 0
        and len(rows.filter((pl.col("made") == made) & (pl.col("stage_from") > stage))) > 0
    )


def _stops(rows: pl.DataFrame, stage: int) -> list[tuple[str, int]]:
    counted = (
        rows.filter(pl.col("stopped_by").str.starts_with(f"S{stage}."))
        .group_by("stopped_by")
        .len()
        .sort(["len", "stopped_by"], descending=[True, False])
    )
    return [(name, count) for name, count in counted.iter_rows()]
