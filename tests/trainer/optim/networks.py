"""A small network, its batches and its training by any plan; used by several tests of this folder."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from model.layout import Layout, make_layout
from model.mmdit import MMDiT, MMDiTConfig
from trainer.optim.backward import BackwardOptimizer
from trainer.optim.config import OptimizerConfig
from trainer.optim.offload import offload_blocks
from trainer.optim.optimizer import OptimizerGroup, make_optimizer
from trainer.optim.weights import store_in_bf16
from trainer.parallel.activation import Checkpointing, prepare_blocks

SMALL = MMDiTConfig(3, 4, 16, 64, axes_dims_rope=(4, 6, 6))
TEXTS, IMAGES = [7, 12], [[(4, 6)], [(4, 4)]]
Batch = tuple[Tensor, Tensor, Tensor]


def network() -> MMDiT:
    torch.manual_seed(0)
    return MMDiT(SMALL)


def layout() -> Layout:
    return make_layout(TEXTS, IMAGES)


def batches(steps: int, start: int = 0) -> Iterator[tuple[Batch, Tensor]]:
    """Inputs and a target that depends on them, the same for the same number."""
    for step in range(start, start + steps):
        generator = torch.Generator().manual_seed(step)
        image = torch.randn(40, SMALL.in_channels, generator=generator)
        text = torch.randn(19, SMALL.joint_attention_dim, generator=generator)
        yield (image, text, torch.rand(2, generator=generator)), 0.3 * torch.tanh(image.roll(1, 1))


class Training:
    """A training by ``config``, as a step of the trainer goes."""

    def __init__(self, config: OptimizerConfig, checkpointing: Checkpointing = "none", clip: float = 1e9) -> None:
        self.config, self.model, self.clip, self.done = config, network(), clip, 0
        if config.weights == "bf16":
            store_in_bf16(self.model, "cpu")
        offload_blocks(self.model, config.offload_blocks)
        prepare_blocks(self.model, checkpointing, compiled=False)
        self.optimizer: OptimizerGroup = make_optimizer(self.model, config, seed=5)
        self.stepper = BackwardOptimizer(self.model, self.optimizer, clip) if config.in_backward else None
        self.norms: list[float] = []

    def run(self, steps: int) -> list[float]:
        """Losses of the next steps."""
        losses = []
        for inputs, target in batches(steps, self.done):
            if self.stepper:
                self.stepper.begin(self.done, self.config.lr)
            loss = (self.model(*inputs, layout()).float() - target).square().mean()
            loss.backward()
            if self.stepper:
                self.norms.append(self.stepper.finish())
            else:
                self.optimizer.step()
                self.optimizer.zero_grad()
            losses.append(loss.item())
            self.done += 1
        return losses

    def weights(self) -> dict[str, Tensor]:
        return {name: tensor.clone() for name, tensor in self.model.state_dict().items()}


def apart(mine: dict[str, Tensor], theirs: dict[str, Tensor]) -> float:
    """Norm of the difference of all weights together."""
    return sum((mine[n].double() - theirs[n].double()).square().sum().item() for n in theirs) ** 0.5
