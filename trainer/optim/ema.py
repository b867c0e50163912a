"""The averaged weights."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn


class EMA:
    """Exponential moving average of the trained parameters, by name."""

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.decay = decay
        self.weights: dict[str, Tensor] = {
            n: p.detach().clone() for n, p in model.named_parameters() if p.requires_grad
        }

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights after ``step``. The decay grows from 0.1: an average of the start is of no use."""
        decay = min(self.decay, (1 + step) / (10 + step))
        mine = list(self.weights.values())
        theirs: list[Tensor] = [p for p in model.parameters() if p.requires_grad]
        torch._foreach_lerp_(mine, theirs, 1 - decay)

    @contextlib.contextmanager
    @torch.no_grad()
    def applied(self, model: nn.Module) -> Iterator[None]:
        """The model with averaged weights inside, one tensor at a time in a third place; afterwards it is as before."""
        self._exchange(model)
        try:
            yield
        finally:
            self._exchange(model)

    def _exchange(self, model: nn.Module) -> None:
        parameters = dict(model.named_parameters())
        for name, mean in self.weights.items():
            mine = parameters[name].detach().clone()
            parameters[name].copy_(mean)
            mean.copy_(mine)

    def state(self, model: nn.Module) -> dict[str, Tensor]:
        """A whole state dict: averaged where there is an average, the model's own elsewhere."""
        return {**model.state_dict(), **self.weights}
