"""Updates as a GPU runs them, compiled here for the CPU: the same weights, and few kernels for many shapes and rates."""

from __future__ import annotations

from types import ModuleType

import pytest
import torch
from torch._dynamo.utils import counters

from trainer.optim import eight_bit, plans
from trainer.optim.eight_bit import AdamW8bit
from trainer.optim.plans import Adafactor, AdamW, PlannedOptimizer

SHAPES = [(64, 3072), (128, 256), (96, 1024), (64, 64), (100,), (3072,), (3, 7)]
_FUSED = [(module, name) for module in (plans, eight_bit) for name in vars(module) if name.startswith("_")]


def trained(kind: type[PlannedOptimizer], dtype: torch.dtype) -> list[torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    parameters = [torch.nn.Parameter(torch.randn(s, generator=generator).to(dtype)) for s in SHAPES]
    settings = {} if kind is Adafactor else {"betas": (0.9, 0.95)}
    named = {str(i): p for i, p in enumerate(parameters)}
    optimizer = kind([{"params": parameters}], named, lr=1e-3, eps=1e-15, weight_decay=0.01, **settings)
    for step in range(4):
        optimizer.param_groups[0]["lr"] = 1e-3 * (step + 1)
        for parameter in parameters:
            parameter.grad = torch.randn(parameter.shape, generator=generator).to(dtype)
        optimizer.step()
    return [p.detach().float() for p in parameters]


def compiled(monkeypatch: pytest.MonkeyPatch, module: ModuleType, name: str) -> bool:
    function = getattr(getattr(module, name), "__wrapped__", None)
    if function is None or not hasattr(getattr(module, name), "__closure__"):  # of lru_cache, which has no closure
        return False
    monkeypatch.setattr(module, name, torch.compile(function, dynamic=True, fullgraph=True))
    return True


@pytest.mark.long
@pytest.mark.parametrize("kind", [AdamW, AdamW8bit, Adafactor])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_compiled_updates_are_the_same_and_few(kind, dtype, monkeypatch):
    plain = trained(kind, dtype)
    torch._dynamo.reset()
    counters.clear()
    functions = sum([compiled(monkeypatch, module, name) for module, name in _FUSED])
    assert functions == 5
    # A code of 8 bits may be the neighbor's where a division rounds otherwise: at most a step's length away.
    tolerance = 1e-2 if kind is AdamW8bit and dtype == torch.float32 else 1e-6
    for ours, theirs in zip(trained(kind, dtype), plain, strict=True):
        assert torch.allclose(ours, theirs, rtol=0, atol=tolerance)
    # A function has a graph for matrices and one for vectors, some another for square ones.
    assert 0 < counters["stats"]["unique_graphs"] <= 8
