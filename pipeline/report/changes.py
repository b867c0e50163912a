"""What other thresholds would change, as a page of examples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from configs.numbers import number
from pipeline.decide.changes import EXAMPLES, Group
from pipeline.report.page import write_page
from pipeline.report.pictures import LEVELS
from pipeline.report.samples import Sample, sample
from pipeline.store.run_folder import RunFolder
from pipeline.store.table import FRAGMENT, FRAGMENT_ROW, fragment_table

TOLD = ("uri", "text_language", "text_level", "ocr_score")
"""Scalars that are shown of a row."""
_SHOWN = ("id", "uri", "image", "width", "height", "captions", "text_regions")


def write_gallery(run: RunFolder, groups: Sequence[Group]) -> Path:
    """RUN/changes.html: some pictures of every group."""
    items = []
    for group in groups:
        for facts in group.rows.iter_rows(named=True):
            figure = sample(_stored(run, facts[FRAGMENT], facts[FRAGMENT_ROW]), facts)
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


def _stored(run: RunFolder, fragment: str, row: int) -> dict[str, Any]:
    """A sample with its exact regions, or those that OCR read."""
    return fragment_table(run, fragment, _SHOWN).slice(row, 1).to_pylist()[0]
