"""From a batch of row numbers to tensors: cut, read, decode, resize, encode, a few batches ahead of the step.

    Order.batch(t) ──split──> this rank's slots ──Producer: read──> pictures, prompts ──Task.encode──> Prepared
                                                               └ a few samples at once

The cut comes first and needs lengths alone, so that a rank reads, decodes and encodes only what it trains on. The
loader's whole state is the step: ``prepare(t)`` gives the same tensors whenever it is called, and whoever produces them.
"""

from __future__ import annotations

import contextlib
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol

import numpy as np
import torch

from configs import RunFailed
from pipeline.dataset import Texts
from trainer.config import FitConfig
from trainer.data.encoding import EncodingWork
from trainer.data.folder import Data
from trainer.data.pictures import SamplePictures, StoredPictures
from trainer.data.weights import LossWeights
from trainer.order.curriculum import Phase
from trainer.order.order import Batch, PhaseOrder
from trainer.order.split import split
from trainer.rng import CAPTION, DROPOUT, KeyedRandom
from trainer.tasks import TASKS
from trainer.tasks.base import Encoded, Item
from trainer.tasks.config import ObjectiveConfig

NO_TEXTS = Texts((), ())
"""Of a sample that is trained with a fixed instruction."""
Cost = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""(N,) image tokens, (N,) text tokens -> (N,) FLOPs."""


class Batches(Protocol):
    """An order, or the held-out batches of one."""

    @property
    def phases(self) -> tuple[PhaseOrder, ...]: ...

    @property
    def steps(self) -> int: ...

    def batch(self, step: int) -> Batch: ...


_TOGETHER = 2
"""Batches that are prepared at once, so that cores which the end of one leaves idle begin the next."""
_DATASETS = 2
"""Of which texts and latents are remembered: a phase's and the one that the validation loss is measured on."""


@dataclass(frozen=True)
class Prepared:
    """A rank's part of a global batch, on the CPU. ``slots``: of each micro-batch, none for a dummy; ``samples``: by
    slot."""

    batch: Batch
    slots: list[list[int]]
    samples: dict[int, Encoded]


@dataclass(frozen=True)
class Ask:
    """These ``slots`` of a global batch of ``phase`` are wanted, with prompts drawn and dropped by these."""

    batch: Batch
    slots: tuple[int, ...]
    phase: Phase
    seed: int
    objective: ObjectiveConfig


@dataclass(frozen=True)
class Answer:
    """``samples``: by slot. ``lacking``: latents and conditions that an encoded folder should have had and has not."""

    samples: dict[int, Encoded]
    lacking: int = 0


class Producer(Protocol):
    """Who makes tensors of what is asked for, ahead of the step. ``pauses``: must not work while a step runs."""

    pauses: bool

    def at_work(self) -> contextlib.AbstractContextManager[None]:
        """Around several batches that are prepared one after the other."""
        ...

    def submit(self, ask: Ask, dataset: Data) -> Callable[[], Answer]:
        """Begin; what is returned waits for the end. ``dataset``: whose row numbers these are."""
        ...

    def close(self) -> None: ...


class Loader:
    """Prepares the batches of an order for one of ``ranks``."""

    def __init__(
        self,
        config: FitConfig,
        dataset: Data,
        order: Batches,
        producer: Producer,
        cost: Cost,
        rank: int = 0,
        ranks: int = 1,
    ) -> None:
        self.config, self.dataset, self.order, self.producer, self.cost = config, dataset, order, producer, cost
        self.rank, self.ranks = rank, ranks
        self.lacking = 0
        """Since the start: as in ``Answer``."""

    def open(self, order: Batches, dataset: Data) -> None:
        """Go on with another order, whose row numbers are those of ``dataset``."""
        self.order, self.dataset = order, dataset

    def batches(self, start: int, stop: int | None = None) -> Iterator[Prepared]:
        """Batches from step ``start`` to ``stop`` - 1, prepared while the caller trains, or before where that must not be.

        Nothing of later steps is begun: the dataset may be another one from there on.
        """
        stop = self.order.steps if stop is None else stop
        ahead: list[Callable[[], Prepared]] = []
        for step in range(start, stop):
            if not (ahead and self.producer.pauses):
                first = step + len(ahead)
                ahead += [self._begin(t) for t in range(first, min(step + self.config.loading.ahead, stop))]
                if self.producer.pauses:
                    with self.producer.at_work():
                        ahead = [_already(wait()) for wait in ahead]
            yield ahead.pop(0)()

    def prepare(self, step: int) -> Prepared:
        """The tensors of ``step``."""
        return self._begin(step)()

    def _begin(self, step: int) -> Callable[[], Prepared]:
        batch = self.order.batch(step)
        costs = self.cost(batch.tokens, batch.text_tokens)
        cut = split(batch.loads, costs, self.ranks, self.config.max_micro_batch_tokens)[self.rank]
        slots = [part.tolist() for part in cut]
        mine = tuple(slot for part in slots for slot in part)
        phase, config = self.order.phases[batch.phase].phase, self.config
        wait = self.producer.submit(Ask(batch, mine, phase, config.seed, config.objective), self.dataset)

        def finish() -> Prepared:
            answer = wait()
            self.lacking += answer.lacking
            return Prepared(batch, slots, answer.samples)

        return finish


