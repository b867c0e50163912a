"""Which pictures the page shows: a few of every kind, always the same ones for the same run.

Choices are made on the table of scalars, before any picture is opened.
"""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from pipeline.report.tables import NUMBER

REAL_SAMPLES = 12
SYNTHETIC_SAMPLES = 16
GROUPS, MEMBERS = 8, 5
"""How many the page shows; chosen."""


@dataclass(frozen=True)
class Copies:
    """A picture that is kept, and those that were stopped as copies of it: the ids of all, of the first ``MEMBERS``."""

    kept: str
    stopped: list[str]
    count: int


def samples(kept: pl.DataFrame, synthetic: bool, count: int) -> list[str]:
    """Ids of kept pictures, taken in turn from each cell of (language, level, recipe), richest text first.

    Within a cell they are ordered by id: it is a hash, so that the choice is random and the same every time.
    """
    cell = ["text_level", "text_language", "recipe"]
    lane = kept.lazy().filter(pl.col("synthetic") == synthetic).select("id", *cell).collect()
    # more than ``count`` of a cell are never shown, and ranking a million ids takes seconds
    first = lane.group_by(cell).agg(pl.col("id").bottom_k(count).sort()).explode("id")
    turned = first.with_columns(
        turn=pl.col("id").rank("ordinal").over(cell), language=pl.col("text_language").cast(pl.String)
    )
    order = ["turn", "text_level", "language", "recipe", "id"]
    ordered = turned.with_columns(pl.col("recipe").cast(pl.String)).sort(
        order, descending=[False, True, False, False, False], nulls_last=True
    )
    return ordered["id"].head(count).to_list()


def copies(rows: pl.DataFrame) -> list[Copies]:
    """Groups of copies: half of them the largest ones, the others by their ids, which are hashes."""
    stopped = rows.lazy().filter(pl.col("duplicate_of").is_not_null()).select("id", kept="duplicate_of").collect()
    groups = stopped.group_by("kept").agg(pl.col("id").bottom_k(MEMBERS).sort(), count=pl.len())
    groups = groups.filter(pl.col("kept").is_in(rows["id"].implode()))
    largest = groups.sort(["count", "kept"], descending=[True, False]).head(GROUPS // 2)
    others = groups.filter(~pl.col("kept").is_in(largest["kept"].implode())).sort("kept").head(GROUPS - len(largest))
    shown = pl.concat([largest, others]).select("kept", "id", "count")
    return [Copies(kept, members, count) for kept, members, count in shown.iter_rows()]


def rows_of(rows: pl.DataFrame, ids: set[str]) -> pl.DataFrame:
    """The rows with these ids, by their numbers."""
    return rows.filter(pl.col("id").is_in(sorted(ids))).sort(NUMBER)
