"""The memory formulas against what is really allocated, on the CPU and along the code path of CUDA."""

from __future__ import annotations

import weakref
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.checkpoint import checkpoint

from model.layout import Size, make_layout
from model.memory import Setting, activation_bytes
from model.memory_plan import plan_memory
from model.mmdit import MMDiT, MMDiTConfig
from tests.model.reference import SMALL, batch

Batch = tuple[Sequence[int], Sequence[Sequence[Size]]]

ALIKE: Batch = ([16, 16], [[(8, 8)], [(8, 8)]])
RAGGED: Batch = ([16, 40], [[(8, 8)], [(6, 8)]])
REFERENCES: Batch = ([30, 12], [[(8, 8), (6, 8), (4, 4)], [(4, 16), (8, 7)]])
WORDY: Batch = ([300, 270], [[(4, 4)], [(4, 5)]])


class Live(TorchDispatchMode):
    """Bytes of the tensors made inside the context: those that live ``now``, and the most there were at once."""

    def __init__(self) -> None:
        super().__init__()
        self.now = self.peak = 0
        self.known: set[int] = set()

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = {_storage(x) for x in tree_leaves((args, kwargs)) if isinstance(x, Tensor)}
        results = function(*args, **(kwargs or {}))
        for x in tree_leaves(results):
            if isinstance(x, Tensor) and _storage(x) not in before | self.known:
                self._made(x)
        return results

    def _made(self, x: Tensor) -> None:
        storage, key = x.untyped_storage(), _storage(x)
        self.known.add(key)
        self.now += storage.nbytes()
        self.peak = max(self.peak, self.now)
        weakref.finalize(storage, self._gone, key, storage.nbytes())

    def _gone(self, key: int, count: int) -> None:
        self.known.discard(key)
        self.now -= count


def _storage(x: Tensor) -> int:
    return x.untyped_storage()._cdata


class _Varlen(torch.autograd.Function):
    """Stands in for the kernel: makes and keeps what FlashAttention does."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        out, logarithms = torch.empty_like(q), q.new_empty(q.shape[:2], dtype=torch.float32)
        ctx.save_for_backward(q, k, v, out, logarithms)
        return out

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, ...]:  # type: ignore[override]
        return tuple(torch.empty_like(x) for x in ctx.saved_tensors[:3])


@pytest.fixture(autouse=True)
def varlen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torch.nn.attention.varlen.varlen_attn", lambda q, k, v, *_: _Varlen.apply(q, k, v))


def measure(
    config: MMDiTConfig, sizes: Batch, dtype: torch.dtype, device: str, checkpointed: bool = False
) -> tuple[int, int]:
    """Bytes that live after the forward pass, and the most until the end of the backward pass.

    On the meta device, which takes every branch that CUDA takes and costs nothing at any size.
    """
    with torch.device(device):
        model = MMDiT(config).to(dtype)
    for parameter in model.parameters():
        parameter.grad = torch.zeros_like(parameter) if parameter.requires_grad else None
    for block in model.transformer_blocks if checkpointed else ():
        block.forward = _checkpointed(block.forward)  # type: ignore[method-assign]
    layout = make_layout(*sizes, "varlen" if device == "meta" else "rectangles").to(device)
    with Live() as live:
        with torch.device(device):
            inputs = batch(config, *sizes, dtype)
        out = model(*inputs, layout)
        kept = live.now
        out.backward(torch.empty_like(out))
    return kept, live.peak


def _checkpointed(forward: Any) -> Any:
    return lambda *args: checkpoint(forward, *args, use_reentrant=False)


def _tokens(sizes: Batch) -> tuple[int, int]:
    return sum(h * w for sample in sizes[1] for h, w in sample), sum(sizes[0])


@pytest.mark.parametrize(("dtype", "device"), [(torch.float32, "cpu"), (torch.bfloat16, "meta")])
@pytest.mark.parametrize("zero_cond_t", [False, True])
@pytest.mark.parametrize("sizes", [ALIKE, RAGGED, REFERENCES, WORDY], ids=["alike", "ragged", "references", "wordy"])
@pytest.mark.parametrize("layers", [1, 3])
def test_a_forward_pass_keeps_what_the_formula_says(
    layers: int, sizes: Batch, zero_cond_t: bool, dtype: torch.dtype, device: str
) -> None:
    config = replace(SMALL, num_layers=layers, zero_cond_t=zero_cond_t)
    kept, _ = measure(config, sizes, dtype, device)
    formula = activation_bytes(config, *_tokens(sizes), dtype.itemsize, alike=sizes is ALIKE)
    assert formula == pytest.approx(kept, rel=0.05)  # at width 64 tables per sample, which are left out, weigh most


@pytest.mark.parametrize("checkpointed", [False, True])
@pytest.mark.parametrize(
    "sizes",
    [
        ([256], [[(64, 64)]]),
        ([1450], [[(64, 64), (64, 64)]]),
        ([200, 90], [[(40, 40)], [(32, 48), (64, 64)]]),
        ([1024], [[(16, 16)]]),
    ],
    ids=["1024p", "edit", "ragged", "wordy"],
)
def test_the_released_width_peaks_little_above_the_formula(sizes: Batch, checkpointed: bool) -> None:
    """Above: gradients on their way through a block, at most six times D a token, and one weight's gradient."""
    config = MMDiTConfig(num_layers=6)
    kept, peak = measure(config, sizes, torch.bfloat16, "meta", checkpointed)
    tokens = _tokens(sizes)
    formula = activation_bytes(
        config, *tokens, checkpointing="full" if checkpointed else "none", alike=len(sizes[0]) == 1
    )
    weight = 6 * config.dim**2  # the modulation's, the largest there is
    assert 0 < peak - formula < 2 * (6 * sum(tokens) * config.dim + weight)
    if not checkpointed:
        assert formula == pytest.approx(kept, rel=0.01)  # the same at the released width


