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
from typing import NamedTuple

import torch
from torch import Tensor

from trainer.optim.fused import fused
from trainer.optim.local import like, local
from trainer.optim.plans import AdamW, State, Step, descend

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


class AdamW8bit(AdamW):
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

    def update(self, parameter: Tensor, weights: Tensor, gradient: Tensor, state: State, step: Step) -> None:
        if "exp_avg" in state:
            super().update(parameter, weights, gradient, state, step)
        elif gradient.numel():
            first, second = (
                Moment(state[f"{name}_codes"], state[f"{name}_scales"], *tables(signed, weights.device))
                for name, signed in _MOMENTS.items()
            )
            _adamw_8bit(weights, gradient, first, second, step)


class Moment(NamedTuple):
    """Codes (R, C) uint8 with scales (R, C / block) fp32, the values of the 256 codes and the 255 middles between."""

    codes: Tensor
    scales: Tensor
    values: Tensor
    middles: Tensor


@fused
def _adamw_8bit(weights: Tensor, gradient: Tensor, first: Moment, second: Moment, step: Step) -> None:
    wide, fresh = gradient.float() * step.scale.float(), step.numbers[4:].float()
    mean, square = dequantize(first).lerp(wide, fresh[0]), dequantize(second).lerp(wide.square(), fresh[1])
    quantize_into(first, mean, least=0)
    quantize_into(second, square, least=1)  # code 0 is the value 0: nothing to divide by
    descend(weights, mean, square, step)  # by the moments as they were before rounding to 8 bits


def dequantize(moment: Moment) -> Tensor:
    """(R, C) fp32."""
    codes, scales, values, _ = moment
    return (values[codes.int()].view(*scales.shape, -1) * scales.unsqueeze(-1)).view(codes.shape)


def quantize_into(moment: Moment, wide: Tensor, least: int) -> None:
    """The inverse, to the nearest value; in place. ``least``: the smallest code that is given."""
    blocks = wide.view(*moment.scales.shape, -1)
    largest = blocks.abs().amax(-1).clamp_min(1e-12)  # zeros must not divide by zero
    unit = (blocks / largest.unsqueeze(-1)).view(wide.shape)
    moment.scales.copy_(largest)
    moment.codes.copy_(torch.bucketize(unit, moment.middles, out_int32=True, right=True).clamp_min(least))


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
def tables(signed: bool, device: torch.device) -> tuple[Tensor, Tensor]:
    """The values of the codes, and the middles between them."""
    values = torch.tensor(_map(signed), device=device)
    return values, values[:-1] + (values[1:] - values[:-1]) * 0.5


def _zero_code(signed: bool) -> int:
    return _map(signed).index(0.0)
