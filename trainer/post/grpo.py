"""``python -m trainer grpo CONFIG OUT --init FOLDER``: raise the probability of what is rewarded (Flow-GRPO).

    prompts x group ──RolloutWorker──> pictures, rewards ──> advantages within each group
                        └─ stochastic steps ──policy, reference──> clipped ratio, KL ──> weights

What step t draws and with which noise depends on (config, weights, t) alone: a killed training goes on as if it had not
been, up to the rounding of its reader.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from configs import UserError
from model.checkpoint import check_folder
from model.mmdit import MMDiT
from model.qwen_image import QwenImage
from model.sample import Packed
from trainer.fingerprint import fingerprint
from trainer.monitor.metrics import Line
from trainer.parallel.world import alone
from trainer.post.advantage import advantages, clipped
from trainer.post.config import FREE
from trainer.post.flow_sde import Move, divergence, log_probability
from trainer.post.grpo_config import GrpoConfig
from trainer.post.policy import Policy
from trainer.post.prompts import load_prompts
from trainer.post.reward_models import weighted
from trainer.post.rollout import Taken, move_of
from trainer.post.rollout_actors import RolloutActors
from trainer.post.rollout_worker import Drawn, Prompts, RolloutWorker
from trainer.setup import pick_device
from trainer.state.held import held
from trainer.state.kept_config import keep_config
from trainer.state.signals import StopRequest

_STUCK = 20
"""Steps in a row in which no group's rewards differ, after which it is told; chosen."""


def train_grpo(config: GrpoConfig, out: Path, init: Path) -> None:
    """Train into ``out`` from the pipeline folder ``init``; goes on where an earlier call stopped. Raises UserError before
    any work, RunFailed in the middle of it."""
    device = pick_device(config.device)
    base, items, scorer = check_folder(init), load_prompts(config.prompts), weighted(config.rewards)
    if config.batch // config.group > len(items):
        raise UserError(f"field 'batch': {config.batch // config.group} prompts a step, there are {len(items)}")
    with held(out, False), contextlib.ExitStack() as stack:
        keep_config(config, {"base": fingerprint(base)}, out, FREE)
        policy = Policy(config, base, out, alone(device))
        prompts = Prompts(config, items, policy.text, policy.model.config.in_channels)
        if config.workers.count:
            actors = RolloutActors(config, base, items)
            stack.callback(actors.close)
            draw = partial(actors.draw, weights=policy.trained)
        else:
            sampler = QwenImage(policy.model, policy.encoders.vae, policy.encoders.conditioner, policy.schedule)
            worker = RolloutWorker(config, prompts, scorer, sampler, policy.autocast)
            draw = partial(_draw_here, worker)
        training = _Grpo(config, policy, prompts, draw)
        with StopRequest() as stop:
            policy.run(training.step, stop)


def _draw_here(worker: RolloutWorker, step: int, parts: Sequence[range]) -> list[Drawn]:
    return [worker.draw(step, part) for part in parts]


class _Grpo:
    def __init__(
        self, config: GrpoConfig, policy: Policy, prompts: Prompts, draw: Callable[[int, Sequence[range]], list[Drawn]]
    ) -> None:
        self.config, self.policy, self.prompts, self.draw = config, policy, prompts, draw
        self._flat = 0

    def step(self, step: int) -> Line:
        """Draw, reward, learn: its line of metrics."""
        config, parts = self.config, self.config.parts()
        groups = config.batch // config.group
        drawn = self.draw(step, parts)
        rewards = np.concatenate([each.rewards for each in drawn]).reshape(groups, config.group)
        advantage, flat = advantages(rewards)
        told = {"step": step, "phase": "grpo", **self._told(step, rewards, flat, groups)}
        if flat == groups:  # there is no gradient in it
            return {**told, "loss": 0.0, "kl": 0.0, "clipped": 0.0, "lr": 0.0, "grad_norm": 0.0}
        found = [self._part(step, *each, advantage.reshape(-1)) for each in zip(parts, drawn, strict=True)]
        return {**told, **self._learn(step, found)}

    def _part(self, step: int, places: range, drawn: Drawn, advantage: np.ndarray) -> _Part:
        device = self.policy.world.device
        packed = Packed(self.policy.model, self.prompts.requests(step, places))
        mine = torch.from_numpy(advantage[places.start : places.stop]).float()
        return _Part(packed, [taken.to(device) for taken in drawn.taken], mine.to(device))

    def _told(self, step: int, rewards: np.ndarray, flat: int, groups: int) -> dict[str, float]:
        self._flat = self._flat + 1 if flat == groups else 0
        mean = float(np.nanmean(rewards)) if np.isfinite(rewards).any() else float("nan")
        if self._flat == _STUCK:
            self.policy.world.tell(
                f"step {step}: for {_STUCK} steps all pictures of a prompt had the same reward ({mean:.3f} now): nothing is "
                "learned; a reward that is always 1 is no reward, prompts that are never drawn right want an easier one"
            )
        return {"reward": mean, "flat_groups": flat, "unrewarded": int((~np.isfinite(rewards)).sum())}

    def _learn(self, step: int, parts: Sequence[_Part]) -> dict[str, float]:
        """Move the weights ``passes`` times; what is told is of the last pass."""
        config, found = self.config, dict[str, float]()
        count = config.batch * (config.sampler.window[1] - config.sampler.window[0])
        with self.policy.reference() as before:
            references = [[self._move(part, taken, before) for taken in part.taken] for part in parts]
        for _ in range(config.passes):
            sums = np.zeros(3)
            for part, moves in zip(parts, references, strict=True):
                for taken, reference in zip(part.taken, moves, strict=True):
                    loss, kl, cut = self._losses(part, taken, reference)
                    ((loss + config.kl * kl).sum() / count).backward()
                    sums += [float(each.detach().float().sum()) / count for each in (loss, kl, cut)]
            moved = self.policy.update(step, sums[0])
            found = {"loss": sums[0] + config.kl * sums[1], "kl": sums[1], "clipped": sums[2], **moved}
        return found

    def _losses(self, part: _Part, taken: Taken, reference: Move) -> tuple[Tensor, Tensor, Tensor]:
        """(B,) each: the clipped objective, the divergence from the reference, whether the ratio is cut off."""
        move, lengths = self._move(part, taken, self.policy.model), part.packed.lengths
        log_ratio = log_probability(taken.x_next, move) - taken.log_probability
        ratio = torch.stack([each.mean() for each in log_ratio.split(lengths)])
        kl = torch.stack([each.mean() for each in divergence(move, reference).split(lengths)])
        loss, cut = clipped(ratio, part.advantage, self.config.clip)
        return loss, kl, cut

    def _move(self, part: _Part, taken: Taken, model: MMDiT) -> Move:
        return move_of(part.packed, model, taken, self.config.sampler, self.policy.autocast)


@dataclass(frozen=True)
class _Part:
    """Of the batch: its requests, the stochastic steps of their pictures, (B,) how much better than its group each is."""

    packed: Packed
    taken: Sequence[Taken]
    advantage: Tensor
