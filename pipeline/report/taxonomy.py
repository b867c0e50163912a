"""The taxonomy of categories as a tree: how many pictures are below each branch, and how many of them are kept.

category "food/coffee" ──split at /──> food ──> coffee        pictures without a category are a branch of their own
"""

from __future__ import annotations

from dataclasses import dataclass, field

import polars as pl

from pipeline.report.stages import KEPT

_UNKNOWN = "without a category"
_LEAVES = 60
"""Branches of a node that are shown, those with the most pictures; chosen. The others are summed up."""


@dataclass
class Branch:
    """A node of the tree. ``count``, ``kept``: pictures of it and below it. ``last``: those good to S7."""

    name: str
    count: int = 0
    kept: int = 0
    last: int = 0
    below: dict[str, Branch] = field(default_factory=dict)

    def add(self, count: int, kept: int, last: int) -> None:
        self.count += count
        self.kept += kept
        self.last += last

    @property
    def shown(self) -> list[Branch]:
        """What is below it, most pictures first."""
        ordered = sorted(self.below.values(), key=lambda branch: (-branch.count, branch.name))
        rest = ordered[_LEAVES:]
        if rest:
            more = Branch(f"{len(rest)} more")
            for branch in rest:
                more.add(branch.count, branch.kept, branch.last)
            return [*ordered[:_LEAVES], more]
        return ordered


def taxonomy(rows: pl.DataFrame) -> Branch | None:
    """The tree of all readable ``rows`` (category, stage_from, stage_to); None where no row has a category."""
    if not rows["category"].count():
        return None
    good = KEPT.fill_null(False)
    counted = (
        rows.lazy()
        .group_by("category")
        .agg(count=pl.len(), kept=good.sum(), last=(good & (pl.col("stage_to") == 7)).sum())
        .collect()
    )
    root = Branch("all")
    for category, *counts in counted.iter_rows():
        node = root
        node.add(*counts)
        for name in [part for part in (category or _UNKNOWN).split("/") if part]:
            node = node.below.setdefault(name, Branch(name))
            node.add(*counts)
    return root
