"""The OCR round trip: is a rendering's text read as well in the picture as in plain print?

    each line's quad ──cut out──> read ──> text_read          fraction of its characters that are read back
    the same text on white ─────> read ──> text_read_clean    the reader's own ceiling

A weak reader must not drop rare characters: PP-OCRv6 small misses a third of the rarest of the 8,105 even in print.
So a rule compares the two, for example ``text_unverifiable or text_read >= text_read_clean - 0.25``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, ClassVar, Literal

import numpy as np

from configs.pictures import Limits, decode
from pipeline import schema
from pipeline.annotators.base import Annotator, AnnotatorConfig, Picture
from pipeline.ocr.lines import character_accuracy, normalize
from pipeline.ocr.reader import Reader
from pipeline.ocr.weights import missing
from synth.errors import Undrawable
from synth.language import language_of
from synth.plain_line import clean_line


@dataclass(frozen=True)
class VerifyConfig(AnnotatorConfig):
    """``lines``: at most so many of a picture are read, the first ones. ``ceiling``: below this fraction of a clean
    rendering the reader cannot judge the text, and the row is marked unverifiable. ``threads`` of one model."""

    kind: Literal["verify"]
    lines: int = 8
    ceiling: float = 0.5
    threads: int = 1

    def __post_init__(self) -> None:
        if self.lines < 1 or self.threads < 1:
            raise ValueError(f"lines and threads: at least 1, found {self.lines} and {self.threads}")
        if not 0 <= self.ceiling <= 1:
            raise ValueError(f"ceiling: from 0 to 1, found {self.ceiling}")

    def make(self, limits: Limits) -> VerifyAnnotator:
        return VerifyAnnotator(self, limits)


class VerifyAnnotator(Annotator):
    """How much of a rendering's text is read back. Applies to rows that know their text from a recipe."""

    name = "verify"
    version = "3"
    input: ClassVar[Literal["bytes"]] = "bytes"
    nested = ("text_regions",)
    columns = tuple(schema.COLUMNS[n] for n in ("text_read", "text_read_clean", "text_unverifiable"))

    def __init__(self, config: VerifyConfig | None = None, limits: Limits | None = None) -> None:
        self.config, self.limits = config or VerifyConfig("verify"), limits or Limits()
        self._reader = Reader(threads=self.config.threads)

    def missing(self) -> str | None:
        return missing()

    def applies_to(self, row: Mapping[str, Any]) -> bool:
        return row.get("recipe") is not None and bool(row.get("text"))

    def setup(self) -> None:
        self._reader.load()

    def annotate(self, pictures: Sequence[Picture]) -> list[dict[str, Any]]:
        return [self._annotate(picture.row) for picture in pictures]

    def _annotate(self, row: Mapping[str, Any]) -> dict[str, Any]:
        pixels = decode(row["image"]["bytes"], self.limits)
        lines = [r for r in row["text_regions"] if r["level"] == "line"][: self.config.lines]
        found, clean, total = 0.0, 0.0, 0
        for line in lines:
            expected = normalize(line["text"])
            quad = np.asarray(line["quad"], np.float32).reshape(4, 2)
            found += len(expected) * character_accuracy(expected, self._reader.read_at(pixels, quad))
            clean += len(expected) * self._ceiling(line["text"])
            total += len(expected)
        if not total:
            return dict.fromkeys(column.name for column in self.columns)
        return {
            "text_read": found / total,
            "text_read_clean": clean / total,
            "text_unverifiable": clean / total < self.config.ceiling,
        }

    def _ceiling(self, text: str) -> float:
        """Accuracy of the reader on the text in plain print; 0 where the plain face lacks a character."""
        return _read_clean(self._reader, text)


@lru_cache(maxsize=4096)
def _read_clean(reader: Reader, text: str) -> float:
    try:
        image = clean_line(text, language_of(text))
    except Undrawable:
        return 0.0
    return character_accuracy(text, reader.read_line(np.asarray(image))[0])
