"""What is kept for each weight, and the update that follows from it: one parameter at a time, in fp32.

    plan        kept for a matrix of R x C              bytes a weight
    adamw       both moments in fp32                    8
    adamw8bit   both moments in 8 bits (eight_bit.py)   2.03
    adafactor   means of squares by row and column      0.003 at the released width

These work on this rank's part of a parameter (``local.py``), so they do not mind how it is cut, and write bf16
weights by stochastic rounding. torch's own fused AdamW serves where neither is needed (``optimizer.py``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from trainer.optim.fused import fused
from trainer.optim.local import coordinate, like, local, sharded_dims, summed
from trainer.optim.offload import home_device, opened
from trainer.optim.rounding import parameter_key, rounding_key, store, wide_dtype, widened

Group = dict[str, Any]
State = dict[str, Tensor]


class Step(NamedTuple):
    """Of one update, all on the device. ``numbers``: what ``PlannedOptimizer.numbers`` gives; tensors, for a kernel is
    not compiled anew for other values. ``scale``: (), on the gradient. ``key``: of rounding, None where there is none."""

    numbers: Tensor
    scale: Tensor
    key: Tensor | None


class PlannedOptimizer(torch.optim.Optimizer):
    """Base of the plans. ``named``: all trained parameters by name, which keys the rounding of bf16 weights."""

    def __init__(
        self, groups: Iterable[Group], named: Mapping[str, Tensor], seed: int = 0, **defaults: float | tuple
    ) -> None:
        super().__init__(groups, dict(defaults))
        self.seed = seed
        self._keys = {id(parameter): parameter_key(name) for name, parameter in named.items()}

    @torch.no_grad()
    def step(self, closure: Any = None) -> None:  # type: ignore[override]
        """One update of every parameter that has a gradient."""
        for group in self.param_groups:
            for parameter in group["params"]:
                if parameter.grad is not None:
                    self.step_one(parameter, group)

    @torch.no_grad()
    def step_one(self, parameter: Tensor, group: Group, scale: Tensor | None = None) -> None:
        """Update one parameter from its gradient times ``scale``. Ranks that share it must call this in the same order."""
        with opened(parameter):
            # Detached, for the shapes of an nn.Parameter are always compiled in.
            weights, gradient = local(parameter).detach(), local(parameter.grad)  # type: ignore[arg-type]
            state = self.state[parameter]
            if not state:
                state.update(self._start(parameter))
            state["step"] += 1
            step = int(state["step"])
            # States of an offloaded block live on the host and come for the update alone.
            near = {name: local(kept).to(weights.device) for name, kept in state.items() if name != "step"}
            key = None
            if weights.dtype == torch.bfloat16:
                drawn = (self.seed, step, self._keys[id(parameter)], *coordinate(parameter))
                key = rounding_key(weights.device, drawn)
            numbers = _on_device((*self.numbers(group, step), 1.0), wide_dtype(weights), weights.device)
            self.update(
                parameter,
                weights,
                gradient,
                near,
                Step(numbers[:-1], numbers[-1] if scale is None else scale.to(numbers), key),
            )
            for name, tensor in near.items():
                if local(state[name]).device != tensor.device:
                    local(state[name]).copy_(tensor)

    def _start(self, parameter: Tensor) -> State:
        device = home_device(parameter)
        return {"step": torch.zeros(())} | {n: t.to(device) for n, t in self.new_state(parameter).items()}

    def new_state(self, parameter: Tensor) -> State:
        """Tensors kept for a parameter, cut as it is."""
        raise NotImplementedError

    def numbers(self, group: Group, step: int) -> tuple[float, ...]:
        """What ``update`` needs of rates and decays."""
        raise NotImplementedError

    def update(self, parameter: Tensor, weights: Tensor, gradient: Tensor, state: State, step: Step) -> None:
        """Change ``weights`` and ``state`` in place, in fp32. All are this rank's parts."""
        raise NotImplementedError

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """As torch's, but states keep their dtype: torch's would make them what the weights are, bf16."""
        super().load_state_dict({**state_dict, "state": {}})
        numbers = [number for group in state_dict["param_groups"] for number in group["params"]]
        parameters = [parameter for group in self.param_groups for parameter in group["params"]]
        for number, parameter in zip(numbers, parameters, strict=True):
            saved, device = state_dict["state"].get(number), home_device(parameter)
            if saved:
                self.state[parameter] = {n: t if n == "step" else t.to(device) for n, t in saved.items()}


