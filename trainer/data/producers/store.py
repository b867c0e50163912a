"""The folder of encodings that ``encode`` fills and ``fit`` reads.

    encoders.json              what encoded it: digests of VAE and text encoder
    shards/*.parquet           latents and conditions, each file whole or absent
    datasets/*.parquet         the index of a dataset: key -> shard, offset; written last, so it says: complete
    */*.parquet.crc32          of the file of that name (sums.py)

Keys hold the content's sha256, so that the same picture in two datasets is encoded once.
"""

from __future__ import annotations

import json
import os
import threading
from collections import OrderedDict
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from torch import Tensor

from configs import RunFailed, UserError
from configs.files import replace_text
from trainer.data.producers.digest import EncoderDigests
from trainer.data.producers.indices import indices, read_index
from trainer.data.producers.shard import DTYPES, INDEX, checksum
from trainer.data.producers.sums import damaged

_OPEN = 64
"""Shards that are held open (chosen)."""


def claim(folder: Path, digests: EncoderDigests) -> None:
    """Write encoders.json, or check that ``folder`` was filled by the same. Raises UserError naming which one differs."""
    if (folder / "encoders.json").exists():
        _check_encoders(folder, digests, f"OUT {folder}", "name another OUT for these")
    else:
        folder.mkdir(parents=True, exist_ok=True)
        replace_text(folder / "encoders.json", json.dumps(asdict(digests), indent=2) + "\n")


def check_store(folder: Path, datasets: set[str], digests: EncoderDigests) -> None:
    """Raise UserError unless ``folder`` holds encodings of one of ``datasets`` (their digests) by these encoders."""
    where = f"field 'encoded': {folder}"
    if not (folder / "encoders.json").exists():
        raise UserError(f"{where} holds no encodings; python -m trainer encode CONFIG DATASET {folder} makes them")
    _check_encoders(folder, digests, where, "encode again into another folder, or leave the field out")
    try:
        found = [read_index(path) for path in indices(folder)]
        for index, _ in found:
            _check_shards(folder, index)
    except RunFailed as error:
        raise UserError(str(error)) from None  # nothing was begun
    known = [digest for _, digest in found if digest]
    if not datasets & set(known):
        there = ", ".join(digest[:12] for digest in known) or "none that is finished"
        raise UserError(
            f"{where} is of another dataset: this one's digest is {' or '.join(sorted(d[:12] for d in datasets))}, it has {there}; python -m trainer encode "
            f"CONFIG DATASET {folder} adds what is missing"
        )


def _check_shards(folder: Path, index: pa.Table) -> None:
    """Raise RunFailed for a shard that is gone or shorter than its index says."""
    ends = pa.table({"file": index["file"], "end": pc.add(index["offset"], index["length"])})
    longest = ends.group_by("file").aggregate([("end", "max")])
    for name, end in zip(longest["file"].to_pylist(), longest["end_max"].to_pylist(), strict=True):
        path = folder / "shards" / name
        size = path.stat().st_size if path.is_file() else None
        if size is None or size < end:
            raise damaged(path, "it is gone" if size is None else f"it has {size:,} bytes, its index says {end:,}")


def _check_encoders(folder: Path, digests: EncoderDigests, where: str, remedy: str) -> None:
    try:
        found = EncoderDigests(**json.loads((folder / "encoders.json").read_text("utf-8")))
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{where}: encoders.json cannot be read ({error}); encode again into another folder") from None
    for name, what in (("vae", "VAE"), ("text", "text encoder")):
        theirs, ours = getattr(found, name), getattr(digests, name)
        if theirs != ours:
            raise UserError(
                f"{where} was encoded by another {what} (digest {theirs[:12]}) than the base model's ({ours[:12]}"
                f"{', with its max_text_tokens' if name == 'text' else ''}); {remedy}"
            )


