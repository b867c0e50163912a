"""What other thresholds would change, before they do: ``python -m pipeline decide RUN --set ... --dry-run``.

decisions/ ─┐
            ├─compare──> groups of changed rows ──> lines, and RUN/changes.html with example pictures
decide_run ─┘
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.engine.layout import RunFolder
from pipeline.table import FRAGMENT, FRAGMENT_ROW, fragment_table

if TYPE_CHECKING:
    import polars as pl

EXAMPLES = 6
"""Pictures shown of each group (ours)."""

SHOWN = ("id", "uri", "image", "width", "height", "captions", "text_regions")


@dataclass(frozen=True)
class Group:
    """Rows that change in the same way. ``rows``: scalars and new decisions, sorted by id."""

    title: str
    rows: pl.DataFrame


def compare(before: pl.DataFrame, after: pl.DataFrame) -> list[Group]:
    """Rows whose last stage changes, by operator, largest group first. ``before``: (id, stage_to, stopped_by).

    ``after``: decided rows, with the same columns among others.
    """
    import polars as pl

    old = before.select("id", stage_before="stage_to", stopped_before="stopped_by")
    both = after.join(old, on="id", how="inner", maintain_order="left")
    changed = both.filter(pl.col("stage_to") != pl.col("stage_before")).with_columns(
        title=pl.struct("stage_before", "stage_to", "stopped_before", "stopped_by").map_elements(
            _title, return_dtype=pl.String
        )
    )
    groups = [Group(str(part["title"][0]), part.sort("id")) for part in changed.partition_by("title")]
    return sorted(groups, key=lambda g: (-len(g.rows), g.title))


def lines(groups: Sequence[Group], before: pl.DataFrame, after: pl.DataFrame) -> list[str]:
    """What a person is told."""
    kept = [int((frame["stage_to"] > 0).sum()) for frame in (before, after)]
    told = [f"kept: {kept[0]:,} now, {kept[1]:,} then; nothing was written to decisions or dataset"]
    for group in groups:
        examples = ", ".join(group.rows["uri"].head(3).to_list())
        told.append(f"{len(group.rows):>8,}  {group.title}; for example {examples}")
    return told if groups else [*told, "no sample would change its stages"]


def write_gallery(run: RunFolder, groups: Sequence[Group]) -> Path:
    """RUN/changes.html: some pictures of every group."""
    from pipeline.report.page import write_page
    from pipeline.report.pictures import LEVELS
    from pipeline.report.samples import Sample, sample

    items = []
    for group in groups:
        for facts in group.rows.head(EXAMPLES).iter_rows(named=True):
            made = sample(_stored(run, facts[FRAGMENT], facts[FRAGMENT_ROW]), facts)
            items.append(Sample(made.picture, made.caption, [group.title, *made.tags]))
    levels = {level for item in items for level in item.picture.levels}
    context: dict[str, Any] = {
        "title": f"What would change in {run.path.name}",
        "lead": f"{sum(len(g.rows) for g in groups):,} samples would change their stages; up to {EXAMPLES} of each kind.",
        "items": items,
        "levels": [level for level in LEVELS if level in levels],
        "where": None,
        "digest": "",
    }
    write_page(run.path / "changes.html", "gallery.html.j2", context)
    return run.path / "changes.html"


def _stored(run: RunFolder, fragment: str, row: int) -> dict[str, Any]:
    """A sample with the regions that it knows or that were read."""
    return fragment_table(run, fragment, SHOWN).slice(row, 1).to_pylist()[0]


def _title(change: dict[str, Any]) -> str:
    old, new = change["stage_before"], change["stage_to"]
    if new < old:
        return f"{'rejected' if new == 0 else f'only to S{new}'} by {change['stopped_by']} (now to S{old})"
    past = f" (now stopped by {change['stopped_before']})"
    return f"{'kept again, ' if old == 0 else ''}up to S{new}{past}"
