"""AdamW with both moments in 8 bits (T. Dettmers et al., 2022: 8-bit optimizers via block-wise quantization).

A block of up to 256 neighbors in a row shares a scale, its largest magnitude; each number is the code of the
nearest of 256 values, which lie dense near zero. Map and blocks are those of torchao's ``AdamW8bit``, against
which the tests hold this; three things differ, and are why it is not torchao's own:

- A second moment below 2.7e-7 of its block's largest is not taken to 0. Where the next gradient is 0 too, torchao
  divides by eps alone: with the 1e-15 that gradients this small need, a weight of its own ended at 8e8 in 20 steps.
- Codes and scales are plain tensors, cut as the weights are, so checkpoints cut them anew for other ranks along
  columns as well as rows (torchao's: rows only), and a resumed run rounds bf16 weights as the undisturbed one does.
- Vectors' moments are in fp32, also where weights are in bf16.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor

from trainer.optim.local import like, local
from trainer.optim.plans import Group, PlannedOptimizer, State, apply_adamw

_BLOCK = 256
_FEWEST = 4096  # weights of a parameter that is worth it, as in bitsandbytes and torchao
_NARROWEST = 32  # chosen: a block's scale then adds an eighth
_MOMENTS = {"exp_avg": True, "exp_avg_sq": False}  # name: whether it has a sign


def block_size(shape: torch.Size) -> int:
    """Numbers that share a scale, within a row of a matrix of this (whole) shape; 0: it is kept in fp32.

    A quarter of a row holds whole blocks: tensor parallel by 2 or 4 cuts none.
    """
    block = math.gcd(_BLOCK, shape[-1] // 4) if len(shape) == 2 and shape[-1] % 4 == 0 else 0
    return block if block >= _NARROWEST and shape.numel() >= _FEWEST else 0


class AdamW8bit(PlannedOptimizer):
    """Matrices' moments in 8 bits, those of vectors in fp32. ValueError where a rank's columns cut a block."""

    def new_state(self, parameter: Tensor) -> State:
        part, block = local(parameter), block_size(parameter.shape)
        if not block:
            zeros = torch.zeros_like(part, dtype=torch.float32)
            return {name: like(parameter, zeros.clone()) for name in _MOMENTS}
        if part.shape[1] % block:
            raise ValueError(
                f"plan adamw8bit: a matrix of {tuple(parameter.shape)} is cut to {part.shape[1]} columns, which are no "
                f"whole blocks of {block}: take a smaller tp"
            )
        scales = part.new_zeros((part.shape[0], part.shape[1] // block), dtype=torch.float32)
        state: State = {}
        for name, signed in _MOMENTS.items():
            codes = torch.full_like(part, _zero_code(signed), dtype=torch.uint8)
            state |= {f"{name}_codes": like(parameter, codes), f"{name}_scales": like(parameter, scales.clone())}
        return state

    def update(
        self, parameter: Tensor, weights: Tensor, gradient: Tensor, state: State, step: int, group: Group
    ) -> None:
        if not gradient.numel():
            return
        first = self._moved(state, "exp_avg", gradient, 1 - group["betas"][0])
        second = self._moved(state, "exp_avg_sq", gradient.square(), 1 - group["betas"][1])
        apply_adamw(weights, first, second, step, group)  # from the moments as they were before rounding to 8 bits

    def _moved(self, state: State, name: str, fresh: Tensor, weight: float) -> Tensor:
        """The moment in fp32 with ``fresh`` taken in; kept again in 8 bits."""
        if name in state:
            return state[name].lerp_(fresh, weight)
        codes, scales, signed = state[f"{name}_codes"], state[f"{name}_scales"], _MOMENTS[name]
        moment = dequantize(codes, scales, signed).lerp_(fresh, weight)
        quantize_into(codes, scales, moment, signed)
        return moment


def dequantize(codes: Tensor, scales: Tensor, signed: bool) -> Tensor:
    """(R, C) uint8 and (R, C / block) fp32 -> (R, C) fp32."""
    values = _values(signed, codes.device)[codes.int()]
    return values.view(*scales.shape, -1).mul_(scales.unsqueeze(-1)).view(codes.shape)


def quantize_into(codes: Tensor, scales: Tensor, wide: Tensor, signed: bool) -> None:
    """The inverse, to the nearest value; in place."""
    blocks = wide.view(*scales.shape, -1)
    scales.copy_(blocks.abs().amax(-1).clamp_min_(1e-12))  # zeros must not divide by zero
    unit = (blocks / scales.unsqueeze(-1)).view(wide.shape)
    nearest = torch.bucketize(unit, _middles(signed, wide.device), out_int32=True, right=True)
    codes.copy_(nearest if signed else nearest.clamp_min_(1))  # code 0 is the value 0: nothing to divide by


@cache
def _map(signed: bool) -> tuple[float, ...]:
    """256 values in -1..1 or 0..1: for every power of ten from 1e-6 to 1 twice as many as for the one before."""
    values = [0.0, 1.0]
    for power in range(7):
        ends = torch.linspace(0.1, 1, 2 ** (power if signed else power + 1) + 1)
        middles = (10.0 ** (power - 6) * (ends[:-1] + ends[1:]) / 2).tolist()
        values += middles + ([-x for x in middles] if signed else [])
    return tuple(sorted(values))


@cache
def _values(signed: bool, device: torch.device) -> Tensor:
    return torch.tensor(_map(signed), device=device)


@cache
def _middles(signed: bool, device: torch.device) -> Tensor:
    values = _values(signed, device)
    return values[:-1] + (values[1:] - values[:-1]) * 0.5


def _zero_code(signed: bool) -> int:
    return _map(signed).index(0.0)