class Store:
    """Latents and conditions in the finished indices of a folder, by their keys: one read of the file each.

    Memory: 45 bytes an entry.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        parts = [read_index(path)[0] for path in indices(folder)]
        table = pa.concat_tables([INDEX.empty_table(), *parts]).combine_chunks()
        keys = np.frombuffer(b"".join(table["key"].to_pylist()), dtype=[("high", ">u8"), ("low", ">u8")])
        order = np.lexsort((keys["low"], keys["high"]))
        self._high, self._low = keys["high"][order].astype(np.uint64), keys["low"][order].astype(np.uint64)
        names = pa.concat_arrays(
            [INDEX.empty_table()["file"].combine_chunks(), *table["file"].chunks]
        ).dictionary_encode()
        self._names = names.dictionary.to_pylist()
        self._file = names.indices.to_numpy()[order]
        self._dtype = np.array([list(DTYPES).index(d) for d in table["dtype"].to_pylist()], dtype=np.int8)[order]
        self._numbers = {n: table[n].to_numpy()[order] for n in ("offset", "length", "tokens", "channels")}
        checksums = table["crc32"].combine_chunks()
        self._checked = checksums.is_valid().to_numpy(zero_copy_only=False)[order]
        self._checksums = checksums.fill_null(0).to_numpy()[order]
        self._files: OrderedDict[str, int] = OrderedDict()
        self._lock = threading.Lock()

    def __contains__(self, key: bytes) -> bool:
        return self._place(key) is not None

    def __len__(self) -> int:
        return len(self._high)

    def read(self, key: bytes) -> Tensor | None:
        """(tokens, channels) in the dtype it was stored in, or None. Raises RunFailed for a damaged shard."""
        place = self._place(key)
        if place is None:
            return None
        offset, length, tokens, channels = (int(self._numbers[n][place]) for n in self._numbers)
        name = self._names[self._file[place]]
        data = self._bytes(name, offset, length)
        about = list(DTYPES)[self._dtype[place]]
        checked = bool(self._checked[place])
        if checked and checksum(key, about, (tokens, channels), data) != self._checksums[place]:
            raise damaged(self.folder / "shards" / name, f"another checksum at byte {offset:,} than was written")
        return torch.frombuffer(bytearray(data), dtype=DTYPES[about]).reshape(tokens, channels)

    def _place(self, key: bytes) -> int | None:
        high, low = int.from_bytes(key[:8], "big"), int.from_bytes(key[8:], "big")
        place = int(np.searchsorted(self._high, np.uint64(high)))
        while place < len(self._high) and int(self._high[place]) == high:
            if int(self._low[place]) == low:
                return place
            place += 1
        return None

    def _bytes(self, name: str, offset: int, length: int) -> memoryview:
        """Each value stands behind its own length, which says that it is there."""
        path = self.folder / "shards" / name
        try:
            with self._lock:  # another thread may close the file otherwise
                read = os.pread(self._descriptor(path), length + 4, offset - 4)
        except OSError as error:
            raise damaged(path, (error.strerror or str(error)).lower()) from None
        if len(read) != length + 4 or int.from_bytes(read[:4], "little") != length:
            raise damaged(path, f"no value of {length:,} bytes at byte {offset:,}")
        return memoryview(read)[4:]

    def _descriptor(self, path: Path) -> int:
        if path.name not in self._files:
            self._files[path.name] = os.open(path, os.O_RDONLY)
            if len(self._files) > _OPEN:
                os.close(self._files.popitem(last=False)[1])
        self._files.move_to_end(path.name)
        return self._files[path.name]


def to_bytes(tensor: Tensor, storage: str) -> tuple[str, bytes]:
    """(name of the dtype, numbers of a (tokens, channels) tensor) in ``storage``: a name of DTYPES, or auto for its own."""
    name = next(n for n, d in DTYPES.items() if d == tensor.dtype) if storage == "auto" else storage
    stored = tensor.to(DTYPES[name]).contiguous().cpu()
    return name, stored.reshape(-1).view(torch.uint8).numpy().tobytes()
