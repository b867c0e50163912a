"""Watches what is multiplied, and in which numbers."""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

NAMES = ("mm", "mv", "matmul", "linear", "conv", "scaled_dot_product")
"""Parts of the names of ATen's products, fused and composed ones and their backward passes among them."""


class NoBfloat16(TorchDispatchMode):
    """While it is entered, a product of bfloat16 tensors on the CPU raises. ``seen``: names of all products.

    It watches the thread that entered it, where CPU backward passes run too.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__
        if any(part in name for part in NAMES):
            self.seen.add(name)
            tensors = [x for x in (*args, *(kwargs or {}).values()) if isinstance(x, torch.Tensor)]
            if any(x.dtype == torch.bfloat16 and x.device.type == "cpu" for x in tensors):
                raise AssertionError(f"{name} of bfloat16 on the CPU")
        return func(*args, **(kwargs or {}))

    def saw(self, *names: str) -> bool:
        """Whether for each of ``names`` a product was seen that has it in its own name."""
        return all(any(name in seen for seen in self.seen) for name in names)
