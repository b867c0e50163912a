"""The text that a picture shows, by PP-OCRv6: fills the text columns of rows whose text is not known exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from configs.pictures import Limits, decode
from pipeline import schema
from pipeline.annotators.base import Annotator, AnnotatorConfig, Picture
from pipeline.ocr.lines import height_of, level_of, unit_of
from pipeline.ocr.reader import Line, Reader
from pipeline.ocr.weights import missing
from pipeline.quads import text_area
from synth.language import is_han, language_of, visible


@dataclass(frozen=True)
class OcrConfig(AnnotatorConfig):
    """``detection_edge``: px; pictures with a longer side are looked at in two steps, an overview and tiles
    (pipeline/ocr/detect.py). ``min_score``: lines read
    with less confidence are dropped; ``min_score_lone``: the same for a lone letter, digit or sign, because round
    things are read as such (a cup seen from above reads as 8 with 0.975). ``threads`` of one model."""

    kind: Literal["ocr"]
    detection_edge: int = 960
    min_score: float = 0.6
    min_score_lone: float = 0.98
    threads: int = 1

    def __post_init__(self) -> None:
        if not 64 <= self.detection_edge <= 4000:
            raise ValueError(f"detection_edge: from 64 to 4000 px, found {self.detection_edge}")
        for name in ("min_score", "min_score_lone"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: from 0 to 1, found {getattr(self, name)}")
        if self.threads < 1:
            raise ValueError(f"threads: at least 1, found {self.threads}")

    def make(self, limits: Limits) -> OcrAnnotator:
        return OcrAnnotator(self, limits)


class OcrAnnotator(Annotator):
    """Text, regions, language, level and density of every row that does not know them from its recipe."""

    name = "ocr"
    version = "4"
    input: ClassVar[Literal["bytes"]] = "bytes"
    columns = (*schema.TEXT.values(), schema.COLUMNS["ocr_score"])

    def __init__(self, config: OcrConfig | None = None, limits: Limits | None = None) -> None:
        self.config, self.limits = config or OcrConfig("ocr"), limits or Limits()
        self._reader = Reader(self.config.detection_edge, self.config.threads)

    def missing(self) -> str | None:
        return missing()

    def applies_to(self, row: Mapping[str, Any]) -> bool:
        return row.get("recipe") is None

    def setup(self) -> None:
        self._reader.load()

    def annotate(self, pictures: Sequence[Picture]) -> list[dict[str, Any]]:
        return [self._annotate(picture.row["image"]["bytes"]) for picture in pictures]

    def _annotate(self, data: bytes) -> dict[str, Any]:
        pixels = decode(data, self.limits)
        lines = [line for line in self._reader.read(pixels) if self._believed(line)]
        return text_columns(lines, width=pixels.shape[1], height=pixels.shape[0])

    def _believed(self, line: Line) -> bool:
        lone = visible(line.text) == 1 and not is_han(line.text)
        return line.score >= (self.config.min_score_lone if lone else self.config.min_score)


def text_columns(lines: Sequence[Line], width: int, height: int) -> dict[str, Any]:
    """Read lines as the columns of schema.TEXT and ``ocr_score``. ``width``, ``height``: the picture's, px."""
    text = "\n".join(line.text for line in lines)
    characters = visible(text)
    score = sum(line.score * visible(line.text) for line in lines) / characters if characters else None
    return {
        "text": text,
        "text_language": language_of(text),
        "text_level": level_of(lines),
        "text_regions": [_region(line) for line in lines],
        "text_chars": characters,
        "text_area": text_area([_flat(line) for line in lines], width, height),
        "text_min_height": min((height_of(line) for line in lines), default=None),
        "ocr_score": score,
    }


def _region(line: Line) -> dict[str, Any]:
    level = unit_of(line.text)
    return {"text": line.text, "quad": _flat(line), "level": level, "direction": line.direction, "score": line.score}


def _flat(line: Line) -> list[float]:
    return [float(v) for v in line.quad.reshape(-1)]
