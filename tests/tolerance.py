"""How far apart two right computations may lie: what a tolerance follows from."""

from __future__ import annotations

import math

import torch

ROOM = 4.0
"""chosen: standard deviations. Kernels add in another order, fuse or do not; the largest of many errors counts."""


def rounding(summands: float, magnitude: float = 1.0, dtype: torch.dtype = torch.float32, layers: float = 1) -> float:
    """Error of ``layers`` sums in a row, each of ``summands`` terms, whose results are about ``magnitude``.

    One operation rounds by half an ulp at most, eps / 2. Errors of n of them walk at random, as sqrt(n) (N. Higham
    and T. Mary, 2019); both computations that are compared err, which is a factor of sqrt(2) within ROOM.
    """
    return ROOM * torch.finfo(dtype).eps / 2 * math.sqrt(summands * layers) * magnitude


def counting(share: float, draws: int) -> float:
    """How far a share among ``draws`` independent draws may lie from its expectation ``share``: four deviations.

    Draws of a fixed seed are the same on every machine; the bound says that a miss is no accident of that seed.
    """
    return ROOM * math.sqrt(share * (1 - share) / draws)
