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

_GOLDEN = -0x61C88647  # 2^32 over the golden ratio, odd, as a signed number: neighbors end far apart
_LOW = 2**16  # bf16 is the upper half of an fp32


def parameter_key(name: str) -> int:
    """A number for a parameter's name, the same with and without the prefixes that wrappers add."""
    for prefix in ("_checkpoint_wrapped_module.", "_orig_mod.", "module."):
        name = name.replace(prefix, "")
    return zlib.crc32(name.encode())


def rounding_key(device: torch.device, key: Sequence[int]) -> Tensor:
    """() int32 on ``device``, for ``store``; equal keys round alike, on any device.

    ``key``: seed, step, parameter and part of it, so that a resumed run rounds as the undisturbed one does.
    """
    return torch.tensor(int(mix(*key) >> np.uint64(33)), dtype=torch.int32, device=device)


def wide_dtype(x: Tensor) -> torch.dtype:
    """fp32, or what is wider: the dtype in which ``x`` is computed with."""
    return torch.promote_types(x.dtype, torch.float32)


def widened(x: Tensor) -> Tensor:
    """``x`` in its ``wide_dtype``."""
    return x.to(wide_dtype(x))


def store(weights: Tensor, wide: Tensor, key: Tensor | None) -> None:
    """Write ``wide`` into ``weights`` of the same shape, in place: bf16 ones rounded by ``key`` (``rounding_key``).

    Numbers that bf16 has stay what they are; infinity and NaN too.
    """
    if key is not None:
        raised = (wide.view(torch.int32) + _chances(wide, key)).bitwise_and(-_LOW).view(torch.float32)
        wide = torch.where(wide.isfinite(), raised, wide)
    weights.copy_(wide)


def _chances(like: Tensor, key: Tensor) -> Tensor:
    """int32 below 2^16 of the shape of ``like``: MurmurHash3's finalizer (A. Appleby) over numbered places, from the key on.

    Worked out where it is needed: drawn beforehand, it would be read and written once more.
    """
    x = torch.arange(like.numel(), dtype=torch.int32, device=like.device).view(like.shape)
    x = (x * _GOLDEN) ^ key
    for shift, factor in ((16, -0x7A143595), (13, -0x3D4D51CB)):
        x = (x ^ _shifted(x, shift)) * factor
    return (x ^ _shifted(x, 16)).bitwise_and(_LOW - 1)


def _shifted(x: Tensor, bits: int) -> Tensor:
    """To the right, zeros coming in."""
    return (x >> bits).bitwise_and(2 ** (32 - bits) - 1)
