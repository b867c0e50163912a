"""From a batch of row numbers to tensors: cut, read, decode, resize, encode, a few batches ahead of the step.

    Order.batch(t) ──split──> this rank's slots ─Dataset.read─> pictures, prompts ─Task.encode─> Prepared

The cut comes first and needs lengths alone, so that a rank reads, decodes and encodes only what it trains on. The
loader's whole state is the step: ``prepare(t)`` gives the same tensors whenever it is called.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch
from PIL.Image import Image, fromarray

from configs import RunFailed
from configs.pictures import DecodeError, Limits, decode
from pipeline.dataset import Pictures as StoredPictures
from pipeline.dataset import Texts
from trainer.config import FitConfig
from trainer.data.folder import Data
from trainer.data.resize import resize_to_cover
from trainer.order.bucket import Bucket
from trainer.order.order import Batch, Order
from trainer.order.split import split
from trainer.rng import CAPTION, DROPOUT, KeyedRandom
from trainer.tasks import TASKS
from trainer.tasks.base import Encoded, Encoder, Item

Cost = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(N,) image tokens, (N,) text tokens -> (N,) FLOPs."""


@dataclass(frozen=True)
class Prepared:
    """A rank's part of a global batch, on the CPU. ``slots``: of each micro-batch, none for a dummy; ``samples``: by
    slot."""

    batch: Batch
    slots: list[list[int]]
    samples: dict[int, Encoded]


class Loader:
    """Prepares the batches of an order for one of ``ranks``."""

    def __init__(
        self,
        config: FitConfig,
        dataset: Data,
        order: Order,
        encoder: Encoder,
        cost: Cost,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self.config, self.dataset, self.order, self.encoder, self.cost = config, dataset, order, encoder, cost
        self.rank, self.ranks = rank, ranks
        self._texts: OrderedDict[int, Texts] = OrderedDict()
        # One thread of its own, in which torch does not spread: a second team of OpenMP threads on the same cores
        # puts the training's team to sleep between kernels, which made its steps half as long again (benchmarks/).
        self._pool = ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,))

    def batches(self, start: int) -> Iterator[Prepared]:
        """Batches from step ``start`` on, prepared while the caller trains."""
        ahead: list[Future[Prepared]] = []
        for step in range(start, self.order.steps):
            while len(ahead) < self.config.loading.ahead and step + len(ahead) < self.order.steps:
                ahead.append(self._pool.submit(self._prepare, step + len(ahead)))
            yield ahead.pop(0).result()

    def prepare(self, step: int) -> Prepared:
        """The tensors of ``step``; made in the loader's thread, because kernels round by their number of threads."""
        return self._pool.submit(self._prepare, step).result()

    def _prepare(self, step: int) -> Prepared:
        batch = self.order.batch(step)
        costs = self.cost(batch.tokens, batch.text_tokens)
        cut = split(batch.loads, costs, self.ranks, self.config.max_micro_batch_tokens)[self.rank]
        slots = [part.tolist() for part in cut]
        items = self._items(batch, [slot for part in slots for slot in part])
        samples = _Samples(self.dataset, [i for i in items if not self.encoder.holds((i.row, "target", i.bucket))])
        return Prepared(batch, slots, {item.slot: self._encode(item, samples) for item in items})

    def _encode(self, item: Item, samples: _Samples) -> Encoded:
        return TASKS[item.task].encode(item, _Pictures(samples, item.row), self.encoder)

    def _items(self, batch: Batch, slots: Sequence[int]) -> list[Item]:
        """Each slot's prompt drawn among its texts, or dropped, by (seed, step, slot)."""
        objective, phase = self.config.objective, self.order.phases[batch.phase].phase
        rng = KeyedRandom(self.config.seed, batch.step, len(batch.rows))
        pick, drop = rng.uniform(CAPTION), rng.uniform(DROPOUT) < objective.dropout
        texts = self._read_texts(batch.rows[slots].tolist())
        items = []
        for slot in slots:
            row, task = int(batch.rows[slot]), str(batch.tasks[slot])
            choices = TASKS[task].texts(texts[row])
            if not choices:
                raise RunFailed(
                    f"dataset {self.dataset.path}: manifest row {row} has no valid text to train {task} on, though its "
                    "manifest counts one; checkpoints are safe, pack the dataset again and repeat the command"
                )
            items.append(
                Item(
                    slot,
                    row,
                    task,
                    objective.empty if drop[slot] else choices[int(pick[slot] * len(choices))],
                    (int(batch.buckets[slot][0]), int(batch.buckets[slot][1])),
                    tuple(batch.keeps[slot].tolist()),
                    tuple((int(w), int(h)) for w, h in batch.references[slot] if w),
                    sees=not drop[slot] or objective.dropout_keeps_references,
                    vision_area=phase.references.vision_area,
                )
            )
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


class _Samples:
    """Stored pictures. Those of ``items`` are read together when the first one is asked for, any other alone."""

    def __init__(self, dataset: Data, items: Sequence[Item]) -> None:
        self.dataset = dataset
        self._waiting = sorted({item.row for item in items})
        self._kept: dict[int, StoredPictures] = {}

    def of(self, row: int) -> StoredPictures:
        if row not in self._kept:
            rows = self._waiting if row in self._waiting else [row]
            self._kept.update(zip(rows, self.dataset.read_pictures(rows), strict=True))
        return self._kept[row]


class _Pictures:
    """Implements ``trainer.tasks.base.Pictures`` for one row."""

    def __init__(self, samples: _Samples, row: int) -> None:
        self._samples, self._row = samples, row

    def target(self, bucket: Bucket, keep: Sequence[int]) -> np.ndarray:
        return resize_to_cover(self._decoded("image", self._samples.of(self._row).image), bucket, keep)

    def reference(self, index: int) -> Image:
        return fromarray(self._decoded(f"references.{index}", self._samples.of(self._row).references[index]))

    def _decoded(self, what: str, data: bytes) -> np.ndarray:
        try:
            return decode(data, Limits())
        except DecodeError as error:
            (sample,) = self._samples.dataset.read([self._row], ["id"])
            raise RunFailed(
                f"sample {sample['id']} (manifest row {self._row}): {what} cannot be decoded: {error}; the dataset is "
                "damaged or was made with other limits; checkpoints are safe, pack the dataset again and repeat the "
                "command"
            ) from None
