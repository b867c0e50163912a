"""``python -m trainer grpo CONFIG OUT --init FOLDER``: raise the probability of what is rewarded (Flow-GRPO).

    prompts x group ──roll_out──> pictures ──rewards──> advantages within each group
                        └─ stochastic steps ──policy, reference──> clipped ratio, KL ──> weights

What step t draws and with which noise depends on (config, weights, t) alone: a killed training goes on as if it had not
been, up to the rounding of its reader.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import torch
from torch import Tensor

from configs import UserError
from configs.kinds import OpenKind
from model.checkpoint import check_folder
from model.latents import tokens_of
from model.qwen_image import QwenImage
from model.sample import Request
from trainer.evaluate.base import Item
from trainer.fingerprint import fingerprint
from trainer.monitor.metrics import Line
from trainer.parallel.world import alone
from trainer.post.advantage import advantages, clipped
from trainer.post.config import FREE, PostConfig
from trainer.post.flow_sde import divergence, log_probability
from trainer.post.policy import Policy
from trainer.post.prompts import PromptsConfig, load_prompts
from trainer.post.reward_models import HttpReward, Reward, TextReward, weighted
from trainer.post.rollout import Rollout, SamplerConfig, Taken, move_of, roll_out
from trainer.post.turns import rows_of
from trainer.rng import KeyedRandom
from trainer.setup import pick_device
from trainer.state.held import held
from trainer.state.kept_config import keep_config
from trainer.state.signals import StopRequest

AnyReward = Annotated[TextReward | HttpReward, OpenKind(Reward)]
_STUCK = 20
"""Steps in a row in which no group's rewards differ, after which it is told; chosen."""


@dataclass(frozen=True, kw_only=True)
class GrpoConfig(PostConfig):
    """``configs/train/grpo.yaml``. A step draws ``batch`` pictures, ``group`` of each prompt, ``micro_batch`` of them at a
    time, and learns from each of their stochastic steps ``passes`` times. ``clip``: of the ratio of probabilities; ``kl``:
    coefficient of the divergence from the reference."""

    rewards: tuple[AnyReward, ...]
    prompts: PromptsConfig = field(default_factory=PromptsConfig)
    sampler: SamplerConfig = field(default_factory=SamplerConfig)
    group: int = 8
    passes: int = 1
    clip: float = 1e-3
    kl: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.group < 2 or self.batch % self.group:
            raise ValueError(f"group: at least 2 and a divisor of batch = {self.batch}, found {self.group}")
        if not self.rewards or self.passes < 1 or self.clip <= 0 or self.kl < 0:
            raise ValueError("rewards: at least one; passes at least 1, clip above 0, kl at least 0")


def train_grpo(config: GrpoConfig, out: Path, init: Path) -> None:
    """Train into ``out`` from the pipeline folder ``init``; goes on where an earlier call stopped. Raises UserError before
    any work, RunFailed in the middle of it."""
    device = pick_device(config.device)
    base, items, scorer = check_folder(init), load_prompts(config.prompts), weighted(config.rewards)
    if config.batch // config.group > len(items):
        raise UserError(f"field 'batch': {config.batch // config.group} prompts a step, there are {len(items)}")
    with held(out, False):
        keep_config(config, {"base": fingerprint(base)}, out, FREE)
        training = _Grpo(config, items, scorer, Policy(config, base, out, alone(device)))
        with StopRequest() as stop:
            training.policy.run(training.step, stop)


