"""Randomness of training: every number is a function of (seed, step, slot), never of a process or an order of calls."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from trainer.order.draw import mix

CAPTION, DROPOUT, SIGMA, NOISE, LORA_DROPOUT = range(5)
"""What a number is for; each purpose has its own stream."""


@dataclass(frozen=True)
class KeyedRandom:
    """The random numbers of one step's ``slots`` samples."""

    seed: int
    step: int
    slots: int

    def uniform(self, purpose: int) -> np.ndarray:
        """(slots,) float64 in [0, 1)."""
        return (self._bits(purpose) >> np.uint64(11)).astype(np.float64) / 2.0**53

    def normal(self, purpose: int) -> np.ndarray:
        """(slots,) float64 of the standard normal, by Box and Muller."""
        radius = np.sqrt(-2 * np.log1p(-self.uniform(purpose)))
        return radius * np.cos(2 * np.pi * self.uniform(purpose + 100))

    def noise(self, slot: int, shape: tuple[int, ...]) -> Tensor:
        """fp32 standard normal noise of one slot, on the CPU whatever trains."""
        generator = torch.Generator("cpu").manual_seed(int(self._noise_seeds[slot]))
        return torch.randn(shape, generator=generator)

    @cached_property
    def _noise_seeds(self) -> np.ndarray:
        return self._bits(NOISE) >> np.uint64(1)

    def _bits(self, purpose: int) -> np.ndarray:
        return mix(self.seed, self.step, purpose, np.arange(self.slots))
