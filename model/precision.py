"""In what numbers a device multiplies: bfloat16 where it has kernels for it, float32 elsewhere.

A CPU without AVX512-BF16, AMX or Arm's BF16 multiplies bfloat16 matrices in torch by a scalar reference kernel,
10 to 50 times as slowly as float32 ones (``benchmarks/README.md``). There no product, convolution or attention
runs in bfloat16; what is only stored or updated element by element may stay in it.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import Any

import torch
from torch import nn

_WHY = "this CPU has no bf16 kernels (AVX512-BF16, AMX or Arm's BF16)"
WIDER = f"precision: bf16 is asked for and fp32 is used, because {_WHY}"
"""What a training on such a CPU says."""


def multiplies_bf16(device: torch.device | str) -> bool:
    """Whether products of bfloat16 matrices are fast on ``device``. Only CPUs are asked; others have units for it."""
    return torch.device(device).type != "cpu" or cpu_multiplies_bf16()


def cpu_multiplies_bf16() -> bool:
    """Whether torch's CPU kernels multiply bfloat16 with instructions for it.

    oneDNN is asked first, for it runs the products and may be held to older instructions than the CPU has. On x86
    it says yes to every AVX-512 and emulates where AVX512-BF16 is missing, so the CPU's own units are asked too.
    """
    try:
        told: Any = torch.ops.mkldnn._is_mkldnn_bf16_supported()
    except (AttributeError, RuntimeError):  # a torch without oneDNN has no other fast kernel
        return False
    if not told or platform.machine().lower() not in ("x86_64", "amd64"):
        return bool(told)
    units = torch.cpu.get_capabilities()
    held = "AVX512" not in torch.backends.cpu.get_cpu_capability()
    return not held and bool(units.get("avx512_bf16") or units.get("amx_bf16"))


def product_dtype(wanted: torch.dtype | None, device: torch.device | str) -> torch.dtype | None:
    """``wanted``, but float32 in place of a bfloat16 that ``device`` has no kernels for."""
    return torch.float32 if wanted == torch.bfloat16 and not multiplies_bf16(device) else wanted


def widen(device: torch.device | str, *modules: nn.Module) -> str | None:
    """Turn those of ``modules`` that hold bfloat16 to float32, in place, where ``device`` has no kernels for it.

    Returns the line that tells so, with the memory it takes, or None where nothing was turned.
    """
    narrow = [module for module in modules if any(p.dtype == torch.bfloat16 for p in module.parameters())]
    if not narrow or multiplies_bf16(device):
        return None
    before, after = _bytes(narrow), _bytes([module.float() for module in narrow])
    return (
        f"weights are bfloat16 and are computed in float32, because {_WHY}: they take {after / 1e9:.3f} GB "
        f"instead of {before / 1e9:.3f} GB"
    )


def _bytes(modules: Sequence[nn.Module]) -> int:
    return sum(parameter.nbytes for module in modules for parameter in module.parameters())