def _already(prepared: Prepared) -> Callable[[], Prepared]:
    return lambda: prepared


class InProcess:
    """A producer that is a few threads of this process."""

    def __init__(self, config: FitConfig, work: EncodingWork) -> None:
        self.preparers, self.pauses = Preparers(config, work), work.frozen.leaves
        self.at_work = work.frozen.at_work
        self._batches = _alone(_TOGETHER)

    def submit(self, ask: Ask, dataset: Data) -> Callable[[], Answer]:
        return self._batches.submit(lambda: self.preparers.of(dataset).prepare(ask)).result

    def close(self) -> None:
        self._batches.shutdown()


def _alone(threads: int) -> ThreadPoolExecutor:
    """Threads in which torch does not spread: a second team of OpenMP threads on the same cores puts the training's team
    to sleep between kernels, which made its steps half as long again (benchmarks/). Kernels round by their number of
    threads, so all that is encoded is encoded with this one."""
    return ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))


class Preparers:
    """One for each of the last ``_DATASETS`` datasets."""

    def __init__(self, config: FitConfig, work: EncodingWork) -> None:
        self.config, self.work = config, work
        self._kept: OrderedDict[str, Preparer] = OrderedDict()
        self._lock = threading.Lock()

    def of(self, dataset: Data) -> Preparer:
        return self.get(dataset.digest, lambda: dataset)

    def get(self, digest: str, dataset: Callable[[], Data]) -> Preparer:
        """That of the dataset with this ``digest``."""
        with self._lock:
            if digest not in self._kept:
                self._kept[digest] = Preparer(self.config, dataset(), self.work)
                if len(self._kept) > _DATASETS:
                    self._kept.popitem(last=False)
            self._kept.move_to_end(digest)
            return self._kept[digest]


class Preparer:
    """Reads, decodes, resizes and encodes what is asked for, from one dataset: what it remembers goes by row number."""

    def __init__(self, config: FitConfig, dataset: Data, work: EncodingWork) -> None:
        self.config, self.dataset, self.frozen = config, dataset, work.frozen
        self.encoder = work.encoder(dataset)
        self.weights = LossWeights.of_data(dataset, config.objective.unmasked_weight)
        self._texts: OrderedDict[int, Texts] = OrderedDict()
        self._reading = threading.Lock()
        self._samples = _alone(config.loading.threads)

    def prepare(self, ask: Ask) -> Answer:
        """The samples of these slots. Raises RunFailed naming a sample that cannot be read."""
        items = self._items(ask)
        new = {item.slot for item in items if not self.encoder.holds(item.target_key)}
        rows: dict[int, bool] = {}
        for item in items:
            if item.slot in new:
                rows[item.row] = rows.get(item.row, False) or bool(item.references and item.task == "ti2i")
        encode = partial(self._encode, StoredPictures(self.dataset, rows))
        with self.frozen.at_work():
            # What is remembered is not worth a thread's waking, which keeps the training's own from the interpreter.
            to_read = [item for item in items if item.slot in new or item.references]
            begun = {item.slot: self._samples.submit(encode, item) for item in to_read}
            found = {item.slot: encode(item) for item in items if item.slot not in begun}
            found |= {slot: future.result() for slot, future in begun.items()}
        return Answer(found, self.encoder.take_lacking())

    def _encode(self, stored: StoredPictures, item: Item) -> Encoded:
        pictures = SamplePictures(stored, item.row)
        encoded = TASKS[item.task].encode(item, pictures, self.encoder)
        mask = partial(pictures.mask, item.bucket, item.keep)
        weights = self.weights.of(item.target_key, len(encoded.images[0]), mask)
        return encoded if weights is None else replace(encoded, weights=weights)

    def _items(self, ask: Ask) -> list[Item]:
        """Each slot's prompt drawn among its texts, or dropped, by (seed, step, slot)."""
        objective, batch, slots = ask.objective, ask.batch, list(ask.slots)
        rng = KeyedRandom(ask.seed, batch.step, len(batch.rows))
        pick, drop = rng.uniform(CAPTION), rng.uniform(DROPOUT) < objective.dropout
        with self._reading:
            texts = self._read_texts(batch.rows[slots].tolist())
        items = []
        for slot in slots:
            row, task = int(batch.rows[slot]), str(batch.tasks[slot])
            choices = TASKS[task].texts(NO_TEXTS if batch.fixed[slot] else texts[row])
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
                    vision_area=ask.phase.references.vision_area,
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
