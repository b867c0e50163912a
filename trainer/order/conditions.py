"""What conditions samples, in sizes and tokens: references for both encoders, and a bound of the text's tokens.

reference ──fitted_size(vae_area)─────> size that the VAE sees ──> image tokens after the target's
          ──fitted_size(vision_area)──> vision tokens ──┐
caption or instruction ──────────────> text tokens ─────┴──> condition tokens, at most
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from configs import UserError
from configs.prompts import CLOSING_TOKENS
from model.reference_sizes import VAE_AREA, VISION_AREA, fitted_size, vision_tokens
from model.templates import PICTURE_TOKENS, Style
from trainer.order.curriculum import ReferenceConfig
from trainer.order.rows import MAX_REFERENCES, Rows


@dataclass(frozen=True)
class Conditioning:
    """How the base model is told of references, and how long its texts may be.

    ``max_text_tokens``: hidden states of a text that are kept, vision tokens not counted. ``empty_tokens``: of the empty
    prompt; ``instruction_tokens``: of I2I's fixed instruction; both with the closing ones.
    """

    style: Style = "multi"
    max_text_tokens: int = 512
    empty_tokens: int = CLOSING_TOKENS + 1
    instruction_tokens: int = 32

    @property
    def most_references(self) -> int:
        """Of a sample."""
        return 1 if self.style == "single" else MAX_REFERENCES


class Conditions:
    """The sizes and tokens of a phase."""

    def __init__(self, rows: Rows, config: ReferenceConfig, conditioning: Conditioning) -> None:
        self.rows, self._conditioning = rows, conditioning
        self._vae_area = config.vae_area or VAE_AREA
        self._vision_area = config.vision_area or VISION_AREA[conditioning.style]

    def references(self, rows: np.ndarray, buckets: np.ndarray, tasks: np.ndarray) -> np.ndarray:
        """(n, 3, 2) int32 px at which the VAE sees each reference, zeros where there is none.

        An edit's are fitted to the area; a reconstruction's only reference is the target itself.
        """
        seen = np.zeros((len(rows), MAX_REFERENCES, 2), dtype=np.int32)
        edits = np.flatnonzero(tasks == "ti2i")
        if len(edits):
            seen[edits] = self._fitted(self.rows.references(rows[edits])[1], self._vae_area)
        same = tasks == "i2i"
        seen[same, 0] = buckets[same]
        return seen

    def text_tokens(self, rows: np.ndarray, buckets: np.ndarray, tasks: np.ndarray) -> np.ndarray:
        """(n,) int32: condition tokens at most, vision tokens included."""
        how = self._conditioning
        longest = self.rows.text_tokens
        text = np.full(len(rows), how.max_text_tokens) if longest is None else longest[rows].astype(np.int64)
        own = np.where(self.rows.own_instruction(rows), text, 0)
        text = np.where(tasks == "i2i", np.maximum(how.instruction_tokens, own), text)
        pictures = np.zeros((len(rows), MAX_REFERENCES, 2), dtype=np.int32)
        edits = np.flatnonzero(tasks == "ti2i")
        if len(edits):
            pictures[edits] = self.rows.references(rows[edits])[1]
        same = tasks == "i2i"
        pictures[same, 0] = buckets[same]
        announced = (pictures[:, :, 0] > 0).sum(axis=1) * PICTURE_TOKENS[how.style]
        kept = np.minimum(np.maximum(text, how.empty_tokens) + announced, how.max_text_tokens)
        return (kept + self._vision(pictures)).astype(np.int32)

    def _fitted(self, sizes: np.ndarray, area: int) -> np.ndarray:
        return _by_size(sizes, lambda w, h: fitted_size(w, h, area), 2)

    def _vision(self, sizes: np.ndarray) -> np.ndarray:
        """(n,) vision tokens of (n, 3, 2) px."""
        if not sizes.any():
            return np.zeros(len(sizes), dtype=np.int64)
        seen = self._fitted(sizes, self._vision_area)
        return _by_size(seen, lambda w, h: (vision_tokens(w, h),), 1)[..., 0].sum(axis=1)


def fits_encoders(sizes: np.ndarray) -> np.ndarray:
    """(n,) whether the encoders take all of (n, 3, 2) references."""

    def takes(width: int, height: int) -> tuple[int]:
        try:
            fitted_size(width, height, VAE_AREA)
        except UserError:
            return (0,)
        return (1,)

    found = _by_size(sizes, takes, 1)[..., 0]
    return ((found == 1) | (sizes == 0).all(axis=-1)).all(axis=1)


def _by_size(sizes: np.ndarray, of: Callable[[int, int], tuple[int, ...]], width: int) -> np.ndarray:
    """(..., width) int64 ``of`` every (..., 2) size in px, zeros for a size of zeros; each distinct one once."""
    flat = sizes.reshape(-1, 2).astype(np.int64)
    distinct, where = np.unique(flat[:, 0] << 32 | flat[:, 1], return_inverse=True)
    found = np.zeros((len(distinct), width), dtype=np.int64)
    for number, both in enumerate(distinct.tolist()):
        if both:
            found[number] = of(both >> 32, both & 0xFFFFFFFF)
    return found[where.reshape(-1)].reshape(*sizes.shape[:-1], width)