class _Grpo:
    def __init__(self, config: GrpoConfig, items: Sequence[Item], scorer: Any, policy: Policy) -> None:
        self.config, self.items, self.scorer, self.policy = config, items, scorer, policy
        self._flat = 0

    def step(self, step: int) -> Line:
        """Draw, reward, learn: its line of metrics."""
        config = self.config
        prompts = config.batch // config.group
        chosen = np.repeat(rows_of(step, len(self.items), prompts, config.seed), config.group)
        rollouts, slots = self._roll_out(step, chosen)
        rewards = self._rewards(rollouts, chosen).reshape(prompts, config.group)
        advantage, flat = advantages(rewards)
        told = {"step": step, "phase": "grpo", **self._told(step, rewards, flat, prompts)}
        if flat == prompts:  # there is no gradient in it
            return {**told, "loss": 0.0, "kl": 0.0, "clipped": 0.0, "lr": 0.0, "grad_norm": 0.0}
        each = torch.from_numpy(advantage.reshape(-1)).float()
        found: dict[str, float] = {}
        for _ in range(config.passes):
            found = self._learn(step, rollouts, slots, each)
        return {**told, **found}

    def _roll_out(self, step: int, chosen: np.ndarray) -> tuple[list[Rollout], list[list[int]]]:
        config, policy = self.config, self.policy
        policy.model.eval()
        start, *rest = (
            KeyedRandom(config.seed, step * (config.sampler.steps + 1) + n, config.batch)
            for n in range(config.sampler.steps + 1)
        )
        width = config.micro_batch or config.batch
        slots = [list(range(i, min(i + width, config.batch))) for i in range(0, config.batch, width)]
        about = (config.sampler, policy.schedule, policy.autocast)
        rollouts = [
            roll_out(policy.model, [self._request(chosen[s], s, start) for s in part], part, rest, *about)
            for part in slots
        ]
        policy.model.train()
        return rollouts, slots

    def _request(self, row: int, slot: int, rng: KeyedRandom) -> Request:
        item = self.items[row]
        size = tokens_of(item.height, item.width)
        channels = self.policy.model.config.in_channels
        negative = self.policy.text(self.config.sampler.negative) if self.config.sampler.cfg > 1 else None
        return Request(self.policy.text(item.prompt), negative, rng.noise(slot, (size[0] * size[1], channels)), size)

    def _rewards(self, rollouts: Sequence[Rollout], chosen: np.ndarray) -> np.ndarray:
        """(batch,) NaN where a picture has none."""
        policy, items = self.policy, [self.items[row] for row in chosen]
        sampler = QwenImage(policy.model, policy.encoders.vae, policy.encoders.conditioner, policy.schedule)
        tokens = [t for rollout in rollouts for t in rollout.tokens]
        with torch.no_grad():
            made = sampler.decode(tokens, [tokens_of(item.height, item.width) for item in items])
        pictures = [(t.permute(1, 2, 0) * 255).round().to(torch.uint8).cpu().numpy() for t in made]
        return np.array(self.scorer(pictures, items), dtype=np.float64)

    def _told(self, step: int, rewards: np.ndarray, flat: int, groups: int) -> dict[str, float]:
        self._flat = self._flat + 1 if flat == groups else 0
        mean = float(np.nanmean(rewards)) if np.isfinite(rewards).any() else float("nan")
        if self._flat == _STUCK:
            self.policy.world.tell(
                f"step {step}: for {_STUCK} steps all pictures of a prompt had the same reward ({mean:.3f} now): nothing is "
                "learned; a reward that is always 1 is no reward, prompts that are never drawn right want an easier one"
            )
        return {"reward": mean, "flat_groups": flat, "unrewarded": int((~np.isfinite(rewards)).sum())}

    def _learn(
        self, step: int, rollouts: Sequence[Rollout], slots: Sequence[list[int]], advantage: Tensor
    ) -> dict[str, float]:
        config, sums = self.config, np.zeros(3)
        count = config.batch * (config.sampler.window[1] - config.sampler.window[0])
        for rollout, part in zip(rollouts, slots, strict=True):
            for taken in rollout.taken:
                loss, kl, cut = self._losses(rollout, taken, advantage[part].to(taken.x.device))
                ((loss + config.kl * kl).sum() / count).backward()
                sums += [float(each.detach().float().sum()) / count for each in (loss, kl, cut)]
        moved = self.policy.update(step, sums[0])
        return {"loss": sums[0] + config.kl * sums[1], "kl": sums[1], "clipped": sums[2], **moved}

    def _losses(self, rollout: Rollout, taken: Taken, advantage: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """(B,) each: the clipped objective, the divergence from the reference, whether the ratio is cut off."""
        policy, about = self.policy, (taken, self.config.sampler, self.policy.autocast)
        with policy.reference() as before:
            reference = move_of(rollout.packed, before, *about)
        move = move_of(rollout.packed, policy.model, *about)
        log_ratio = log_probability(taken.x_next, move) - taken.log_probability
        lengths = rollout.packed.lengths
        ratio = torch.stack([each.mean() for each in log_ratio.split(lengths)])
        kl = torch.stack([each.mean() for each in divergence(move, reference).split(lengths)])
        loss, cut = clipped(ratio, advantage, self.config.clip)
        return loss, kl, cut
