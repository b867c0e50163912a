"""How much a sample's target tokens count in the loss: its folder's factor, and its mask. A packed dataset has neither."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from trainer.data.folder import Data
from trainer.data.mask import token_weights
from trainer.order.rows import column

_COLUMNS = ("loss_weight", "masked")


@dataclass(frozen=True)
class LossWeights:
    """By manifest row; None where no row has any. ``outside``: weight of what a mask leaves black."""

    factors: np.ndarray | None
    masked: np.ndarray | None
    outside: float

    @classmethod
    def of_data(cls, data: Data, outside: float) -> LossWeights:
        there = [name for name in _COLUMNS if name in data.manifest_schema.names]
        if not there:
            return cls(None, None, outside)
        table = data.manifest(there)
        return cls(column(table, "loss_weight", np.float32, 1), column(table, "masked", np.bool_, False), outside)

    def of(self, row: int, tokens: int, mask: Callable[[], np.ndarray]) -> Tensor | None:
        """(tokens,) float32 of a target, None for ones; ``mask`` gives the mask, resized and cut as the target."""
        factor = 1.0 if self.factors is None else float(self.factors[row])
        if self.masked is not None and self.masked[row]:
            return torch.from_numpy(token_weights(mask(), self.outside)) * factor
        return None if factor == 1 else torch.full((tokens,), factor)
