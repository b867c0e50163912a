"""Which pictures the page shows: a few of every kind, always the same ones for the same run.

Choices are made on the table of scalars, before any picture is opened.
"""

from __future__ import annotations

import polars as pl

REAL_SAMPLES = 12
SYNTHETIC_SAMPLES = 16
PAIRS = 8
"""How many the page shows; chosen."""


def samples(kept: pl.DataFrame, synthetic: bool, count: int) -> list[str]:
    """Ids of kept pictures, taken in turn from each cell of (language, level, recipe), richest text first.

    Within a cell they are ordered by id: it is a hash, so that the choice is random and the same every time.
    """
    lane = kept.filter(pl.col("synthetic") == synthetic)
    if lane.is_empty():
        return []
    cell = ["text_level", "text_language", "recipe"]
    turned = lane.with_columns(turn=pl.col("id").rank("ordinal").over(cell))
    ordered = turned.sort(["turn", *cell, "id"], descending=[False, True, False, False, False], nulls_last=True)
    return ordered["id"].head(count).to_list()


def duplicates(rows: pl.DataFrame, count: int) -> list[tuple[str, str]]:
    """(kept, stopped) pairs of duplicates whose both sides are in ``rows``, of different kept pictures first."""
    stopped = rows.filter(pl.col("duplicate_of").is_not_null() & pl.col("duplicate_of").is_in(rows["id"].implode()))
    turned = stopped.with_columns(turn=pl.col("id").rank("ordinal").over("duplicate_of")).sort(["turn", "id"])
    return list(turned.select("duplicate_of", "id").head(count).iter_rows())
