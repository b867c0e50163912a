"""Pictures on a page: small copies inside the HTML, the boxes of their text, and figures of a gallery.

bytes ──decode, shrink──> WebP ──> data URI          quads stay in px of the full picture: the overlay
text_regions ──> Box(points, level, text)            is an SVG whose viewBox is that size
"""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from PIL import Image

from configs.pictures import DecodeError, Limits, decode
from pipeline.report.page import level_name

_LEVELS = ("paragraph", "line", "word", "glyph")
"""Levels of regions from the outermost to the innermost: the order in which boxes are drawn."""

_LOSSLESS = 96 * 96
"""Pixels up to which a copy is kept without loss: blur is visible there and bytes are few; chosen."""


@dataclass(frozen=True)
class Box:
    """``points``: the quad as the SVG attribute, px of the full picture."""

    points: str
    level: str
    text: str


@dataclass(frozen=True)
class Picture:
    """A picture ready for the page. ``src`` is None when it cannot be shown; ``problem`` says why."""

    id: str
    src: str | None
    width: int
    height: int
    uri: str = ""
    boxes: list[Box] = field(default_factory=list)
    problem: str = ""

    @property
    def levels(self) -> list[str]:
        """Levels that have a box, outermost first."""
        present = {box.level for box in self.boxes}
        return [level for level in _LEVELS if level in present]


def picture(row: Mapping[str, Any], edge: int, limits: Limits | None = None) -> Picture:
    """A row (id, image, width, height, uri, text_regions) as a copy of at most ``edge`` px on its longer side."""
    src, problem = None, ""
    try:
        src = _data_uri(row["image"]["bytes"], edge, limits or Limits())
    except DecodeError as error:
        problem = str(error)
    regions = row.get("text_regions") or ()
    return Picture(row["id"], src, row["width"], row["height"], row.get("uri") or "", boxes(regions), problem)


def plain(row: Mapping[str, Any], edge: int) -> Picture:
    """The picture of a row without boxes."""
    return picture({**row, "text_regions": None}, edge)


def levels_of(pictures: Iterable[Picture]) -> list[str]:
    """Levels that have a box in any of ``pictures``, outermost first."""
    present = {level for one in pictures for level in one.levels}
    return [level for level in _LEVELS if level in present]


def boxes(regions: Iterable[Mapping[str, Any]]) -> list[Box]:
    """Boxes of regions, outermost levels first, so that inner ones lie on top."""
    ordered = sorted(regions, key=lambda r: _LEVELS.index(r["level"]) if r["level"] in _LEVELS else len(_LEVELS))
    return [Box(_points(r["quad"]), r["level"] if r["level"] in _LEVELS else "other", r["text"] or "") for r in ordered]


def _data_uri(data: bytes, edge: int, limits: Limits) -> str:
    """The picture in ``data`` as a data URI of at most ``edge`` px. Raises DecodeError."""
    return _encode(Image.fromarray(decode(data, limits)), edge)


def file_uri(path: Any, edge: int) -> tuple[str, int, int] | None:
    """(data URI, width, height) of a picture file of our own; None where it is missing or unreadable."""
    try:
        pixels = decode(path.read_bytes(), Limits())
    except (OSError, DecodeError):
        return None
    return _encode(Image.fromarray(pixels), edge), pixels.shape[1], pixels.shape[0]


def _encode(image: Any, edge: int) -> str:
    image.thumbnail((edge, edge))
    out = io.BytesIO()
    if image.width * image.height <= _LOSSLESS:
        image.save(out, "WEBP", lossless=True, method=4)
    else:
        image.save(out, "WEBP", quality=78, method=4)
    return "data:image/webp;base64," + base64.b64encode(out.getvalue()).decode()


def _points(quad: Iterable[float]) -> str:
    values = [f"{v:g}" for v in (round(float(v), 1) for v in quad)]
    return " ".join(f"{x},{y}" for x, y in zip(values[::2], values[1::2], strict=True))


SAMPLE_EDGE = 480
"""Longer side in px of the copy inside the page; chosen."""


@dataclass(frozen=True)
class Sample:
    picture: Picture
    caption: str
    tags: list[str]


def sample(row: Mapping[str, Any], facts: Mapping[str, Any], edge: int = SAMPLE_EDGE) -> Sample:
    """``row``: id, uri, image, size, captions, text_regions. ``facts``: scalars and decisions of the same sample."""
    captions: Sequence[Mapping[str, Any]] = row.get("captions") or ()
    valid = [c["text"] for c in captions if c.get("text") and not c.get("invalid")]
    return Sample(picture(row, edge), valid[0] if valid else "", tags(facts))


def tags(facts: Mapping[str, Any]) -> list[str]:
    """What one wants to know at a glance: language and amount of text, recipe, confidence, stages."""
    language, level = facts.get("text_language"), facts.get("text_level")
    words = [] if language in (None, "none") else [f"text: {language}, {level_name(level)}"]
    if facts.get("ocr_score") is not None:
        words.append(f"read with confidence {facts['ocr_score']:.2f}")
    if facts.get("stage_to") is not None:
        words.append(f"S{facts['stage_from']}–S{facts['stage_to']}")
    return words