def test_one_more_checkpointed_block_keeps_its_input() -> None:
    four, five = (MMDiTConfig(num_layers=n) for n in (4, 5))
    sizes: Batch = ([1024], [[(16, 16)]])
    kept = [measure(config, sizes, torch.bfloat16, "meta", checkpointed=True)[0] for config in (four, five)]
    formula = [activation_bytes(config, 256, 1024, checkpointing="full", alike=True) for config in (four, five)]
    assert formula[1] - formula[0] == pytest.approx(kept[1] - kept[0], rel=0.01)


def test_tensor_parallel_divides_heads_and_mlp_alone() -> None:
    config = MMDiTConfig(num_layers=6)
    one, two, four = (activation_bytes(config, 4096, 256, alike=True, tp=n) for n in (1, 2, 4))
    assert (one - two) == pytest.approx(2 * (two - four), rel=1e-6)
    assert one - two == pytest.approx(6 * 15 / 2 * 2 * config.dim * 4352, rel=0.02)


@pytest.mark.parametrize("in_backward", [False, True])
def test_the_state_has_the_bytes_of_real_tensors(in_backward: bool) -> None:
    """What lives after a step of every plan: tests/trainer/test_memory_plan.py."""
    model = MMDiT(SMALL)
    trained = [p for p in model.parameters() if p.requires_grad]
    one, many = (
        plan_memory(model, SMALL, Setting(mode="fsdp", gpus=n, in_backward=in_backward), 64, 16) for n in (1, 8)
    )
    assert one.weights == sum(p.nbytes for p in model.parameters())
    assert one.average == sum(p.nbytes for p in trained)
    assert one.optimizer == 2 * one.average
    block = sum(p.nbytes for p in model.transformer_blocks[0].parameters()) // 4
    outside = one.weights // 4 - sum(p.nbytes for p in model.transformer_blocks.parameters()) // 4
    assert one.gradients == (4 * (block + outside) if in_backward else one.average)
    for name in ("weights", "gradients", "optimizer", "average"):
        assert getattr(many, name) == pytest.approx(getattr(one, name) / 8, rel=1e-3)
    assert one.in_flight == many.in_flight == 10 * block + 2 * outside
    assert many.state == many.weights + many.gradients + many.optimizer + many.average + many.in_flight + many.update
    assert many.peak == many.state + many.activations + many.passing
