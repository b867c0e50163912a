"""A dataset in a few tables on the terminal: what is in it, at which stages, how large, what is null.

manifest table ──summarize──> Summary ──show──> rich
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from configs.numbers import number, percent, size
from pipeline.report.page import clean, level_name
from pipeline.report.stages import STAGES, within

_COUNTED = ("task", "origin", "text_language", "text_level", "subset", "category", "format", "license")
"""Columns whose values are counted."""
_SPREAD = ("width", "height", "bytes_len", "text_chars", "repeats")
"""Those of which the least, the median and the most are told."""


@dataclass(frozen=True)
class Summary:
    """``counts``: column -> (value, rows), most first. ``stages``: stage -> rows good for it.

    ``sizes``: quantity that a row has -> (least, median, most). ``nulls``: column -> rows without a value.
    """

    rows: int
    bytes: int
    counts: dict[str, list[tuple[str, int]]]
    stages: dict[str, int]
    sizes: dict[str, tuple[float, float, float]]
    nulls: dict[str, int]


def summarize(manifest: pl.LazyFrame) -> Summary:
    """The summary of these manifest rows, one at least; columns that are not there are left out."""
    names = manifest.collect_schema().names()
    present = [name for name in _COUNTED if name in names]
    counted, nulls = pl.collect_all(
        [
            manifest.select(*present, *(n for n in _SPREAD if n not in present), "stage_from", "stage_to"),
            manifest.select(
                pl.len().alias("\0rows"), pl.all().null_count(), pl.col("bytes_len").sum().alias("\0bytes")
            ),
        ]
    )
    stages = {name: int(counted.select(within(stage).sum()).item()) for stage, (name, *_) in STAGES.items()}
    found = nulls.row(0, named=True)
    return Summary(
        found.pop("\0rows"),
        found.pop("\0bytes"),
        {name: _counts(counted[name]) for name in present},
        stages,
        {name: _spread(counted[name]) for name in _SPREAD if counted[name].null_count() < counted.height},
        {name: count for name, count in found.items() if count},
    )


def show(summary: Summary, title: str, notes: Sequence[str] = ()) -> None:
    """Print ``summary`` on standard output."""
    from rich.columns import Columns
    from rich.console import Console
    from rich.markup import escape

    console = Console(highlight=False, soft_wrap=False)
    console.print(f"[bold]{escape(title)}[/bold]  {number(summary.rows)} samples, {size(summary.bytes)} of pictures")
    for note in notes:
        console.print(escape(note))
    if not summary.rows:
        return
    tables = [_table(name, ("", "samples"), counts, summary.rows) for name, counts in summary.counts.items()]
    tables.append(_table("stage", ("good for", "samples"), list(summary.stages.items()), summary.rows))
    console.print(Columns(tables, padding=(1, 3)))
    console.print(_spreads(summary))
    if summary.nulls:
        nulls = ", ".join(f"{name} {number(count)}" for name, count in summary.nulls.items())
        console.print(f"[dim]without a value:[/dim] {escape(nulls)}\n")


def _table(title: str, heads: tuple[str, str], counts: list[tuple[str, int]], total: int):  # type: ignore[no-untyped-def]
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold", box=None, pad_edge=False, show_header=False)
    table.add_column(heads[0], overflow="fold", max_width=28)
    table.add_column(heads[1], justify="right")
    table.add_column("share", justify="right", style="dim")
    for value, count in counts:
        table.add_row(escape(value), number(count), percent(count / total))
    return table


def _spreads(summary: Summary):  # type: ignore[no-untyped-def]
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="dim")
    for head in ("", "least", "median", "most"):
        table.add_column(head, justify="right" if head else "left")
    for name, values in summary.sizes.items():
        table.add_row(name, *(number(value) for value in values))
    return table


def _counts(column: pl.Series, limit: int = 12) -> list[tuple[str, int]]:
    name = column.name
    counted = column.value_counts(name="rows").sort(["rows", name], descending=[True, False], nulls_last=True)
    if name == "text_level":
        counted = counted.sort(name, nulls_last=True)
    pairs = [(_label(name, value), rows) for value, rows in counted.iter_rows()]
    rest = sum(rows for _, rows in pairs[limit:])
    return [*pairs[:limit], *([(f"{len(pairs) - limit} more", rest)] if rest else [])]


def _label(name: str, value: object) -> str:
    if value is None:
        return "null"
    return f"{value} {level_name(value)}" if name == "text_level" and isinstance(value, int) else clean(value, 60)


def _spread(column: pl.Series) -> tuple[float, float, float]:
    values = column.drop_nulls().cast(pl.Float64)
    return tuple(float(v) for v in (values.min(), values.median(), values.max()))  # type: ignore[return-value, arg-type]
