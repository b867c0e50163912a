"""The actor that encodes a unit: pictures of one size by the VAE in batches, prompts by Qwen2.5-VL in batches.

Unit ──Requests──> what is not known yet ──read, decode, resize, encode in batches──> Records ──> a shard ──> its index
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import torch
from PIL.Image import fromarray
from torch import Tensor

from configs import RunFailed
from configs.pictures import DecodeError
from pipeline.watch import beat
from trainer.config import FitConfig
from trainer.data.encoders import encode_pictures
from trainer.data.folder import Data
from trainer.data.frozen import Frozen
from trainer.data.producers.digest import EncoderDigests
from trainer.data.producers.indices import has_lost
from trainer.data.producers.plan import Unit
from trainer.data.producers.requests import Request, Requests
from trainer.data.producers.shard import INDEX, Record, Shard, read_shard, write_shard
from trainer.data.producers.store import Store, to_bytes

_PROMPTS = 16
"""Prompts whose pictures are in memory at once; the text encoder cuts them by tokens (chosen)."""

_Decoded = tuple[Request, list[np.ndarray]]
"""A request and its pictures, (H, W, 3) uint8 each."""
_Encode = Callable[[Sequence[_Decoded]], Sequence[Tensor]]


@dataclass(frozen=True)
class EncodedUnit:
    """What came of a unit. ``index``: of what its shard holds; ``failures``: (sample, error); ``damage``: why a shard that
    was there is made again."""

    entries: int
    index: pa.Table
    failures: list[tuple[str, str]]
    damage: str | None = None


class UnitEncoder:
    """A worker: encodes units of one dataset into ``out``/shards, where some may be already."""

    def __init__(self, config: FitConfig, dataset: Data, base: Path, out: Path, digests: EncoderDigests) -> None:
        torch.set_num_threads(max(1, int(config.producers.cpus)))
        device = torch.device("cuda" if config.producers.gpus else "cpu")
        self.config, self.dataset, self.out, self.digests = config.producers, dataset, out, digests
        self.frozen = Frozen(base, device, config.max_text_tokens, tell=lambda line: None)
        self.requests = Requests(dataset, config.objective)
        self.known = Store(out)
        self.lost = has_lost(out)
        self._ids = dataset.manifest(["id"])["id"].combine_chunks()

    def __call__(self, unit: Unit) -> EncodedUnit:
        path = self.out / "shards" / unit.name
        shard, damage = self._found(path, unit)
        if shard is None:
            records = list(self._records(unit))
            if not records:  # all of it was encoded for another dataset
                return EncodedUnit(len(unit.table), INDEX.empty_table(), [], damage)
            write_shard(path, records)
            shard = read_shard(path)
        return EncodedUnit(len(unit.table), shard.index, shard.failures, damage)

    def _found(self, path: Path, unit: Unit) -> tuple[Shard | None, str | None]:
        """The shard if it is there and whole; what is neither is removed, and why it is told."""
        if not path.exists():
            return None, None
        try:
            shard = read_shard(path)
            if not self.lost or self._missing(unit) <= set(shard.keys):
                return shard, None
            why = f"{path}: leans on shards that were damaged"
        except RunFailed as error:
            why = str(error).partition("; ")[0]
        path.unlink()
        return None, why

    def _missing(self, unit: Unit) -> set[bytes]:
        """Keys that nothing but the unit's own shard holds."""
        encoder = self._encoder(unit)
        return {request.source.key(encoder) for request in self._new(unit, encoder)}

    def _encoder(self, unit: Unit) -> str:
        """Digest of the one that encodes it."""
        return self.digests.vae if unit.kind in ("target", "reference") else self.digests.text

    def _records(self, unit: Unit) -> Iterator[Record]:
        latents = unit.kind in ("target", "reference")
        encoder, encode = self._encoder(unit), self._latents if latents else self._conditions
        wanted = list(self._new(unit, encoder))
        size = unit.table[0, :2].tolist()
        together = max(1, self.config.batch_pixels // (size[0] * size[1])) if latents else _PROMPTS
        for first in range(0, len(wanted), together):
            beat(first, len(wanted))
            yield from self._batch(wanted[first : first + together], encoder, encode)

    def _new(self, unit: Unit, encoder: str) -> Iterator[Request]:
        """Requests whose key is not known, each key once."""
        seen: set[bytes] = set()
        for request in self.requests.of(unit):
            key = request.source.key(encoder)
            if key not in self.known and key not in seen:
                seen.add(key)
                yield request

    def _batch(self, requests: Sequence[Request], encoder: str, encode: _Encode) -> Iterator[Record]:
        """A picture that cannot be decoded costs its own record, not those of its batch."""
        good: list[_Decoded] = []
        for request in requests:
            try:
                good.append((request, request.pictures()))
            except DecodeError as error:
                key = request.source.key(encoder)
                yield Record(key, request.source, self._sample(request), error=str(error))
        for (request, _), made in zip(good, encode(good) if good else (), strict=True):
            dtype, data = to_bytes(made, self.config.storage)
            shape = (made.shape[0], made.shape[1])
            yield Record(request.source.key(encoder), request.source, self._sample(request), dtype, shape, data)

    def _sample(self, request: Request) -> str | None:
        """Id of the row."""
        return None if request.row is None else str(self._ids[request.row].as_py())

    def _latents(self, good: Sequence[_Decoded]) -> Sequence[Tensor]:
        return list(encode_pictures(self.frozen, [pictures[0] for _, pictures in good]))

    def _conditions(self, good: Sequence[_Decoded]) -> Sequence[Tensor]:
        """Prompts of one call see their pictures at one size."""
        areas = [request.source.area for request, _ in good]
        made: dict[int, Tensor] = {}
        for area in dict.fromkeys(areas):
            which = [place for place, found in enumerate(areas) if found == area]
            prompts = [good[place][0].source.prompt or "" for place in which]
            shown = [[fromarray(picture) for picture in good[place][1]] for place in which]
            made |= dict(zip(which, self.frozen.conditioner.encode(prompts, shown, area), strict=True))
        return [made[place] for place in range(len(good))]
