"""What happens to pictures inside the guarded children of the annotate step.

LookJob   bytes ─decode once─> pixels ──> annotators that want pixels, small copies for the others
ScoreJob  small copies or bytes ──> one annotator
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from pipeline import schema
from pipeline.annotators.base import Annotator, Picture
from pipeline.sandbox.child import describe

if TYPE_CHECKING:
    import numpy as np

    from configs.pictures import Limits

ROW = tuple(n for n in (*schema.IDENTITY, *schema.CAPTION_FLAT, *schema.TEXT) if n not in schema.NESTED)
"""What an annotator is told about a row, beside its picture."""


def known(row: Mapping[str, Any]) -> dict[str, Any]:
    """The part of a sample row that annotators see."""
    return {name: row[name] for name in ROW}


@dataclass
class DecodeResult:
    """What one decode gave. ``scores``: annotator -> its columns, absent where it does not apply. ``small``: edge ->
    picture. ``broken``: annotator and error, when one of them failed."""

    small: dict[int, np.ndarray] = field(default_factory=dict)
    scores: dict[str, dict[str, Any]] = field(default_factory=dict)
    broken: tuple[str, str] | None = None


@dataclass
class LookJob:
    """Decodes pictures once, runs the annotators that want pixels, makes the copies that those in ``small`` want."""

    annotators: Sequence[Annotator]
    small: Sequence[Annotator]
    limits: Limits

    def setup(self) -> None:
        for annotator in self.annotators:
            annotator.setup()

    def run(self, items: list[Mapping[str, Any]]) -> list[DecodeResult]:
        return [self._look(row) for row in items]

    def _look(self, row: Mapping[str, Any]) -> DecodeResult:
        from configs.pictures import decode, small

        pixels = decode(row["image"]["bytes"], self.limits)
        picture = Picture(known(row), pixels=pixels)
        edges = {a.small_edge for a in self.small if a.applies_to(picture.row)}
        look = DecodeResult({edge: small(pixels, edge) for edge in edges})
        for annotator in self.annotators:
            if not annotator.applies_to(picture.row):
                continue
            try:
                (look.scores[annotator.name],) = annotator.annotate([picture])
            except Exception as error:  # one picture, one row in failures/
                return DecodeResult(broken=(annotator.name, describe(error)))
        return look


@dataclass
class ScoreJob:
    """Runs one annotator on groups of pictures that somebody else shrank, or that it decodes for itself."""

    annotator: Annotator

    def setup(self) -> None:
        self.annotator.setup()

    def run(self, items: list[Picture]) -> list[dict[str, Any]]:
        return self.annotator.annotate(items)
