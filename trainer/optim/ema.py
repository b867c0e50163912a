"""The averaged weights."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.distributed.fsdp import FSDPModule

from trainer.optim.local import local
from trainer.optim.offload import stored


class EMA:
    """Exponential moving average of the trained parameters in fp32 (fp64 for such), by name, cut over ranks as they are.

    ``decay``: None or 0 keep no average, and ``state`` is then the model's own. ``device``: where the averages
    live; None is where each parameter lives.
    """

    def __init__(self, model: nn.Module, decay: float | None, device: torch.device | str | None = None) -> None:
        self.decay = decay or 0.0
        self.before = 0
        """Steps that the averages had taken in when this training's first one began."""
        self.weights: dict[str, Tensor] = {
            n: stored(p).detach().to(device or stored(p).device, _wide(p), copy=True)
            for n, p in model.named_parameters()
            if p.requires_grad and self.decay
        }

    @torch.no_grad()
    def update(self, model: nn.Module, step: int) -> None:
        """Take in the weights after ``step``. The decay grows from 0.1: an average of the start is of no use."""
        taken = self.before + step
        decay = min(self.decay, (1 + taken) / (10 + taken))
        mine: list[Tensor] = []
        theirs: list[Tensor] = []
        for name, parameter in model.named_parameters():
            if name not in self.weights:
                continue
            average, weights = local(self.weights[name]), local(stored(parameter).detach())
            if average.device == weights.device and weights.dtype == average.dtype:
                mine.append(average)
                theirs.append(weights)
            else:  # one by one, so that a single copy exists at a time
                average.lerp_(weights.to(average.device).to(average.dtype), 1 - decay)
        if mine:
            torch._foreach_lerp_(mine, theirs, 1 - decay)

    @contextlib.contextmanager
    @torch.no_grad()
    def applied(self, model: nn.Module) -> Iterator[None]:
        """The model with averaged weights inside; afterwards both are as before.

        They change places one by one. Weights narrower than the averages wait on the host instead, for an average
        that has passed through them would be rounded.
        """
        held = {n: _exchanged(stored(p), self.weights[n]) for n, p in model.named_parameters() if n in self.weights}
        try:
            yield
        finally:
            for module in model.modules():
                if isinstance(module, FSDPModule):
                    module.reshard()  # a forward pass without a backward leaves the root's weights whole
            for name, parameter in model.named_parameters():
                if name in held:
                    _restored(stored(parameter), self.weights[name], held[name])

    def state(self, model: nn.Module) -> dict[str, Tensor]:
        """A whole state dict: averaged where there is an average, the model's own elsewhere."""
        return {**model.state_dict(), **self.weights}


def make_average(model: nn.Module, decay: float | None, where: str) -> EMA:
    """As ``OptimizerConfig.ema`` and ``ema_device`` say."""
    return EMA(model, decay, "cpu" if where == "host" else None)


def _wide(parameter: Tensor) -> torch.dtype:
    return torch.promote_types(parameter.dtype, torch.float32)


def _exchanged(weights: Tensor, average: Tensor) -> Tensor | None:
    """Put the average into the weights; returns them where the average cannot hold them meanwhile."""
    mine = weights.detach().clone()
    weights.copy_(average)
    if mine.dtype != average.dtype:
        return mine.cpu()
    average.copy_(mine)
    return None


def _restored(weights: Tensor, average: Tensor, held: Tensor | None) -> None:
    if held is None:
        _exchanged(weights, average)
    else:
        weights.copy_(held)
