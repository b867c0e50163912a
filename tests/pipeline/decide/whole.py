"""Copies and verdicts of a table that stands in memory, by the parts of which a run is decided."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import polars as pl

from pipeline.decide.dedup import DedupConfig, ThumbnailReader, kept_copies
from pipeline.decide.keys import Keys, keys
from pipeline.decide.rules import DecideConfig, Unknown, judge, judge_last, with_duplicates


def find_duplicates(
    table: pl.DataFrame, config: DedupConfig, first: Collection[str] = (), thumbnails: ThumbnailReader | None = None
) -> pl.DataFrame:
    """(id, duplicate_of) of every row that has a kept copy, by id. ``table``: with the columns that ``keys`` wants and
    ``n_captions``. ``first``: ids; see ``kept_copies``."""
    of = kept_copies(
        Keys([keys(table)]),
        (table["n_captions"].fill_null(0) > 0).to_numpy(),
        np.isin(table["id"].to_numpy(), list(first)),
        config,
        lambda rows: table["text"].gather(rows),
        thumbnails,
    )
    copies = np.flatnonzero(of != np.arange(len(of)))
    ids = table["id"]
    return pl.DataFrame({"id": ids.gather(copies), "duplicate_of": ids.gather(of[copies])}).sort("id")


def decide(table: pl.DataFrame, duplicates: pl.DataFrame, config: DecideConfig) -> pl.DataFrame:
    """One row per row of ``table``, in its order: id and the decided columns but repeats, names as text.

    ``duplicates``: (id, duplicate_of). Raises UserError for a wrong rule, RunFailed where ``if_null: error`` meets null.
    """
    unknown = Unknown()
    judged = judge(table, config, unknown).with_columns(id=table["id"])
    both = judged.join(duplicates, on="id", how="left", maintain_order="left")
    is_copy = pl.col("duplicate_of").is_not_null()
    decided = both.select("id", *with_duplicates(is_copy), "duplicate_of")
    names = [n for n in table.columns if n not in decided.columns]
    decided = judge_last(decided.hstack(table.select(names)), config, unknown).drop(names)
    unknown.refuse()
    return decided.with_columns(pl.col("stopped_by").cast(pl.String), pl.col("fails").cast(pl.List(pl.String)))
