"""What a step does with its gradients: after the backward pass, or inside of it.

begin(step, lr) ──backward passes──> finish() -> norm ──guard──> apply(norm) or skip()
"""

from __future__ import annotations

from typing import NoReturn, Protocol

from torch import nn

from configs import RunFailed
from trainer.optim.backward import BackwardOptimizer
from trainer.optim.config import OptimizerConfig
from trainer.optim.optimizer import OptimizerGroup
from trainer.parallel.gradients import clip, gradient_norm, sum_over_heads
from trainer.parallel.network import Network
from trainer.parallel.world import World


class Update(Protocol):
    """Both ways."""

    def begin(self, step: int, lr: float) -> None: ...

    def finish(self) -> float:
        """The norm of all gradients before clipping."""
        ...

    def apply(self, norm: float) -> None: ...

    def skip(self) -> None: ...


def make_update(config: OptimizerConfig, network: Network, optimizer: OptimizerGroup, world: World) -> Update:
    """As ``config.in_backward`` says."""
    if config.in_backward:
        return _InBackward(network, optimizer, config.clip)
    return _AfterBackward(network, optimizer, config.clip, world)


class _AfterBackward:
    """All gradients are there before the first weight moves."""

    def __init__(self, network: Network, optimizer: OptimizerGroup, limit: float, world: World) -> None:
        self.network, self.optimizer, self.limit, self.world = network, optimizer, limit, world
        self.trained: list[nn.Parameter] = [p for p in network.model.parameters() if p.requires_grad]

    def begin(self, step: int, lr: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = lr

    def finish(self) -> float:
        sum_over_heads(self.network.by_heads, self.world)
        return gradient_norm(self.trained, self.world).item()

    def apply(self, norm: float) -> None:
        clip(self.trained, norm, self.limit)
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)

    def skip(self) -> None:
        self.optimizer.zero_grad(set_to_none=True)


class _InBackward:
    """Each block moves as soon as its gradients are there."""

    def __init__(self, network: Network, optimizer: OptimizerGroup, limit: float) -> None:
        self.stepper = BackwardOptimizer(network.model, optimizer, limit)

    def begin(self, step: int, lr: float) -> None:
        self.stepper.begin(step, lr)

    def finish(self) -> float:
        return self.stepper.finish()

    def apply(self, norm: float) -> None:
        """Done already."""

    def skip(self) -> NoReturn:
        raise RunFailed("optimizer.in_backward: a step that has moved weights cannot be skipped")
