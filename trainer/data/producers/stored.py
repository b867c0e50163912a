"""An encoder that looks into a folder of encodings first, and encodes what is not there.

row of the dataset ──sha256 of its pictures──> key ──Store──> latents, conditions
                                                └─not there─> the encoders of this process, counted
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from trainer.data.encoders import Encoders
from trainer.data.folder import Data
from trainer.data.producers.digest import EncoderDigests
from trainer.data.producers.shard import Source
from trainer.data.producers.store import Store
from trainer.tasks.base import ReferenceKey, ReferencesKey, TargetKey

if TYPE_CHECKING:
    from PIL.Image import Image

_REMEMBERED = 1 << 16
"""Rows whose references' sha256 are remembered (chosen)."""


class Contents:
    """sha256 of the pictures of a dataset's rows, in hexadecimal: targets' by the manifest, references' by their bytes.

    Memory: 32 bytes a row.
    """

    def __init__(self, dataset: Data) -> None:
        self.dataset = dataset
        column = dataset.manifest(["sha256"])["sha256"]
        self._targets = np.concatenate(
            [np.frombuffer(bytes.fromhex("".join(c.to_pylist())), np.uint8).reshape(-1, 32) for c in column.chunks]
        )
        self.references = lru_cache(_REMEMBERED)(self._read)
        """Of all references of a row."""

    def target(self, row: int) -> str:
        return self._targets[row].tobytes().hex()

    def _read(self, row: int) -> tuple[str, ...]:
        (pictures,) = self.dataset.read_pictures([row])
        return tuple(hashlib.sha256(data).hexdigest() for data in pictures.references)


def source_of(key: TargetKey | ReferenceKey, contents: Contents) -> Source:
    """What the latents of ``key`` are made of."""
    if isinstance(key, TargetKey):
        return Source("latents", (contents.target(key.row),), key.bucket, key.keep)
    return Source("latents", (contents.references(key.row)[key.index],), key.size)


def shown_source(key: TargetKey | ReferencesKey, prompt: str, area: int | None, contents: Contents) -> Source:
    """What the condition of a prompt with pictures is made of."""
    if isinstance(key, TargetKey):
        return Source("condition", (contents.target(key.row),), key.bucket, key.keep, prompt, area)
    return Source("condition", contents.references(key.row)[: key.count], prompt=prompt, area=area)


class StoredEncoder:
    """Implements ``trainer.tasks.base.Encoder``; threads may ask at once."""

    def __init__(self, store: Store, contents: Contents, digests: EncoderDigests, encoders: Encoders) -> None:
        self.store, self.contents, self.digests, self.encoders = store, contents, digests, encoders
        self._lacking = 0
        self._lock = threading.Lock()

    def holds(self, key: TargetKey | ReferenceKey) -> bool:
        """Whether the latents of ``key`` are had without its picture."""
        return self._latents_key(key) in self.store or self.encoders.holds(key)

    def latents(self, key: TargetKey | ReferenceKey, pixels: Callable[[], np.ndarray]) -> Tensor:
        """(tokens, 64) normalized latents of the uint8 (H, W, 3) that ``pixels`` gives."""
        return self._found(self._latents_key(key), lambda: self.encoders.latents(key, pixels))

    def text(self, prompt: str) -> Tensor:
        """(m, d) condition of a prompt without references."""
        source = Source("condition", prompt=prompt)
        return self._found(source.key(self.digests.text), lambda: self.encoders.text(prompt))

    def text_with_pictures(
        self,
        key: TargetKey | ReferencesKey,
        prompt: str,
        pictures: Callable[[], Sequence[Image]],
        area: int | None,
    ) -> Tensor:
        """(m, d) condition of a prompt and the pictures that it speaks of."""
        source = shown_source(key, prompt, area, self.contents)
        return self._found(
            source.key(self.digests.text), lambda: self.encoders.text_with_pictures(key, prompt, pictures, area)
        )

    def take_lacking(self) -> int:
        """Latents and conditions that were encoded here because the folder lacks them, since the last call."""
        with self._lock:
            found, self._lacking = self._lacking, 0
        return found

    def _latents_key(self, key: TargetKey | ReferenceKey) -> bytes:
        return source_of(key, self.contents).key(self.digests.vae)

    def _found(self, key: bytes, encode: Callable[[], Tensor]) -> Tensor:
        found = self.store.read(key)
        if found is None:
            with self._lock:
                self._lacking += 1
            return encode()
        return found.to(self.dtype)

    @property
    def dtype(self) -> torch.dtype:
        """Of the results."""
        return self.encoders.dtype
