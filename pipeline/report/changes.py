"""What other thresholds would change, as a page of examples: what would come, and what would go."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from configs.numbers import number
from pipeline.decide.changes import EXAMPLES, Group
from pipeline.report.fetch import fetch
from pipeline.report.page import write_page
from pipeline.report.pictures import Sample, levels_of, sample
from pipeline.store.run_folder import RunFolder

TOLD = ("uri", "text_language", "text_level", "ocr_score")
"""Scalars that are shown of a row."""


def write_gallery(run: RunFolder, groups: Sequence[Group], schemas: Mapping[str, pa.Schema]) -> Path:
    """RUN/changes.html: some pictures of every group. ``schemas``: annotator -> what its scores hold."""
    facts = {row["id"]: row for group in groups for row in group.rows.iter_rows(named=True)}
    found: dict[str, Sample] = fetch(run, schemas, facts.values(), lambda row: sample(row, facts[row["id"]]))
    sections = [
        {
            "title": f"Would {'come' if comes else 'go'}",
            "count": sum(group.count for group in groups if group.comes == comes),
            "groups": [(group, [found[id_] for id_ in group.rows["id"]]) for group in groups if group.comes == comes],
        }
        for comes in (True, False)
    ]
    context: dict[str, Any] = {
        "title": f"What would change in {run.path.name}",
        "lead": f"{number(sum(g.count for g in groups))} samples would change their stages; up to {EXAMPLES} of each kind.",
        "sections": [section for section in sections if section["groups"]],
        "levels": levels_of(item.picture for item in found.values()),
    }
    return write_page(run.path / "changes.html", "changes.html.j2", context)
