"""What a step of GRPO learns from: its part of the batch, drawn by given weights and rewarded.

Of (config, weights, step, places) alone, whoever draws and with whom else: the learner, or an actor beside it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from model.latents import tokens_of
from model.mmdit import MMDiT
from model.qwen_image import QwenImage, to_array
from model.sample import Request
from trainer.evaluate.base import Item
from trainer.post.grpo_config import GrpoConfig
from trainer.post.reward_models import Scorer
from trainer.post.rollout import Taken, roll_out
from trainer.post.turns import rows_of
from trainer.rng import KeyedRandom


@dataclass(frozen=True)
class Drawn:
    """The stochastic steps of pictures that were drawn together, and (n,) their rewards, NaN where there is none."""

    taken: list[Taken]
    rewards: np.ndarray


class Prompts:
    """Which picture of a step shows what. ``encode``: the condition (m, d) of a prompt."""

    def __init__(
        self, config: GrpoConfig, items: Sequence[Item], encode: Callable[[str], Tensor], channels: int
    ) -> None:
        self._config, self._items, self._encode, self._channels = config, items, encode, channels

    def items(self, step: int, places: Sequence[int]) -> list[Item]:
        """Those of ``places`` in the batch; the pictures of a group lie side by side."""
        config = self._config
        rows = rows_of(step, len(self._items), config.batch // config.group, config.seed)
        return [self._items[rows[place // config.group]] for place in places]

    def requests(self, step: int, places: Sequence[int]) -> list[Request]:
        """The same for the network, with the noise that they begin from."""
        rng, sampler = self.random(step)[0], self._config.sampler
        negative = self._encode(sampler.negative) if sampler.cfg > 1 else None
        found = []
        for place, item in zip(places, self.items(step, places), strict=True):
            height, width = tokens_of(item.height, item.width)
            noise = rng.noise(place, (height * width, self._channels))
            found.append(Request(self._encode(item.prompt), negative, noise, (height, width)))
        return found

    def random(self, step: int) -> list[KeyedRandom]:
        """A stream for the beginning, and one for each step of the ladder."""
        streams = self._config.sampler.steps + 1
        return [KeyedRandom(self._config.seed, step * streams + n, self._config.batch) for n in range(streams)]


class RolloutWorker:
    """Draws with ``sampler``'s network, whose weights the caller keeps up to date, and rewards by ``scorer``."""

    def __init__(
        self,
        config: GrpoConfig,
        prompts: Prompts,
        scorer: Scorer,
        sampler: QwenImage,
        autocast: torch.dtype | None,
    ) -> None:
        self._prompts, self._scorer, self._sampler = prompts, scorer, sampler
        self._about = (config.sampler, sampler.schedule, autocast)

    @torch.no_grad()
    def draw(self, step: int, places: Sequence[int]) -> Drawn:
        """The pictures at ``places`` of the batch. Raises RunFailed where one is not finite or nothing rewards them."""
        network: MMDiT = self._sampler.transformer
        network.eval()
        requests, noise = self._prompts.requests(step, places), self._prompts.random(step)[1:]
        rollout = roll_out(network, requests, places, noise, *self._about)
        network.train()
        pictures = [to_array(t) for t in self._sampler.decode(rollout.tokens, [r.size for r in requests])]
        rewards = self._scorer(pictures, self._prompts.items(step, places))
        return Drawn(rollout.taken, np.array(rewards, dtype=np.float64))
