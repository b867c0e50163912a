"""What ``retrieve`` found, as a page: the best first, each with its score."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl

from configs.numbers import number
from pipeline.report.fetch import fetch
from pipeline.report.page import write_page
from pipeline.report.pictures import Sample, levels_of, sample
from pipeline.store.run_folder import RunFolder
from pipeline.store.table import stored_schemas

SHOWN = 60
"""Pictures on the page at most; chosen."""


def write_found(run: RunFolder, name: str, found: Sequence[tuple[str, float]], facts: pl.DataFrame) -> Path:
    """Write RUN/retrieved/NAME.html. ``found``: (id, score), best first. ``facts``: scalars and fragment of the first
    ``SHOWN`` of them."""
    known = {row["id"]: row for row in facts.iter_rows(named=True)}
    figures: dict[str, Sample] = fetch(
        run, stored_schemas(run), known.values(), lambda row: sample(row, known[row["id"]])
    )
    items = [replace(figures[id_], tags=[f"{score:.3f}", *figures[id_].tags]) for id_, score in found[:SHOWN]]
    context: dict[str, Any] = {
        "title": f"Retrieved: {name}",
        "lead": f"{number(len(found))} rows of {run.path} were found, {number(len(items))} are shown, the best first.",
        "where": None,
        "items": items,
        "levels": levels_of(item.picture for item in items),
        "digest": "",
    }
    return write_page(run.retrieved / f"{name}.html", "gallery.html.j2", context)