class AdamW(PlannedOptimizer):
    """Both moments in fp32 (I. Loshchilov and F. Hutter, 2019), whatever the weights are stored in."""

    def new_state(self, parameter: Tensor) -> State:
        zeros = torch.zeros_like(local(parameter), dtype=wide_dtype(parameter))
        return {name: like(parameter, zeros.clone()) for name in ("exp_avg", "exp_avg_sq")}

    def numbers(self, group: Group, step: int) -> tuple[float, ...]:
        (beta1, beta2), lr = group["betas"], group["lr"]
        decay, rate, root = 1 - lr * group["weight_decay"], lr / (1 - beta1**step), (1 - beta2**step) ** 0.5
        return decay, rate, root, group["eps"], 1 - beta1, 1 - beta2

    def update(self, parameter: Tensor, weights: Tensor, gradient: Tensor, state: State, step: Step) -> None:
        _adamw(weights, gradient, state["exp_avg"], state["exp_avg_sq"], step)


@fused
def _adamw(weights: Tensor, gradient: Tensor, first: Tensor, second: Tensor, step: Step) -> None:
    wide = _scaled(gradient, step)
    first.lerp_(wide, step.numbers[4])
    second.lerp_(wide.square(), step.numbers[5])
    descend(weights, first, second, step)


def descend(weights: Tensor, first: Tensor, second: Tensor, step: Step) -> None:
    """Decay, then move ``weights`` by the corrected first moment over the root of the second. ``step``: of AdamW."""
    decay, rate, root, eps = step.numbers[:4].unbind()
    update = second.sqrt().div_(root).add_(eps).reciprocal_().mul_(first).mul_(rate)
    store(weights, (widened(weights) * decay).sub_(update), step.key)


class Adafactor(PlannedOptimizer):
    """The second moment of a matrix as row means times column means (N. Shazeer and M. Stern, 2018).

    No first moment; the update's root mean square is held to 1; decay 1 - step^-0.8. The rate is absolute, as
    AdamW's is, not relative to the weights' size (the paper's and torch's default), so one value serves all plans.
    ``eps``, squared, is the paper's eps1: 1e-30. Vectors keep their whole second moment.
    """

    def new_state(self, parameter: Tensor) -> State:
        part = local(parameter)
        if parameter.ndim != 2:
            return {"variance": like(parameter, torch.zeros_like(part, dtype=wide_dtype(part)))}
        row, column = (part.new_zeros(n, dtype=wide_dtype(part)) for n in part.shape)
        return {"row": like(parameter, row, kept_dim=0), "column": like(parameter, column, kept_dim=1)}

    def numbers(self, group: Group, step: int) -> tuple[float, ...]:
        return 1 - group["lr"] * group["weight_decay"], group["lr"], group["eps"] ** 2, step**-0.8

    def update(self, parameter: Tensor, weights: Tensor, gradient: Tensor, state: State, step: Step) -> None:
        scales = _factored if parameter.ndim == 2 else _whole
        row, column = scales(parameter, gradient, state, step)
        total = summed(_squared_update(gradient, row, column, step), parameter, sharded_dims(parameter))
        # On the device: asking for the number would wait for it, once for every parameter.
        _move(weights, gradient, row, column, (total / parameter.numel()).sqrt().clamp_min(1.0), step)


def _factored(parameter: Tensor, gradient: Tensor, state: State, step: Step) -> tuple[Tensor, Tensor]:
    """Takes the squares into row and column means, which ranks that hold other columns or rows share in: (R, 1) and
    (1, C), whose product is the variance."""
    rows, columns = parameter.shape
    by_row, by_column = _square_sums(gradient, step)
    by_row = summed(by_row, parameter, sharded_dims(parameter, 1)) / columns
    by_column = summed(by_column, parameter, sharded_dims(parameter, 0)) / rows
    row, column = (state[name].lerp_(by, step.numbers[3]) for name, by in (("row", by_row), ("column", by_column)))
    mean = summed(column.sum(), parameter, sharded_dims(parameter, 1)) / columns
    return (row / mean)[:, None], column[None]


def _whole(parameter: Tensor, gradient: Tensor, state: State, step: Step) -> tuple[Tensor, Tensor]:
    square = _scaled(gradient, step).square() + step.numbers[2]
    return state["variance"].lerp_(square, step.numbers[3]), torch.ones_like(step.scale)


def _scaled(gradient: Tensor, step: Step) -> Tensor:
    return widened(gradient) * step.scale


@fused
def _square_sums(gradient: Tensor, step: Step) -> tuple[Tensor, Tensor]:
    square = _scaled(gradient, step).square() + step.numbers[2]
    return square.sum(1), square.sum(0)


@fused
def _squared_update(gradient: Tensor, row: Tensor, column: Tensor, step: Step) -> Tensor:
    return (row * column).rsqrt_().mul_(_scaled(gradient, step)).square_().sum()


@fused
def _move(weights: Tensor, gradient: Tensor, row: Tensor, column: Tensor, divisor: Tensor, step: Step) -> None:
    decay, rate = step.numbers[:2].unbind()
    update = (row * column).rsqrt_().mul_(_scaled(gradient, step)).mul_(rate / divisor)
    store(weights, (widened(weights) * decay).sub_(update), step.key)


@lru_cache(maxsize=8)
def _on_device(numbers: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Once for all parameters of a step and group."""
    return torch.tensor(numbers, dtype=dtype, device=device)
