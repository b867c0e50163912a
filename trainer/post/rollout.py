"""Pictures by the policy, with the steps that it is judged for.

noise ──ODE──> ──SDE inside the window: x, where it led, with which probability──> ──ODE──> tokens
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from model.mmdit import MMDiT
from model.sample import Packed, Request
from model.schedule import ScheduleConfig
from trainer.post.flow_sde import Move, log_probability, sde_move
from trainer.rng import KeyedRandom


@dataclass(frozen=True)
class SamplerConfig:
    """``steps`` of a ladder from noise to picture; those from ``window``[0] to before ``window``[1] are stochastic, with
    ``a`` (0.7: the authors'), and are what is learnt from. ``cfg``, ``negative``: guidance; 1 is none, and half the
    work."""

    steps: int = 10
    window: tuple[int, int] = (0, 5)
    a: float = 0.7
    cfg: float = 1.0
    negative: str = " "

    def __post_init__(self) -> None:
        first, end = self.window
        if not 0 <= first < end <= self.steps - 1:
            raise ValueError(
                f"window: [first, end] within the {self.steps} steps but the last one, which has no noise to give; found "
                f"[{first}, {end}]"
            )
        if self.a <= 0:
            raise ValueError(f"a: above 0, found {self.a}")


@dataclass(frozen=True)
class Taken:
    """A stochastic step of a packed batch: (M, C) where it was and where it led, (B,) sigmas, (M,) log-probability."""

    x: Tensor
    x_next: Tensor
    sigma: Tensor
    sigma_next: Tensor
    log_probability: Tensor

    def to(self, device: torch.device) -> Taken:
        """The same there."""
        return Taken(*(each.to(device) for each in vars(self).values()))


@dataclass(frozen=True)
class Rollout:
    """Of some requests. ``tokens``: (n, C) of each picture."""

    tokens: list[Tensor]
    taken: list[Taken]


def move_of(packed: Packed, model: MMDiT, taken: Taken, config: SamplerConfig, autocast: torch.dtype | None) -> Move:
    """Where ``model`` would go from where the step was taken."""
    return _move(packed, model, taken.x, taken.sigma, taken.sigma_next, config, autocast)


@torch.no_grad()
def roll_out(
    model: MMDiT,
    requests: Sequence[Request],
    slots: Sequence[int],
    rng: Sequence[KeyedRandom],
    config: SamplerConfig,
    schedule: ScheduleConfig,
    autocast: torch.dtype | None,
) -> Rollout:
    """Draw ``requests``, which stand at ``slots`` of the step; ``rng``: a stream for each step of the ladder."""
    packed = Packed(model, requests)
    x, taken = packed.noise, list[Taken]()
    for number, (sigma, after) in enumerate(pairwise(packed.ladder(config.steps, schedule))):
        if config.window[0] <= number < config.window[1]:
            move = _move(packed, model, x, sigma, after, config, autocast)
            noise = [rng[number].noise(slot, (n, x.shape[1])) for slot, n in zip(slots, packed.lengths, strict=True)]
            x_next = move.mean + move.std * torch.cat(noise).to(x)
            taken.append(Taken(x, x_next, sigma, after, log_probability(x_next, move)))
            x = x_next
        else:
            velocity = _velocity(packed, model, x, sigma, config, autocast)
            x = x + (after - sigma)[packed.samples, None] * velocity
    return Rollout(list(x.split(packed.lengths)), taken)


def _move(
    packed: Packed,
    model: MMDiT,
    x: Tensor,
    sigma: Tensor,
    after: Tensor,
    config: SamplerConfig,
    autocast: torch.dtype | None,
) -> Move:
    velocity = _velocity(packed, model, x, sigma, config, autocast)
    t, t_next = (each[packed.samples, None].to(x) for each in (sigma, after))
    return sde_move(x, velocity, t, t_next, config.a)


def _velocity(
    packed: Packed, model: MMDiT, x: Tensor, sigma: Tensor, config: SamplerConfig, autocast: torch.dtype | None
) -> Tensor:
    with torch.autocast(x.device.type, autocast, enabled=autocast is not None):
        return packed.velocity(model, x, sigma, config.cfg)
