"""The optimizer inside the backward pass: a block is clipped and stepped as soon as its gradients are complete.

    backward pass:  ... block 2 -> norm, clip, step, gradients freed -> block 1 -> norm, clip, step, freed -> ...

One block's gradients exist at a time instead of the model's (40.9 GB in bf16 for the released one). What that costs:
the norm of all gradients is known only at the end, so each block is clipped by its own; gradients of several
micro-batches cannot be added up; and where a block turns out not to be finite, those behind it have moved already.

A training step uses it so:

    stepper.begin(step, lr)
    loss.backward()              # once
    norm = stepper.finish()      # of all gradients before clipping; no optimizer.step(), no zero_grad()

Under FSDP2 make it after ``fully_shard``: the hooks then run on reduced shards, as each block's reduction ends.
What else must happen to a gradient before the update is a post-accumulate-grad hook registered earlier.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from configs import RunFailed
from trainer.optim.local import local, sharded_dims, summed
from trainer.optim.optimizer import OptimizerGroup
from trainer.optim.plans import PlannedOptimizer


class BlockNotFinite(RunFailed):
    """A block's gradient is not, while blocks behind it have been stepped."""


class BackwardOptimizer:
    """Steps ``optimizer`` block by block from hooks on the parameters of ``model``.

    ``clip``: the largest norm of a block's gradients; layers outside the blocks count as one. ``finish`` and the
    backward pass raise BlockNotFinite for gradients that are not finite, and RunFailed for a second backward pass in a
    step.
    """

    def __init__(self, model: nn.Module, optimizer: OptimizerGroup, clip: float) -> None:
        self.optimizer, self.clip = optimizer, clip
        # By number: restoring a checkpoint puts other dictionaries in the groups' places.
        self._owner = {
            id(p): (part, number)
            for part in optimizer.parts
            for number, group in enumerate(part.param_groups)
            for p in group["params"]
        }
        self._units: dict[str, list[nn.Parameter]] = {}
        for name, parameter in model.named_parameters():
            if parameter.requires_grad:
                unit = unit_of(name)
                self._units.setdefault(unit, []).append(parameter)
                parameter.register_post_accumulate_grad_hook(lambda _, unit=unit: self._arrived(unit))
        self._step: int | None = None
        self._missing: dict[str, int] = {}
        self._squares: list[tuple[str, Tensor]] = []
        self._norms: list[float] = []

    def begin(self, step: int, lr: float) -> None:
        """Before the backward pass of ``step``, whose updates have the rate ``lr``."""
        for group in self.optimizer.param_groups:
            group["lr"] = lr
        self._step, self._squares, self._norms = step, [], []
        self._missing = {unit: len(parameters) for unit, parameters in self._units.items()}

    def finish(self) -> float:
        """After it: steps what got only some gradients. Returns the norm of all gradients before clipping."""
        for unit, missing in self._missing.items():
            if missing:
                self._step_unit(unit)
        self._step = None
        self._look(len(self._squares))
        return math.hypot(*self._norms)

    def _arrived(self, unit: str) -> None:
        if self._step is None or self._missing[unit] == 0:
            raise RunFailed(
                "optimizer.in_backward: a second backward pass within a step, whose first has moved the weights "
                "already: gradients cannot be added up; leave max_micro_batch_tokens null or set in_backward to false"
            )
        self._missing[unit] -= 1
        if self._missing[unit] == 0:
            self._step_unit(unit)

    @torch.no_grad()
    def _step_unit(self, unit: str) -> None:
        parameters = [p for p in self._units[unit] if p.grad is not None]
        self._missing[unit] = 0
        if not parameters:
            return
        square = squared_norm(parameters)
        self._squares.append((unit, square))
        # A GPU's queue must not run empty: there a block is looked at while the next one is computed.
        self._look(len(self._squares) - (1 if square.is_cuda else 0))
        scale = self.clip / square.sqrt().clamp_min(self.clip)
        for parameter in parameters:
            part, number = self._owner[id(parameter)]
            assert isinstance(part, PlannedOptimizer)  # OptimizerConfig refuses the others
            part.step_one(parameter, part.param_groups[number], scale)
            parameter.grad = None

    def _look(self, count: int) -> None:
        """Wait for the norms of the first ``count`` blocks that were stepped; all are finite."""
        for unit, square in self._squares[len(self._norms) : count]:
            norm = math.sqrt(square.item())
            if not math.isfinite(norm):
                raise BlockNotFinite(f"the gradient of {unit} is not finite ({norm})")
            self._norms.append(norm)


def unit_of(name: str) -> str:
    """What is stepped together: ``transformer_blocks.3.attn.to_q.weight`` -> ``transformer_blocks.3``."""
    parts = name.split(".")
    if "transformer_blocks" not in parts:
        return "the layers outside the blocks"
    at = parts.index("transformer_blocks")
    return ".".join(parts[at : at + 2])


def squared_norm(parameters: Sequence[Tensor]) -> Tensor:
    """(): sum of squares of all gradients (at least one), over all ranks that hold parts of them; on their device."""
    sums: dict[tuple[object, tuple[int, ...]], tuple[Tensor, list[Tensor]]] = {}
    for parameter in parameters:
        dims = sharded_dims(parameter)
        key = (getattr(parameter, "device_mesh", None), dims)
        sums.setdefault(key, (parameter, []))[1].append(local(parameter.grad))  # type: ignore[arg-type]
    totals = [summed(_squares(parts), parameter, dims) for (_, dims), (parameter, parts) in sums.items()]
    return torch.stack(totals).sum()


def _squares(parts: list[Tensor]) -> Tensor:
    wide = torch.promote_types(parts[0].dtype, torch.float32)
    return torch.stack([torch.linalg.vector_norm(part, dtype=wide) for part in parts]).square().sum()
