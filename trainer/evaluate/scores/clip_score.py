"""CLIPScore (Hessel et al. 2021): 2.5 * max(cosine, 0) of a picture and "A photo depicts " + its prompt.

Published figures are those of OpenAI's ViT-L/14; the model here is whatever folder open_clip loads.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from configs import UserError
from pipeline.annotators.clip import ClipAnnotator, ClipConfig

_SCALE = 2.5
_PREFIX = "A photo depicts "


class ClipScorer:
    def __init__(self, annotator: ClipAnnotator) -> None:
        self._annotator = annotator

    @classmethod
    def of(cls, model: str) -> ClipScorer:
        """Raises UserError for a folder that open_clip cannot load."""
        return _opened(model)

    def scores(self, prompts: Sequence[str], pictures: Sequence[np.ndarray]) -> list[float]:
        """Of pairs, uint8 (H, W, 3) each."""
        texts = self._annotator.text_vectors([_PREFIX + prompt for prompt in prompts])
        seen = [self._annotator.picture_vectors([picture])[0] for picture in pictures]
        return [clip_score(float(t @ p)) for t, p in zip(texts, seen, strict=True)]


def clip_score(cosine: float) -> float:
    return _SCALE * max(cosine, 0.0)


@lru_cache(maxsize=1)
def _opened(model: str) -> ClipScorer:
    annotator = ClipAnnotator(ClipConfig(kind="clip", model=model))
    reason = annotator.missing()
    if reason:
        raise UserError(f"field 'clip': {reason}")
    annotator.setup()
    return ClipScorer(annotator)
