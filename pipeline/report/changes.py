"""What other thresholds would change, as a page of examples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from configs.numbers import number
from configs.storage.spans import each
from pipeline.decide.changes import EXAMPLES, Group
from pipeline.report.page import write_page
from pipeline.report.pictures import LEVELS
from pipeline.report.samples import Sample, sample
from pipeline.store.run_folder import RunFolder
from pipeline.store.table import FRAGMENT, FRAGMENT_ROW, fragment_table_of

TOLD = ("uri", "text_language", "text_level", "ocr_score")
"""Scalars that are shown of a row."""
_SHOWN = ("id", "uri", "image", "width", "height", "captions", "text_regions")


def write_gallery(run: RunFolder, groups: Sequence[Group], schemas: Mapping[str, pa.Schema]) -> Path:
    """RUN/changes.html: some pictures of every group. ``schemas``: annotator -> what its scores hold."""
    items = []
    told = [(group, facts) for group in groups for facts in group.rows.iter_rows(named=True)]
    stored = each(lambda of: _stored(run, of[1][FRAGMENT], of[1][FRAGMENT_ROW], schemas), told, run.path)
    for (group, facts), row in zip(told, stored, strict=True):
        figure = sample(row, facts)
        items.append(Sample(figure.picture, figure.caption, [group.title, *figure.tags]))
    levels = {level for item in items for level in item.picture.levels}
    context: dict[str, Any] = {
        "title": f"What would change in {run.path.name}",
        "lead": f"{number(sum(g.count for g in groups))} samples would change their stages; up to {EXAMPLES} of each kind.",
        "items": items,
        "levels": [level for level in LEVELS if level in levels],
        "where": None,
        "digest": "",
    }
    write_page(run.path / "changes.html", "gallery.html.j2", context)
    return run.path / "changes.html"


def _stored(run: RunFolder, fragment: str, row: int, schemas: Mapping[str, pa.Schema]) -> dict[str, Any]:
    """A sample with its exact regions, or those that OCR read."""
    return fragment_table_of(run, fragment, _SHOWN, schemas).slice(row, 1).to_pylist()[0]
