"""How well captions fit their picture, by a model with a tower for each: what CLIP annotators have in common.

    picture ──the library's preprocessing──> tower ──> unit vector ─┐
                                                                    ├─ cosine, a number for each raw caption
    raw captions ──the library's tokenizer──> tower ──> unit vector ─┘

Only captions that came with the picture are judged (report 3.1, S3): recaptions were written from the picture.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
from PIL import Image

from configs.files import lacking
from configs.pictures import Limits, decode
from pipeline.annotators.base import Annotator, AnnotatorConfig, Picture
from pipeline.annotators.model_folder import absent, fingerprint, model_folder, told
from pipeline.schema import Column

_TEXTS = 64
"""Captions that go through the tower at once, at most; chosen."""


@dataclass(frozen=True, kw_only=True)
class AlignConfig(AnnotatorConfig):
    """``model``: a folder, or an id of the Hugging Face hub whose files are in its cache. ``batch``: pictures at once.
    ``gpus``: share of a GPU that each worker takes; 0 runs on CPUs, with ``threads`` each."""

    model: str
    batch: int = 16
    gpus: float = 0.0
    threads: int = 1

    folders = ("model",)

    def __post_init__(self) -> None:
        if self.batch < 1 or self.threads < 1:
            raise ValueError(f"batch and threads: at least 1, found {self.batch} and {self.threads}")
        if self.gpus < 0:
            raise ValueError(f"gpus: at least 0, found {self.gpus:g}")


class AlignAnnotator(Annotator):
    """Cosines of pictures and their raw captions. A subclass names the columns and loads the towers."""

    input: ClassVar[Literal["bytes"]] = "bytes"
    nested = ("captions",)
    each: ClassVar[Column]
    """The column of a number for each caption; the first of ``columns`` is the largest of them."""
    package: ClassVar[str]
    """What is imported."""
    marker: ClassVar[str]
    """The file of a model's folder that says what it is."""

    def __init__(self, config: AlignConfig, limits: Limits | None = None, beside: Sequence[Path] = ()) -> None:
        self.config, self.limits = config, limits or Limits()
        self.batch_widths, self.gpus = (config.batch, 1), config.gpus
        self.folder = model_folder(config.model, self.marker) if self._lacking() is None else None
        # Weights are part of what a score is, and only an annotator with its config knows them.
        self.version = f"1-{fingerprint(self.folder, *beside)}" if self.folder else "1"  # type: ignore[misc]

    def missing(self) -> str | None:
        return self._lacking() or (None if self.folder else absent(self.config.model, self.marker))

    def applies_to(self, row: Mapping[str, Any]) -> bool:
        return row.get("recipe") is None

    def setup(self) -> None:
        import torch

        torch.set_num_threads(self.config.threads)
        self.device = "cuda" if self.config.gpus else "cpu"
        with told(self.name, self.folder):
            self.load()

    @abstractmethod
    def load(self) -> None:
        """Load the model of ``folder`` onto ``device``."""

    @abstractmethod
    def prepare(self, picture: Image.Image) -> Any:
        """An RGB picture as the picture tower wants it, a tensor (3, H, W), by the library itself."""

    @abstractmethod
    def encode_pictures(self, batch: Any) -> Any:
        """(N, 3, H, W) -> (N, D), of any length."""

    @abstractmethod
    def encode_texts(self, texts: Sequence[str]) -> Any:
        """-> (N, D), of any length."""

    def annotate(self, pictures: Sequence[Picture]) -> list[dict[str, Any]]:
        vectors = self.picture_vectors([decode(p.row["image"]["bytes"], self.limits) for p in pictures])
        captions = [p.row.get("captions") or [] for p in pictures]
        raw = [(i, j) for i, row in enumerate(captions) for j, c in enumerate(row) if _is_raw(c)]
        texts = self.text_vectors([captions[i][j]["text"] for i, j in raw])
        cosines = {at: float(vectors[at[0]] @ text) for at, text in zip(raw, texts, strict=True)}
        found = [[cosines.get((i, j)) for j in range(len(row))] for i, row in enumerate(captions)]
        return [self.row(values, vector) for values, vector in zip(found, vectors, strict=True)]

    def row(self, cosines: Sequence[float | None], vector: np.ndarray) -> dict[str, Any]:
        """The columns of a picture. ``vector``: float32 (D,), of length 1."""
        largest = max((c for c in cosines if c is not None), default=None)
        return {self.columns[0].name: largest, self.each.name: list(cosines)}

    def picture_vectors(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        """float32 (N, D) of length 1, of uint8 (H, W, 3) pictures."""
        import torch

        batch = torch.stack([self.prepare(Image.fromarray(pixels)) for pixels in pictures])
        with torch.inference_mode():
            return _unit(self.encode_pictures(batch.to(self.device)))

    def text_vectors(self, texts: Sequence[str]) -> np.ndarray:
        """float32 (N, D) of length 1."""
        import torch

        with torch.inference_mode():
            parts = [_unit(self.encode_texts(texts[i : i + _TEXTS])) for i in range(0, len(texts), _TEXTS)]
        return np.concatenate(parts) if parts else np.zeros((0, 0), np.float32)

    def _lacking(self) -> str | None:
        return lacking("torch", self.package)


def _is_raw(caption: Mapping[str, Any]) -> bool:
    """Whether it came with the picture, and can be read."""
    return caption["source"] == "raw" and not caption.get("invalid") and bool(caption["text"].strip())


def _unit(vectors: Any) -> np.ndarray:
    """A tensor (N, D) as float32 rows of length 1."""
    import torch

    normal: np.ndarray = torch.nn.functional.normalize(vectors.float(), dim=-1).cpu().numpy()
    return normal
