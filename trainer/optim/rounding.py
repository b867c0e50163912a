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


def round_into(narrow: Tensor, wide: Tensor, key: Sequence[int]) -> None:
    """Round ``wide`` (fp32) into ``narrow`` (bf16) of the same shape, in place; equal keys round alike.

    ``key``: seed, step, parameter and part of it, so that a resumed run rounds as the undisturbed one does.
    Numbers that bf16 has stay what they are; infinity and NaN too.
    """
    generator = torch.Generator(wide.device).manual_seed(int(mix(*key) >> np.uint64(1)))
    chance = torch.randint(_LOW, wide.shape, generator=generator, device=wide.device, dtype=torch.int32)
    bits = wide.view(torch.int32)
    raised = bits.add(chance).bitwise_and_(-_LOW).view(torch.float32)
    narrow.copy_(torch.where(wide.isfinite(), raised, wide))
