"""``python -m trainer dpo CONFIG OUT --pairs DATASET --init FOLDER``: prefer the chosen picture of each pair.

    pairs.parquet ──step's pairs──> latents, condition ──one noise, one sigma──> policy and reference ──> loss

Which pairs, noise and sigma step t has depends on (config, pairs, t) alone: a killed training goes on as if it had not
been.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from configs import UserError
from configs.pictures import DecodeError, Limits, decode
from model.checkpoint import check_folder
from trainer.data.encoders import TensorCache, encode_pictures
from trainer.fingerprint import fingerprint
from trainer.loss import micro_batch, sample_losses
from trainer.monitor.metrics import Line
from trainer.parallel.world import alone
from trainer.post.config import FREE, PostConfig
from trainer.post.pairs_file import Pair, Pairs, read_pairs
from trainer.post.policy import Policy
from trainer.post.preference import preference
from trainer.post.turns import rows_of
from trainer.rng import SIGMA, KeyedRandom
from trainer.setup import pick_device
from trainer.state.held import held
from trainer.state.kept_config import keep_config
from trainer.state.signals import StopRequest
from trainer.tasks.base import Encoded, patches

_CACHE = 2 << 30
"""Bytes of latents that stay in memory; chosen."""


@dataclass(frozen=True, kw_only=True)
class DpoConfig(PostConfig):
    """``configs/train/dpo.yaml``. ``batch``: pairs a step. ``beta``: how far the policy may go from its reference: at 0
    it learns nothing, at 100 (a public proxy) a margin of 0.01 is still far from enough; chosen."""

    beta: float = 1000.0

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.beta <= 0:
            raise ValueError(f"beta: above 0, found {self.beta}")


def train_dpo(config: DpoConfig, out: Path, place: Path, init: Path) -> None:
    """Train into ``out`` from the pipeline folder ``init``, on the preference dataset at ``place``; goes on where an
    earlier call stopped. Raises UserError before any work, RunFailed in the middle of it."""
    device = pick_device(config.device)
    base, pairs = check_folder(init), read_pairs(place)
    with held(out, False):
        keep_config(config, {"pairs": pairs.digest, "base": fingerprint(base)}, out, FREE)
        training = _Dpo(config, pairs, Policy(config, base, out, alone(device)))
        with StopRequest() as stop:
            training.policy.run(training.step, stop)


class _Dpo:
    def __init__(self, config: DpoConfig, pairs: Pairs, policy: Policy) -> None:
        self.config, self.pairs, self.policy = config, pairs.pairs, policy
        self._latents = TensorCache(_CACHE)

    def step(self, step: int) -> Line:
        """One step: its line of metrics."""
        config, policy = self.config, self.policy
        chosen = rows_of(step, len(self.pairs), config.batch, config.seed)
        rng = KeyedRandom(config.seed, step, config.batch)
        sigma = torch.from_numpy(rng.uniform(SIGMA))  # t ~ U(0, 1), FACTS 3
        losses, margins = list[Tensor](), list[Tensor]()
        for slots in np.array_split(np.arange(config.batch), -(-config.batch // (config.micro_batch or config.batch))):
            found = self._pair_losses(chosen[slots], slots.tolist(), sigma, rng)
            (found[0].sum() / config.batch).backward()
            losses.append(found[0].detach())
            margins.append(found[1].detach())
        loss, margin = torch.cat(losses).mean(), torch.cat(margins)
        moved = policy.update(step, loss)
        told = {"step": step, "phase": "dpo", "loss": loss.item()}
        return {**told, "margin": margin.mean().item(), "preferred": (margin > 0).float().mean().item(), **moved}

    def _pair_losses(
        self, rows: np.ndarray, slots: list[int], sigma: Tensor, rng: KeyedRandom
    ) -> tuple[Tensor, Tensor]:
        """(loss, margin) of each pair; both of its pictures stand at the pair's slot, so they get the same noise."""
        policy = self.policy
        samples = [self._encoded(row, better) for better in (True, False) for row in rows.tolist()]
        device, autocast = policy.world.device, policy.autocast
        micro = micro_batch(samples, slots * 2, sigma, rng, device, autocast)
        with policy.reference() as before:
            reference = sample_losses(before, micro, autocast)
        found = preference(sample_losses(policy.model, micro, autocast), reference, self.config.beta)
        return found.loss, found.margin

    def _encoded(self, row: int, better: bool) -> Encoded:
        pair = self.pairs[row]
        latents = self._latents.get((row, better), lambda: self._encode(pair, better))  # ids may repeat
        return Encoded(self.policy.text(pair.prompt), (latents,), (patches((pair.width, pair.height)),))

    def _encode(self, pair: Pair, better: bool) -> Tensor:
        try:
            picture = decode(pair.chosen if better else pair.rejected, Limits())
        except DecodeError as error:
            raise UserError(f"--pairs: a picture of '{pair.id}' cannot be decoded: {error}") from None
        if picture.shape[:2] != (pair.height, pair.width) or pair.height % 16 or pair.width % 16:
            sizes = f"{picture.shape[1]} x {picture.shape[0]} px, its row says {pair.width} x {pair.height}"
            raise UserError(f"--pairs: a picture of '{pair.id}' has {sizes}; both must agree and be multiples of 16")
        return encode_pictures(self.policy.encoders, [picture])[0].float()
