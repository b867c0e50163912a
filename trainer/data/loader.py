"""From a batch of row numbers to tensors: read, decode, fit, encode, a few batches ahead of the step.

    Order.batch(t) ─> rows ─Dataset.read─> pictures, captions ─Encoders─> Prepared

Its whole state is the step: ``prepare(t)`` gives the same tensors whenever it is called.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor

from configs import RunFailed
from configs.pictures import DecodeError, Limits, decode
from pipeline.dataset import Dataset
from trainer.config import FitConfig
from trainer.data.encoders import Encoders
from trainer.data.resize import resize_to_cover
from trainer.order.order import Batch, Order
from trainer.rng import CAPTION, DROPOUT, KeyedRandom

_TEXTS_KEPT = 1_000_000
"""Rows whose captions are remembered: they are short, and re-reading a row group for them is not (chosen)."""


@dataclass(frozen=True)
class Prepared:
    """A global batch as tensors on the CPU. ``latents``: (n_i, 64) each; ``texts``: (m_i, d) each; ``sizes``: (h, w)
    in patches."""

    batch: Batch
    latents: list[Tensor]
    texts: list[Tensor]
    sizes: list[tuple[int, int]]


class Loader:
    """Prepares the batches of an order."""

    def __init__(self, config: FitConfig, dataset: Dataset, order: Order, encoders: Encoders) -> None:
        self.config, self.dataset, self.order, self.encoders = config, dataset, order, encoders
        self._captions: OrderedDict[int, list[str]] = OrderedDict()
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
        buckets = [(int(w), int(h)) for w, h in batch.buckets]
        pictures = self._read(batch.rows.tolist(), buckets)
        latents = [
            self.encoders.image((row, bucket), partial(self._pixels, pictures, row, bucket))
            for row, bucket in zip(batch.rows.tolist(), buckets, strict=True)
        ]
        texts = self.encoders.texts(self._prompts(batch))
        return Prepared(batch, latents, texts, [(h // 16, w // 16) for w, h in buckets])

    def _read(self, rows: Sequence[int], buckets: Sequence[tuple[int, int]]) -> dict[int, dict[str, Any]]:
        """Bytes of the rows whose latents are not kept, captions of those not known; each row group read once."""
        new = {r for r, b in zip(rows, buckets, strict=True) if (r, b) not in self.encoders.latents}
        silent = {r for r in rows if r not in self._captions} - new
        pictures = self._columns(sorted(new), ["id", "image", "captions"])
        for row, sample in (pictures | self._columns(sorted(silent), ["captions"])).items():
            self._captions[row] = [c["text"] for c in sample["captions"] or () if not c["invalid"]]
        while len(self._captions) > _TEXTS_KEPT + len(rows):
            self._captions.popitem(last=False)
        return pictures

    def _columns(self, rows: list[int], columns: list[str]) -> dict[int, dict[str, Any]]:
        return dict(zip(rows, self.dataset.read(rows, columns), strict=True))

    def _pixels(self, pictures: dict[int, dict[str, Any]], row: int, bucket: tuple[int, int]) -> np.ndarray:
        sample = pictures.get(row) or self.dataset.read([row], ["id", "image"])[0]
        try:
            return resize_to_cover(decode(sample["image"]["bytes"], Limits()), bucket)
        except DecodeError as error:
            raise RunFailed(
                f"sample {sample['id']} (manifest row {row}) cannot be decoded: {error}; the dataset is damaged or was "
                "made with other limits; checkpoints are safe, pack the dataset again and repeat the command"
            ) from None

    def _prompts(self, batch: Batch) -> list[str]:
        """A caption each, drawn from its valid ones, or the empty prompt where it has none or is dropped."""
        objective = self.config.objective
        rng = KeyedRandom(self.config.seed, batch.step, len(batch.rows))
        pick, drop = rng.uniform(CAPTION), rng.uniform(DROPOUT) < objective.dropout
        prompts = []
        for slot, row in enumerate(batch.rows.tolist()):
            captions = self._captions[row]
            if drop[slot] or not captions:
                prompts.append(objective.empty)
            else:
                prompts.append(captions[int(pick[slot] * len(captions))])
        return prompts
