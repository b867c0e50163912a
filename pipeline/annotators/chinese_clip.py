"""Alignment of pictures and captions by Chinese CLIP, as transformers has it (arXiv 2211.01335)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from PIL import Image

from configs.pictures import Limits
from pipeline import schema
from pipeline.annotators.align import AlignAnnotator, AlignConfig
from pipeline.annotators.model_folder import refuse_missing

_TOKENS = 52
"""Of a caption; what comes after is cut, as the model was trained (its paper's appendix and its authors' code)."""


@dataclass(frozen=True, kw_only=True)
class ChineseClipConfig(AlignConfig):
    """As AlignConfig, for example ``model: OFA-Sys/chinese-clip-vit-base-patch16``."""

    kind: Literal["chinese_clip"]

    def make(self, limits: Limits) -> ChineseClipAnnotator:
        return ChineseClipAnnotator(self, limits)


class ChineseClipAnnotator(AlignAnnotator):
    """``align_zh`` of raw captions and the largest of them."""

    name = "chinese_clip"
    each = schema.COLUMNS["align_zh"]
    columns = (schema.COLUMNS["align_zh_max"], each)
    package = "transformers"
    marker = "config.json"

    def load(self) -> None:
        from transformers import ChineseCLIPModel, ChineseCLIPProcessor

        load: Any = ChineseCLIPModel.from_pretrained
        model, report = load(str(self.folder), output_loading_info=True)
        refuse_missing(report)
        self._model = model.eval().to(self.device)
        self._processor = ChineseCLIPProcessor.from_pretrained(str(self.folder))

    def prepare(self, picture: Image.Image) -> Any:
        return self._processor.image_processor(images=picture, return_tensors="pt")["pixel_values"][0]

    def encode_pictures(self, batch: Any) -> Any:
        return self._model.get_image_features(pixel_values=batch).pooler_output

    def encode_texts(self, texts: Sequence[str]) -> Any:
        tokens = self._processor.tokenizer(
            list(texts), padding="max_length", truncation=True, max_length=_TOKENS, return_tensors="pt"
        )
        return self._model.get_text_features(**tokens.to(self.device)).pooler_output
