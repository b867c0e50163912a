"""Elementwise functions as one kernel on a GPU.

Without it each operation of an update reads and writes all of a parameter: 8-bit AdamW then moves about 250 bytes for
a weight, and the kernel 20.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")


def fused(function: Callable[P, R]) -> Callable[P, R]:
    """``function`` compiled where its first argument, a tensor, is on a GPU; on a CPU as it stands.

    Its arguments are tensors or None: a plain number would compile it anew for each value. One kernel serves all shapes.
    """

    @cache
    def compiled() -> Callable[P, R]:  # when first needed: torch.compile imports its compiler, four seconds of a CPU
        return torch.compile(function, dynamic=True)

    @wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> R:
        first = args[0]
        assert isinstance(first, Tensor)
        return compiled()(*args, **kwargs) if first.is_cuda else function(*args, **kwargs)

    return call
