"""What a reader makes of the pictures of a trained model: evaluation.json of `python -m trainer evaluate`.

evaluation.json ──suites──> before, after, ceiling of each suite, and its sheet <suite>.png
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs import UserError
from pipeline.report.pictures import file_uri

_SHEET_EDGE = 1400
"""Longer side in px of the copy of a sample sheet; chosen."""

_MOMENTS = ("before", "after", "ceiling")
"""Before and after training, and the reader's own ceiling on clean renderings of the same texts."""


@dataclass(frozen=True)
class Sheet:
    """A picture of sampled pictures."""

    src: str
    width: int
    height: int
    caption: str


@dataclass(frozen=True)
class Suite:
    """``exact``: share of texts read exactly, ``characters``: character accuracy; each before and after training
    and at the ceiling, None where it was not measured."""

    name: str
    count: int
    held_out: bool
    exact: list[float | None]
    characters: list[float | None]
    sheet: Sheet | None


def read_suites(train: Path) -> list[Suite]:
    """The suites of train/evaluation/evaluation.json (or train/evaluation.json). Raises UserError for broken JSON."""
    for path in (train / "evaluation" / "evaluation.json", train / "evaluation.json"):
        if path.is_file():
            try:
                found = json.loads(path.read_text(encoding="utf-8"))
            except ValueError as error:
                raise UserError(f"{path}: not valid JSON: {error}; evaluate again") from None
            return [_suite(path.parent, name, facts) for name, facts in found.get("suites", {}).items()]
    return []


def read_sheet(path: Path, caption: str) -> Sheet | None:
    """A sheet as a picture inside the page; None where there is none."""
    found = file_uri(path, _SHEET_EDGE)
    return Sheet(*found, caption) if found else None


def _suite(folder: Path, name: str, facts: Mapping[str, Any]) -> Suite:
    count, held_out = int(facts.get("count", 0)), bool(facts.get("held_out"))
    seen = "texts that training never drew" if held_out else "texts of the training data"
    caption = f"{name}: {count} {seen}; gray where read exactly, red where not."
    scores = {key: [(facts.get(moment) or {}).get(key) for moment in _MOMENTS] for key in ("exact", "characters")}
    sheet = read_sheet(folder / Path(str(facts.get("sheet", f"{name}.png"))).name, caption)
    return Suite(name, count, held_out, scores["exact"], scores["characters"], sheet)
