"""A row as a figure of a gallery: the picture with its boxes, its caption, a few words about it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.report import coverage
from pipeline.report.pictures import Picture, picture

_EDGE = 480
"""Longer side in px of the copy inside the page; chosen."""


@dataclass(frozen=True)
class Sample:
    picture: Picture
    caption: str
    tags: list[str]


def sample(row: Mapping[str, Any], facts: Mapping[str, Any]) -> Sample:
    """``row``: id, uri, image, size, captions, text_regions. ``facts``: scalars and decisions of the same sample."""
    captions: Sequence[Mapping[str, Any]] = row.get("captions") or ()
    valid = [c["text"] for c in captions if c.get("text") and not c.get("invalid")]
    return Sample(picture(row, _EDGE), valid[0] if valid else "", tags(facts))


def tags(facts: Mapping[str, Any]) -> list[str]:
    """What one wants to know at a glance: language and amount of text, recipe, confidence, stages."""
    language, level = facts.get("text_language"), facts.get("text_level")
    words = [] if language in (None, "none") else [f"text: {language}, {coverage.level_name(level)}"]
    if facts.get("ocr_score") is not None:
        words.append(f"read with confidence {facts['ocr_score']:.2f}")
    if facts.get("stage_to") is not None:
        words.append(f"S{facts['stage_from']}–S{facts['stage_to']}")
    return words
