"""Alignment of pictures and captions by any CLIP that open_clip loads, SigLIP 2 above all; embeddings and aesthetics.

The folder of a model is what ``hf download timm/ViT-B-16-SigLIP2-256`` and open_clip's ``save_for_hf`` write: weights,
tokenizer and ``open_clip_config.json``. Preprocessing, tokenizer and towers are the library's own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pyarrow as pa
from PIL import Image

from configs.errors import UserError
from configs.pictures import Limits
from pipeline import schema
from pipeline.annotators.align import AlignAnnotator, AlignConfig
from pipeline.schema import Column


@dataclass(frozen=True, kw_only=True)
class ClipConfig(AlignConfig):
    """``aesthetics``: a linear head on the unit embedding, a safetensors file with ``weight`` (1, D) and ``bias`` (1),
    such as LAION's aesthetic predictors; null leaves the column ``aesthetic`` null. It belongs to one model."""

    kind: Literal["clip"]
    aesthetics: str | None = None

    files = ("aesthetics",)

    def make(self, limits: Limits) -> ClipAnnotator:
        return ClipAnnotator(self, limits)


class ClipAnnotator(AlignAnnotator):
    """``align_siglip`` of raw captions and the largest of them; the picture's embedding, kept aside; ``aesthetic``."""

    name = "clip"
    each = schema.COLUMNS["align_siglip"]
    columns = (schema.COLUMNS["align_siglip_max"], each, schema.COLUMNS["aesthetic"])
    aside = (Column("embedding", pa.list_(pa.float16()), "of the picture, of length 1"),)
    package = "open_clip"
    marker = "open_clip_config.json"

    def __init__(self, config: ClipConfig, limits: Limits | None = None) -> None:
        super().__init__(
            config, limits, [head] if config.aesthetics and (head := Path(config.aesthetics)).is_file() else ()
        )
        self._head = config.aesthetics
        self._weight: np.ndarray | None = None
        self._bias = 0.0

    def load(self) -> None:
        import open_clip

        name = f"local-dir:{self.folder}"
        # create_model_and_transforms would go on with random weights where there are none.
        model, self._preprocess = open_clip.create_model_from_pretrained(name, device=self.device)
        self._model, self._tokenizer = model.eval(), open_clip.get_tokenizer(name)
        if self._head:
            self._weight, self._bias = _load_head(self._head)
            if (size := self.text_vectors([""]).shape[1]) != len(self._weight):
                raise UserError(
                    f"field 'aesthetics': {self._head} is for embeddings of {len(self._weight)} numbers, those of "
                    f"{self.config.model} have {size}"
                )

    def prepare(self, picture: Image.Image) -> Any:
        return self._preprocess(picture)

    def encode_pictures(self, batch: Any) -> Any:
        return self._model.encode_image(batch)

    def encode_texts(self, texts: Sequence[str]) -> Any:
        return self._model.encode_text(self._tokenizer(list(texts)).to(self.device))

    def row(self, cosines: Sequence[float | None], vector: np.ndarray) -> dict[str, Any]:
        score = None if self._weight is None else float(vector @ self._weight) + self._bias
        return {**super().row(cosines, vector), "aesthetic": score, "embedding": vector.astype(np.float16)}


def _load_head(path: str) -> tuple[np.ndarray, float]:
    """(D,) and the bias of a linear head. Raises UserError for another file."""
    from safetensors.numpy import load_file

    try:
        tensors = load_file(path)
        weight, bias = tensors["weight"], tensors["bias"]
    except Exception as error:  # safetensors' own exception is raised from Rust
        raise UserError(f"field 'aesthetics': {path} holds no tensors 'weight' and 'bias': {error}") from None
    if weight.ndim != 2 or weight.shape[0] != 1 or bias.shape != (1,):
        raise UserError(f"field 'aesthetics': expected weight (1, D) and bias (1), found {weight.shape}, {bias.shape}")
    return weight[0].astype(np.float32), float(bias[0])
