"""Who rewards pictures: the share of the text that a reader reads, a server of one's own, or several with weights.

A kind of reward is a frozen dataclass derived from ``Reward``; those of others join by the name of their class.
"""

from __future__ import annotations

import base64
import io
import json
import urllib.error
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from PIL import Image

from configs import RunFailed, UserError
from trainer.evaluate.base import Item
from trainer.evaluate.config import Server
from trainer.evaluate.reading.readers import ReaderSpec
from trainer.post.rewards import read_share


class Scorer(Protocol):
    """Rewards of pictures within 0..1, NaN where there is none. Raises RunFailed where it cannot score any more."""

    def __call__(self, pictures: Sequence[np.ndarray], items: Sequence[Item]) -> list[float]: ...


@dataclass(frozen=True)
class Reward(ABC):
    """``weight``: beside the other rewards."""

    kind: str
    weight: float = field(default=1.0, kw_only=True)

    @abstractmethod
    def open(self) -> Scorer:
        """What scores. Raises UserError where something that it needs is not there."""


@dataclass(frozen=True)
class TextReward(Reward):
    """How much of an item's text is read, with surplus punished (``rewards.py``). ``reader``: paddle, or the URL of an
    OpenAI-compatible server. ``one_line``: pictures are read as one line as a whole."""

    kind: Literal["text"]
    reader: str = "paddle"
    one_line: bool = False
    server: Server = field(default_factory=Server)

    def open(self) -> Scorer:
        spec = ReaderSpec(self.reader, self.server)
        spec.check()
        reader = spec.open()

        def score(pictures: Sequence[np.ndarray], items: Sequence[Item]) -> list[float]:
            seen = reader.read(pictures, self.one_line)
            return [
                float("nan") if s.lines is None else read_share(item.text, "".join(s.lines))
                for s, item in zip(seen, items, strict=True)
            ]

        return score


@dataclass(frozen=True)
class HttpReward(Reward):
    """A server that is sent ``{"items": [{"picture": PNG in base64, "prompt", "text"}]}`` and answers
    ``{"scores": [number or null, ...]}``, each within 0..1."""

    kind: Literal["http"]
    url: str
    timeout_s: float = 120.0

    def open(self) -> Scorer:
        if not self.url.startswith(("http://", "https://")):
            raise UserError(f"field 'rewards.url': '{self.url}'; an http or https URL is needed")
        return self._score

    def _score(self, pictures: Sequence[np.ndarray], items: Sequence[Item]) -> list[float]:
        sent = [
            {"picture": _png(picture), "prompt": item.prompt, "text": item.text}
            for picture, item in zip(pictures, items, strict=True)
        ]
        request = urllib.request.Request(
            self.url, json.dumps({"items": sent}).encode(), {"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=self.timeout_s) as response:
                scores = json.loads(response.read())["scores"]
            found = [float("nan") if score is None else float(score) for score in scores]
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise RunFailed(
                f"reward {self.url}: {error}; all steps before are saved with the last checkpoint, the same command goes on"
            ) from None
        if len(found) != len(items) or any(not (0 <= score <= 1) for score in found if score == score):
            raise RunFailed(f"reward {self.url}: {len(items)} scores within 0..1 are expected, found {found[:8]}")
        return found


def weighted(rewards: Sequence[Reward]) -> Scorer:
    """The weighted mean of all of them, NaN where one has none."""
    scorers = [reward.open() for reward in rewards]
    total = sum(reward.weight for reward in rewards)

    def score(pictures: Sequence[np.ndarray], items: Sequence[Item]) -> list[float]:
        each = [
            np.array(scorer(pictures, items)) * r.weight / total for scorer, r in zip(scorers, rewards, strict=True)
        ]
        return np.sum(each, axis=0).tolist()

    return score


def _png(picture: np.ndarray) -> str:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, "PNG")
    return base64.b64encode(out.getvalue()).decode()
