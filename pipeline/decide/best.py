"""S7 of the report keeps the best pictures of each leaf of its taxonomy: the rank of a row in its leaf.

rows that no rule before S7 stops ──by category, best first──> leaf_rank 1, 2, 3 ...
                                                                 rule S7.best: keep leaf_rank <= 1000
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class BestConfig:
    """``by``: the scores by which rows of a leaf are ranked, highest first; a later one counts where the earlier ones are
    equal or null. ``category_score``: what the classifier believes less is of no category, neither here nor in
    ``balance``; what a source says itself counts always."""

    by: tuple[str, ...] = ("clarity",)
    category_score: float = 0.3  # chosen: espresso has 0.9, a retina that is called a lampshade 0.2

    def __post_init__(self) -> None:
        if not self.by:
            raise ValueError("field 'by': expected at least one score")
        if not 0 <= self.category_score <= 1:
            raise ValueError(f"field 'category_score': must be between 0 and 1, found {self.category_score}")


def believed(config: BestConfig) -> pl.Expr:
    """The category of a row (columns category, category_score), null where the classifier hardly believes it."""
    import polars as pl

    return pl.when(pl.col("category_score").fill_null(1.0) >= config.category_score).then("category")


def leaf_rank(table: pl.DataFrame, good: pl.Series, config: BestConfig) -> pl.Series:
    """int32 (N,): the rank of each row in its leaf, 1 the best; null for rows that are not ``good`` or of no category.

    Equal scores are ranked by id.
    """
    import polars as pl

    # A NaN, which a model may give, would rank before all numbers.
    scores = [pl.col(name).cast(pl.Float64).fill_nan(None) for name in config.by]
    ranked = table.select("id", *scores, leaf=believed(config)).with_row_index("row")
    ranked = ranked.filter(good & pl.col("leaf").is_not_null())
    order = ranked.sort([*config.by, "id"], descending=[True] * len(config.by) + [False], nulls_last=True)
    ranks = order.select("row", leaf_rank=pl.int_range(1, pl.len() + 1, dtype=pl.Int32).over("leaf"))
    rows = pl.DataFrame({"row": pl.Series(range(len(table)), dtype=pl.UInt32)})
    return rows.join(ranks, on="row", how="left", maintain_order="left")["leaf_rank"]
