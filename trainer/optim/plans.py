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
from typing import Any

import torch
from torch import Tensor

from trainer.optim.local import coordinate, like, local, sharded_dims, summed
from trainer.optim.offload import home_device, opened
from trainer.optim.rounding import parameter_key, round_into

Group = dict[str, Any]
State = dict[str, Tensor]


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
    def step_one(self, parameter: Tensor, group: Group) -> None:
        """Update one parameter from its gradient. Ranks that share it must call this in the same order."""
        with opened(parameter):
            weights, gradient = local(parameter), local(parameter.grad)  # type: ignore[arg-type]
            state = self.state[parameter]
            if not state:
                state.update(self._start(parameter))
            state["step"] += 1
            # States of an offloaded block live on the host and come for the update alone.
            near = {name: local(kept).to(weights.device) for name, kept in state.items() if name != "step"}
            wide = weights.float()  # the very tensor where weights are fp32
            self.update(parameter, wide, gradient.float(), near, int(state["step"]), group)
            if wide is not weights:
                key = (self.seed, int(state["step"]), self._keys[id(parameter)], *coordinate(parameter))
                round_into(weights, wide, key)
            for name, tensor in near.items():
                if local(state[name]).device != tensor.device:
                    local(state[name]).copy_(tensor)

    def _start(self, parameter: Tensor) -> State:
        device = home_device(parameter)
        return {"step": torch.zeros(())} | {n: t.to(device) for n, t in self.new_state(parameter).items()}

    def new_state(self, parameter: Tensor) -> State:
        """Tensors kept for a parameter, cut as it is."""
        raise NotImplementedError

    def update(
        self, parameter: Tensor, weights: Tensor, gradient: Tensor, state: State, step: int, group: Group
    ) -> None:
        """Change ``weights`` and ``state`` in place. All are this rank's parts; weights and gradient fp32."""
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
        zeros = torch.zeros_like(local(parameter), dtype=torch.float32)
        return {name: like(parameter, zeros.clone()) for name in ("exp_avg", "exp_avg_sq")}

    def update(
        self, parameter: Tensor, weights: Tensor, gradient: Tensor, state: State, step: int, group: Group
    ) -> None:
        first, second = state["exp_avg"], state["exp_avg_sq"]
        beta1, beta2 = group["betas"]
        first.lerp_(gradient, 1 - beta1)
        second.lerp_(gradient.square(), 1 - beta2)
        apply_adamw(weights, first, second, step, group)


def apply_adamw(weights: Tensor, first: Tensor, second: Tensor, step: int, group: Group) -> None:
    """Decay, then move ``weights`` by the corrected first moment over the root of the second, in place."""
    beta1, beta2 = group["betas"]
    deviation = second.sqrt().div_((1 - beta2**step) ** 0.5).add_(group["eps"])
    weights.mul_(1 - group["lr"] * group["weight_decay"])
    weights.addcdiv_(first, deviation, value=-group["lr"] / (1 - beta1**step))


class Adafactor(PlannedOptimizer):
    """The second moment of a matrix as row means times column means (N. Shazeer and M. Stern, 2018).

    No first moment; the update's root mean square is held to 1; decay 1 - step^-0.8. The rate is absolute, as
    AdamW's is, not relative to the weights' size (the paper's and torch's default), so one value serves all plans.
    ``eps``, squared, is the paper's eps1: 1e-30. Vectors keep their whole second moment.
    """

    def new_state(self, parameter: Tensor) -> State:
        part = local(parameter)
        if parameter.ndim != 2:
            return {"variance": like(parameter, torch.zeros_like(part, dtype=torch.float32))}
        row, column = (part.new_zeros(n, dtype=torch.float32) for n in part.shape)
        return {"row": like(parameter, row, kept_dim=0), "column": like(parameter, column, kept_dim=1)}

    def update(
        self, parameter: Tensor, weights: Tensor, gradient: Tensor, state: State, step: int, group: Group
    ) -> None:
        fresh = step**-0.8
        square = gradient.square().add_(group["eps"] ** 2)
        if parameter.ndim == 2:
            variance = _factored(parameter, square, state, fresh)
        else:
            variance = state["variance"].lerp_(square, fresh)
        update = gradient * variance.rsqrt()
        total = summed(update.square().sum(), parameter, sharded_dims(parameter))
        # On the device: asking for the number would wait for it, once for every parameter.
        update.div_((total / parameter.numel()).sqrt().clamp_min(1.0))
        weights.mul_(1 - group["lr"] * group["weight_decay"])
        weights.add_(update, alpha=-group["lr"])


def _factored(parameter: Tensor, square: Tensor, state: State, fresh: float) -> Tensor:
    """Takes the squares into row and column means, which ranks that hold other columns or rows share in."""
    rows, columns = parameter.shape
    by_row = summed(square.sum(1), parameter, sharded_dims(parameter, 1)) / columns
    by_column = summed(square.sum(0), parameter, sharded_dims(parameter, 0)) / rows
    row, column = state["row"].lerp_(by_row, fresh), state["column"].lerp_(by_column, fresh)
    mean = summed(column.sum(), parameter, sharded_dims(parameter, 1)) / columns
    return torch.outer(row / mean, column)
