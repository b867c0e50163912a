"""From a batch of row numbers to tensors: cut, read, decode, resize, encode, a few batches ahead of the step.

    Order.batch(t) ──split──> this rank's slots ──read──> pictures, prompts ──Task.encode──> Prepared
                                                                     └ a few samples at once

The cut comes first and needs lengths alone, so that a rank reads, decodes and encodes only what it trains on. The
loader's whole state is the step: ``prepare(t)`` gives the same tensors whenever it is called.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np
import torch

from configs import RunFailed
from pipeline.dataset import Texts
from trainer.config import FitConfig
from trainer.data.folder import Data
from trainer.data.pictures import SamplePictures, StoredPictures
from trainer.data.weights import LossWeights
from trainer.order.order import Batch, PhaseOrder
from trainer.order.split import split
from trainer.rng import CAPTION, DROPOUT, KeyedRandom
from trainer.tasks import TASKS
from trainer.tasks.base import Encoded, Encoder, Item

_NO_TEXTS = Texts((), ())
Cost = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(N,) image tokens, (N,) text tokens -> (N,) FLOPs."""


class Batches(Protocol):
    """An order, or the held-out batches of one."""

    @property
    def phases(self) -> tuple[PhaseOrder, ...]: ...

    @property
    def steps(self) -> int: ...

    def batch(self, step: int) -> Batch: ...


@dataclass(frozen=True)
class Prepared:
    """A rank's part of a global batch, on the CPU. ``slots``: of each micro-batch, none for a dummy; ``samples``: by
    slot."""

    batch: Batch
    slots: list[list[int]]
    samples: dict[int, Encoded]


@dataclass(frozen=True)
class _Begun:
    """What will be ``Prepared``."""

    batch: Batch
    slots: list[list[int]]
    samples: dict[int, Future[Encoded]]

    def finished(self) -> Prepared:
        """Waits; raises what a sample raised."""
        return Prepared(self.batch, self.slots, {slot: sample.result() for slot, sample in self.samples.items()})


class Loader:
    """Prepares the batches of an order for one of ``ranks``."""

    def __init__(
        self,
        config: FitConfig,
        dataset: Data,
        order: Batches,
        encoder: Encoder,
        cost: Cost,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self.config, self.dataset, self.order, self.encoder, self.cost = config, dataset, order, encoder, cost
        self.rank, self.ranks = rank, ranks
        self.weights = LossWeights.of_data(dataset, config.objective.unmasked_weight)
        self._texts: OrderedDict[int, Texts] = OrderedDict()
        # Threads of its own, in which torch does not spread: a second team of OpenMP threads on the same cores
        # puts the training's team to sleep between kernels, which made its steps half as long again (benchmarks/).
        alone = partial(ThreadPoolExecutor, initializer=torch.set_num_threads, initargs=(1,))
        self._batches, self._samples = alone(1), alone(config.loading.threads)

    def batches(self, start: int) -> Iterator[Prepared]:
        """Batches from step ``start`` on, prepared while the caller trains."""
        ahead: list[Future[_Begun]] = []
        for step in range(start, self.order.steps):
            while len(ahead) < self.config.loading.ahead and step + len(ahead) < self.order.steps:
                ahead.append(self._batches.submit(self._begin, step + len(ahead)))
            yield ahead.pop(0).result().finished()

    def prepare(self, step: int) -> Prepared:
        """The tensors of ``step``; made in the loader's threads, because kernels round by their number of threads."""
        return self._batches.submit(self._begin, step).result().finished()

    def _begin(self, step: int) -> _Begun:
        """Cut and read the batch, and let its samples be encoded: the next one is cut and read meanwhile."""
        batch = self.order.batch(step)
        costs = self.cost(batch.tokens, batch.text_tokens)
        cut = split(batch.loads, costs, self.ranks, self.config.max_micro_batch_tokens)[self.rank]
        slots = [part.tolist() for part in cut]
        items = self._items(batch, [slot for part in slots for slot in part])
        rows: dict[int, bool] = {}
        for item in items:
            if not self.encoder.holds(item.target_key):
                rows[item.row] = rows.get(item.row, False) or item.task == "ti2i"
        stored = StoredPictures(self.dataset, rows)
        return _Begun(batch, slots, {item.slot: self._samples.submit(self._encode, stored, item) for item in items})

    def _encode(self, stored: StoredPictures, item: Item) -> Encoded:
        pictures = SamplePictures(stored, item.row)
        encoded = TASKS[item.task].encode(item, pictures, self.encoder)
        weights = self.weights.of(item.row, len(encoded.images[0]), partial(pictures.mask, item.bucket, item.keep))
        return encoded if weights is None else replace(encoded, weights=weights)

    def _items(self, batch: Batch, slots: Sequence[int]) -> list[Item]:
        """Each slot's prompt drawn among its texts, or dropped, by (seed, step, slot)."""
        objective, phase = self.config.objective, self.order.phases[batch.phase].phase
        rng = KeyedRandom(self.config.seed, batch.step, len(batch.rows))
        pick, drop = rng.uniform(CAPTION), rng.uniform(DROPOUT) < objective.dropout
        texts = self._read_texts(batch.rows[slots].tolist())
        items = []
        for slot in slots:
            row, task = int(batch.rows[slot]), str(batch.tasks[slot])
            choices = TASKS[task].texts(_NO_TEXTS if batch.fixed[slot] else texts[row])
            if not choices:
                raise RunFailed(
                    f"dataset {self.dataset.path}: manifest row {row} has no valid text to train {task} on, though its "
                    "manifest counts one; checkpoints are safe, pack the dataset again and repeat the command"
                )
            prompt = objective.empty if drop[slot] else choices[int(pick[slot] * len(choices))]
            sees = not drop[slot] or objective.dropout_keeps_references
            items.append(_item(batch, slot, prompt, sees, phase.references.vision_area))
        return items

    def _read_texts(self, rows: Sequence[int]) -> dict[int, Texts]:
        """Captions and instructions by row; what is not remembered is read."""
        found = {row: self._texts[row] for row in rows if row in self._texts}
        new = sorted(set(rows) - found.keys())
        found |= dict(zip(new, self.dataset.read_texts(new), strict=True))
        for row in found:
            self._texts[row] = found[row]
            self._texts.move_to_end(row)
        while len(self._texts) > self.config.loading.captions:
            self._texts.popitem(last=False)
        return found


def _item(batch: Batch, slot: int, prompt: str, sees: bool, vision_area: int | None) -> Item:
    return Item(
        slot,
        int(batch.rows[slot]),
        str(batch.tasks[slot]),
        prompt,
        (int(batch.buckets[slot][0]), int(batch.buckets[slot][1])),
        tuple(batch.keeps[slot].tolist()),
        tuple((int(w), int(h)) for w, h in batch.references[slot] if w),
        sees,
        vision_area,
    )
