"""Stochastic rounding from fp32 to bf16: up or down by chance, so that the mean is the number itself.

An update is often smaller than half the distance of two bf16 numbers (1/256 of the weight); rounded to the
nearest it would be lost, every time.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from trainer.order.draw import mix

_LOW = 2**16  # bf16 is the upper half of an fp32


def parameter_key(name: str) -> int:
    """A number for a parameter's name, the same with and without the prefixes that wrappers add."""
    for prefix in ("_checkpoint_wrapped_module.", "_orig_mod.", "module."):
        name = name.replace(prefix, "")
    return zlib.crc32(name.encode())


def draw_chance(weights: Tensor, key: Sequence[int]) -> Tensor:
    """int32 below 2^16, one for each of ``weights``; equal keys draw alike.

    ``key``: seed, step, parameter and part of it, so that a resumed run rounds as the undisturbed one does.
    """
    generator = torch.Generator(weights.device).manual_seed(int(mix(*key) >> np.uint64(1)))
    return torch.randint(_LOW, weights.shape, generator=generator, device=weights.device, dtype=torch.int32)


def wide_dtype(x: Tensor) -> torch.dtype:
    """fp32, or what is wider: the dtype in which ``x`` is computed with."""
    return torch.promote_types(x.dtype, torch.float32)


def widened(x: Tensor) -> Tensor:
    """``x`` in its ``wide_dtype``."""
    return x.to(wide_dtype(x))


def store(weights: Tensor, wide: Tensor, chance: Tensor | None) -> None:
    """Write ``wide`` into ``weights`` of the same shape, in place: bf16 ones rounded by ``chance`` (``draw_chance``).

    Numbers that bf16 has stay what they are; infinity and NaN too.
    """
    if chance is not None:
        raised = (wide.view(torch.int32) + chance).bitwise_and(-_LOW).view(torch.float32)
        wide = torch.where(wide.isfinite(), raised, wide)
    weights.copy_(wide)
