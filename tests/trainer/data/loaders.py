"""A loader around an encoder of one's own, in this process."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from trainer.config import FitConfig
from trainer.data.folder import Data
from trainer.data.loader import Batches, Cost, InProcess, Loader, Preparer
from trainer.tasks.base import Encoder


class _Here:
    """Encoders that are always where they work."""

    leaves = False

    @contextlib.contextmanager
    def at_work(self) -> Iterator[None]:
        yield


class _Given:
    """Implements ``trainer.data.loader.Work`` around one encoder."""

    def __init__(self, encoder: Encoder) -> None:
        self.encoder, self.frozen = encoder, _Here()

    def open(self, dataset: Data) -> Encoder:
        return self.encoder

    def take_lacking(self) -> int:
        return 0


def make_loader(
    config: FitConfig, data: Data, order: Batches, encoder: Encoder, cost: Cost, rank: int = 0, ranks: int = 1
) -> Loader:
    return Loader(config, order, InProcess(Preparer(config, data, _Given(encoder))), cost, rank, ranks)
