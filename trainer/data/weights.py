"""How much a sample's target tokens count in the loss: its folder's factor, and its mask. A packed dataset has neither."""

from __future__ import annotations

import contextlib
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from trainer.data.folder import Data
from trainer.data.mask import token_weights
from trainer.order.rows import column
from trainer.tasks.base import TargetKey

_KEPT = 4096
"""Masks of which the weights are remembered: 64 MB at 1,024 px (chosen). Decoding one anew takes as long as its picture,
whose latents are remembered."""
_COLUMNS = ("loss_weight", "masked")


@dataclass(frozen=True)
class LossWeights:
    """By manifest row; None where no row has any. ``outside``: weight of what a mask leaves black."""

    factors: np.ndarray | None
    masked: np.ndarray | None
    outside: float
    _known: OrderedDict[TargetKey, Tensor] = field(default_factory=OrderedDict)

    @classmethod
    def of_data(cls, data: Data, outside: float) -> LossWeights:
        there = [name for name in _COLUMNS if name in data.manifest_schema.names]
        if not there:
            return cls(None, None, outside)
        table = data.manifest(there)
        return cls(column(table, "loss_weight", np.float32, 1), column(table, "masked", np.bool_, False), outside)

    def of(self, target: TargetKey, tokens: int, mask: Callable[[], np.ndarray]) -> Tensor | None:
        """(tokens,) float32 of a target, None for ones; ``mask`` gives the mask, resized and cut as the target."""
        row = target.row
        factor = 1.0 if self.factors is None else float(self.factors[row])
        if self.masked is not None and self.masked[row]:
            return self._of_mask(target, mask) * factor
        return None if factor == 1 else torch.full((tokens,), factor)

    def _of_mask(self, target: TargetKey, mask: Callable[[], np.ndarray]) -> Tensor:
        """Several threads may ask: each dictionary operation is whole, and a mask read twice gives the same."""
        weights = self._known.pop(target, None)
        if weights is None:
            weights = torch.from_numpy(token_weights(mask(), self.outside))
        self._known[target] = weights
        if len(self._known) > _KEPT:
            with contextlib.suppress(KeyError):
                self._known.popitem(last=False)
        return weights
