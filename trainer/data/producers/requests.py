"""What a unit asks of the encoders: each picture and prompt with what it is made of. Nothing is decoded before its turn."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from PIL.Image import fromarray

from configs.pictures import Limits, decode
from pipeline.dataset import Pictures as Stored
from pipeline.dataset import Texts
from trainer.data.folder import Data
from trainer.data.loader import NO_TEXTS
from trainer.data.producers.plan import Unit
from trainer.data.producers.shard import Source
from trainer.data.producers.stored import Contents, shown_source, source_of
from trainer.data.resize import resize_to_cover
from trainer.tasks import TASKS
from trainer.tasks.base import ReferenceKey, ReferencesKey, TargetKey
from trainer.tasks.config import ObjectiveConfig
from trainer.tasks.ti2i import resize_reference


@dataclass(frozen=True)
class Request:
    """Latents or a condition to be made. ``row``: of the manifest, None for a prompt that belongs to none. ``pictures``:
    gives (H, W, 3) uint8 each; raises DecodeError."""

    row: int | None
    source: Source
    pictures: Callable[[], list[np.ndarray]]


class Requests:
    """The requests of a dataset's units."""

    def __init__(self, dataset: Data, objective: ObjectiveConfig) -> None:
        self.dataset, self.objective, self.contents = dataset, objective, Contents(dataset)
        self._kinds = {
            "target": self._targets,
            "reference": self._references,
            "caption": self._captions,
            "edit": self._edits,
            "copy": self._copies,
        }

    def of(self, unit: Unit) -> Iterator[Request]:
        """In the order of the unit's table."""
        return self._kinds[unit.kind](unit.table)

    def _targets(self, table: np.ndarray) -> Iterator[Request]:
        stored = self._pictures(table[:, 2])
        for width, height, row, *keep in table.tolist():
            key = TargetKey(row, (width, height), tuple(keep))
            yield Request(row, source_of(key, self.contents), partial(_shown, stored[row], key))

    def _references(self, table: np.ndarray) -> Iterator[Request]:
        stored = self._pictures(table[:, 2])
        for width, height, row, index in table.tolist():
            key = ReferenceKey(row, index, (width, height))
            yield Request(row, source_of(key, self.contents), partial(_resized, stored[row], key))

    def _captions(self, table: np.ndarray) -> Iterator[Request]:
        yield from self._alone(self._empty)
        for row, texts in zip(table[:, 0].tolist(), self.dataset.read_texts(table[:, 0]), strict=True):
            yield from self._alone(TASKS["t2i"].texts(texts), row)

    def _edits(self, table: np.ndarray) -> Iterator[Request]:
        keys = [ReferencesKey(row, count) for row, count, _ in table.tolist()]
        return self._seen("ti2i", keys, self.dataset.read_texts(table[:, 0]), table[:, -1])

    def _copies(self, table: np.ndarray) -> Iterator[Request]:
        keys = [TargetKey(row, (width, height), tuple(keep)) for row, width, height, *keep, _, _ in table.tolist()]
        own = self.dataset.read_texts(table[:, 0])
        texts = [NO_TEXTS if fixed else text for text, fixed in zip(own, table[:, -2].tolist(), strict=True)]
        return self._seen("i2i", keys, texts, table[:, -1])

    def _seen(
        self, task: str, keys: Sequence[TargetKey | ReferencesKey], texts: Sequence[Texts], areas: np.ndarray
    ) -> Iterator[Request]:
        """Prompts beside their pictures; the empty one with or without them, as dropping one leaves it."""
        rows = np.array([key.row for key in keys])
        stored = self._pictures(rows)
        keeps = self.objective.dropout_keeps_references
        yield from self._alone(() if keeps else self._empty)
        for key, area, own in zip(keys, areas.tolist(), texts, strict=True):
            for prompt in (*TASKS[task].texts(own), *(self._empty if keeps else ())):
                source = shown_source(key, prompt, area or None, self.contents)
                yield Request(key.row, source, partial(_shown, stored[key.row], key))

    def _alone(self, prompts: Sequence[str], row: int | None = None) -> Iterator[Request]:
        for prompt in prompts:
            yield Request(row, Source("condition", prompt=prompt), list)

    @property
    def _empty(self) -> tuple[str, ...]:
        """What dropping replaces a prompt by, where it can come to that."""
        return (self.objective.empty,) if self.objective.dropout else ()

    def _pictures(self, rows: np.ndarray) -> dict[int, Stored]:
        distinct = np.unique(rows)
        return dict(zip(distinct.tolist(), self.dataset.read_pictures(distinct), strict=True))


def _shown(stored: Stored, key: TargetKey | ReferencesKey) -> list[np.ndarray]:
    if isinstance(key, TargetKey):
        return [resize_to_cover(decode(stored.image, Limits()), key.bucket, key.keep)]
    return [decode(data, Limits()) for data in stored.references[: key.count]]


def _resized(stored: Stored, key: ReferenceKey) -> list[np.ndarray]:
    return [resize_reference(fromarray(decode(stored.references[key.index], Limits())), key.size)]
