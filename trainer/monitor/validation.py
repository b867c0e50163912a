"""The loss on held-out rows, always of the same samples with the same noise, so that its changes are the model's.

Sigmas are spread evenly over the density that training draws them from (a sample in each of n equal shares of it), and
no prompt is dropped: few samples give a steady mean. All ranks measure together, as they train.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from model.schedule import ScheduleConfig, mu, shift
from trainer.config import FitConfig
from trainer.data.loader import Loader, Prepared
from trainer.loss import MicroBatch, Precision, micro_batch, sample_losses
from trainer.monitor.metrics import Line, strict
from trainer.order.held_out import HeldOut
from trainer.parallel.world import World
from trainer.rng import KeyedRandom

_OTHER_SEED = 1 << 32
"""Added to the training's seed, so that no noise of a training step is drawn again."""


class Validation:
    """Held-out batches and their noise. ``loader``: makes one from a config, for ``held_out`` and this rank."""

    def __init__(
        self, config: FitConfig, held_out: HeldOut, loader: Callable[[FitConfig], Loader], schedule: ScheduleConfig
    ) -> None:
        undropped = replace(config.objective, dropout=0.0)
        self.config = replace(config, seed=config.seed + _OTHER_SEED, objective=undropped)
        self.held_out, self.loader = held_out, loader(self.config)
        self.sigmas = _spread(self.config, held_out, schedule)

    @torch.no_grad()
    def measure(
        self, call: nn.Module, world: World, dummy: Callable[[], MicroBatch], product: Precision, autocast: Precision
    ) -> Line:
        """``validation_loss`` and ``validation_loss_by_task`` of ``call``, null where they are not finite; ``dummy``: what
        a rank without samples runs."""
        losses: list[float] = []
        for prepared, sigma in zip(self.loader.batches(0), self.sigmas, strict=True):
            mine = torch.zeros(len(sigma), dtype=torch.float64, device=world.device)
            for slots, micro in self._micro_batches(prepared, sigma, world, dummy, product):
                found = sample_losses(call, micro, autocast)
                if slots:
                    mine[slots] = found.double()
            losses += world.gather(mine, False)[0]
        values = np.array(losses)
        tasks = np.concatenate([batch.tasks for batch in self.held_out.batches])
        by_task = {str(task): float(values[tasks == task].mean()) for task in np.unique(tasks)}
        return strict({"validation_loss": float(values.mean()), "validation_loss_by_task": by_task})

    def _micro_batches(
        self, prepared: Prepared, sigma: Tensor, world: World, dummy: Callable[[], MicroBatch], dtype: Precision
    ) -> Iterator[tuple[list[int], MicroBatch]]:
        rng = KeyedRandom(self.config.seed, prepared.batch.step, len(sigma))
        for slots in prepared.slots:
            samples = [prepared.samples[slot] for slot in slots]
            yield slots, micro_batch(samples, slots, sigma, rng, world.device, dtype) if slots else dummy()


def _spread(config: FitConfig, held_out: HeldOut, schedule: ScheduleConfig) -> list[Tensor]:
    """(samples,) float64 sigma of each batch: the middles of equal shares of the density, in a mixed order."""
    count, objective = held_out.samples, config.objective
    middles = (np.random.default_rng(config.seed).permutation(count) + 0.5) / count
    normal = torch.special.ndtri(torch.from_numpy(middles))
    raw = torch.sigmoid(objective.sigma_mean + objective.sigma_std * normal)
    sizes = [len(batch.rows) for batch in held_out.batches]
    shifts = [[mu(int(n), schedule) for n in batch.target_tokens] for batch in held_out.batches]
    return [shift(r, torch.tensor(s, dtype=torch.float64)) for r, s in zip(raw.split(sizes), shifts, strict=True)]
