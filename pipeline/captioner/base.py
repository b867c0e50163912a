"""What stands behind a captioner: it answers questions about pictures and says that it has seen them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np


@dataclass(frozen=True)
class Question:
    """A picture, uint8 (H, W, 3), what is asked about it, and the part of that which is asked about every picture."""

    pixels: np.ndarray
    prompt: str
    common: str


@dataclass(frozen=True)
class Reply:
    """``text``: the answer. ``image_tokens``: tokens of the prompt that came from the picture, more than 0.
    ``fault``: why there is no answer, where this picture alone was refused."""

    text: str
    image_tokens: int
    fault: str | None = None


class Captioner(Protocol):
    """Raises RunFailed where no picture can be answered: then nothing of the batch is written."""

    def ask(self, questions: Sequence[Question]) -> list[Reply]: ...
