"""What happens to pictures inside the guarded children of the annotate step.

DecodeJob  bytes ─decode once─> pixels ──> annotators of pixels, thumbnails for the others
ModelJob   thumbnails or bytes ──> one annotator
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from configs.pictures import decode, small
from pipeline import schema
from pipeline.annotators.base import Annotator, Picture
from pipeline.sandbox.child import describe, failed
from pipeline.sandbox.guard import Failed

if TYPE_CHECKING:
    import numpy as np

    from configs.pictures import Limits

_ROW = tuple(n for n in (*schema.IDENTITY, *schema.CAPTION_FLAT, *schema.TEXT) if n not in schema.NESTED)
"""What an annotator sees of a row, beside its picture."""


def known(row: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a sample row that annotators see."""
    return {name: row[name] for name in _ROW}


@dataclass
class DecodeResult:
    """What one decode gave. ``scores``: annotator -> its columns, absent where it does not apply. ``thumbnails``: edge
    in px -> uint8 (edge, edge, 3). ``broken``: annotator and error, when one of them failed."""

    thumbnails: dict[int, np.ndarray] = field(default_factory=dict)
    scores: dict[str, dict[str, Any]] = field(default_factory=dict)
    broken: tuple[str, str] | None = None


@dataclass
class DecodeJob:
    """Decodes pictures once, runs the annotators of pixels, makes the thumbnails for those of thumbnails."""

    annotators: Sequence[Annotator]
    thumbnail: Sequence[Annotator]
    limits: Limits

    def setup(self) -> None:
        for annotator in self.annotators:
            annotator.setup()

    def run(self, items: list[Mapping[str, Any]]) -> list[DecodeResult | Failed]:
        return [self._decode(row) for row in items]

    def _decode(self, row: Mapping[str, Any]) -> DecodeResult | Failed:
        try:
            pixels = decode(row["image"]["bytes"], self.limits)
        except Exception as error:  # its neighbors need not be looked at again for it
            return failed(error)
        picture = Picture(known(row), pixels=pixels)
        edges = {a.thumbnail_edge for a in self.thumbnail if a.applies_to(picture.row)}
        result = DecodeResult({edge: small(pixels, edge) for edge in edges})
        for annotator in self.annotators:
            if not annotator.applies_to(picture.row):
                continue
            try:
                (result.scores[annotator.name],) = annotator.annotate([picture])
            except Exception as error:  # one picture, one row in failures/
                return DecodeResult(broken=(annotator.name, describe(error)))
        return result


@dataclass
class ModelJob:
    """Runs one annotator on groups of thumbnails, or of pictures that it decodes for itself."""

    annotator: Annotator

    def setup(self) -> None:
        self.annotator.setup()

    def run(self, items: list[Picture]) -> list[dict[str, Any]]:
        return self.annotator.annotate(items)
