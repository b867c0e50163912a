"""What other thresholds would change, before they do: ``python -m pipeline decide RUN --set ... --dry-run``.

decisions/ ─┐
            ├─compare──> groups of changed rows ──> lines, and RUN/changes.html with example pictures
decide_run ─┘
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import polars as pl

EXAMPLES, _EXAMPLES_IN_ALL = 6, 24
"""Pictures shown of each group, and of all of them, where each has one; chosen: they are what is read of samples/."""
_KINDS = ("stage_before", "stage_to", "stopped_before", "stopped_by")


@dataclass(frozen=True)
class Group:
    """Rows that change in the same way. ``rows``: the first ones by id, with their new decisions. ``comes``: whether they
    would be good for more stages."""

    title: str
    count: int
    rows: pl.DataFrame
    comes: bool = True


def compare(before: pl.DataFrame, after: pl.DataFrame) -> list[Group]:
    """Rows whose last stage changes, by operator, largest group first. ``before``: (id, stage_to, stopped_by).

    ``after``: decided rows, with the same columns among others.
    """
    import polars as pl

    old = before.select("id", stage_before="stage_to", stopped_before=pl.col("stopped_by").cast(pl.Categorical))
    if before["id"].equals(after["id"]):  # nearly always, and a join of a million ids takes a second
        both = after.hstack(old.drop("id"))
    else:
        both = after.join(old, on="id", how="inner", maintain_order="left")
    changed = both.filter(pl.col("stage_to") != pl.col("stage_before"))
    kinds = changed.select(pl.col(_KINDS)).unique()
    titled = kinds.with_columns(
        title=pl.Series([_title(kind) for kind in kinds.iter_rows(named=True)], dtype=pl.String)
    )
    rows = changed.join(titled, on=_KINDS, nulls_equal=True)
    parts = rows.partition_by("title")
    shown = min(EXAMPLES, max(1, _EXAMPLES_IN_ALL // max(len(parts), 1)))
    comes = [bool(p["stage_to"][0] > p["stage_before"][0]) for p in parts]
    groups = [
        Group(str(p["title"][0]), len(p), p.bottom_k(shown, by="id").sort("id"), more)
        for p, more in zip(parts, comes, strict=True)
    ]
    return sorted(groups, key=lambda g: (-g.count, g.title))


def summary(groups: Sequence[Group], before: pl.DataFrame, after: pl.DataFrame) -> list[str]:
    """Lines for the terminal. ``rows`` of the groups have the column ``uri``."""
    kept = [int((frame["stage_to"] > 0).sum()) for frame in (before, after)]
    rows = [f"kept: {kept[0]:,} now, {kept[1]:,} then; nothing was written to decisions or dataset"]
    for group in groups:
        examples = ", ".join(group.rows["uri"].head(3).to_list())
        rows.append(f"{group.count:>8,}  {group.title}; for example {examples}")
    return rows if groups else [*rows, "no sample would change its stages"]


def _title(change: dict[str, Any]) -> str:
    old, new = change["stage_before"], change["stage_to"]
    if new < old:
        return f"{'rejected' if new == 0 else f'only to S{new}'} by {change['stopped_by']} (now to S{old})"
    past = f" (now stopped by {change['stopped_before']})"
    return f"{'kept again, ' if old == 0 else ''}up to S{new}{past}"
