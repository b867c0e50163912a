"""One shard of latents or conditions: a Parquet file whose numbers are read by offset, and what it holds by key.

    Record, Record, ... ──write_shard──> shards/NAME.parquet ──read_shard──> key -> file, offset, length, shape, dtype

A picture that could not be read has a row as well: without numbers, with its ``error``.
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import torch

from configs.files import created_once
from pipeline.pack.spans import value_spans
from pipeline.parquet import opened
from trainer.data.producers.sums import check, damaged, note
from trainer.order.bucket import Bucket

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
SCHEMA = pa.schema(
    [
        pa.field("key", pa.binary(16), nullable=False),
        pa.field("kind", pa.string(), nullable=False),
        pa.field("sample", pa.string()),
        pa.field("content", pa.list_(pa.string())),
        pa.field("size", pa.list_(pa.int32())),
        pa.field("keep", pa.list_(pa.int32())),
        pa.field("prompt", pa.string()),
        pa.field("area", pa.int32()),
        pa.field("dtype", pa.string()),
        pa.field("shape", pa.list_(pa.int32())),
        pa.field("data", pa.binary()),
        pa.field("error", pa.string()),
    ]
)
"""``kind``: latents or condition. ``sample``: id of the row that it was made for. ``content``: sha256 of each picture.
``size``: width, height in px; ``keep``: left, top, right, bottom in px that no crop may cut. ``area``: px of what the vision
tower sees, null as the model was released. ``shape``: tokens, channels. ``data``: the numbers, little endian, row by row."""
INDEX = pa.schema(
    [
        ("key", pa.binary(16)),
        ("file", pa.string()),
        ("offset", pa.int64()),
        ("length", pa.int64()),
        ("tokens", pa.int32()),
        ("channels", pa.int32()),
        ("dtype", pa.string()),
        ("crc32", pa.uint32()),
    ]
)
"""``crc32``: see ``checksum``; null where the shard was written before there were any."""


@dataclass(frozen=True)
class Source:
    """What numbers are made of: the fields of SCHEMA that make a key."""

    kind: str
    content: tuple[str, ...] = ()
    size: Bucket | None = None
    keep: tuple[int, ...] | None = None
    prompt: str | None = None
    area: int | None = None

    def key(self, encoder: str) -> bytes:
        """16 bytes; ``encoder``: digest of the encoder that makes the numbers."""
        parts: list[Any] = [encoder, self.kind, self.content, self.size, self.keep, self.prompt, self.area]
        return hashlib.sha256(json.dumps(parts).encode()).digest()[:16]


def checksum(key: bytes, dtype: str, shape: tuple[int, int], data: bytes | memoryview) -> int:
    """CRC-32 of numbers and of whose they are, so that neither they nor the way to them can be another unnoticed."""
    return zlib.crc32(data, zlib.crc32(key + f"{dtype} {shape[0]} {shape[1]}".encode()))


@dataclass(frozen=True)
class Record:
    """A row of a shard. ``data`` of ``shape`` and ``dtype``, or ``error``."""

    key: bytes
    source: Source
    sample: str | None
    dtype: str | None = None
    shape: tuple[int, int] | None = None
    data: bytes | None = None
    error: str | None = None


def write_shard(path: Path, records: Sequence[Record]) -> None:
    """Write a file, whole or not at all; one that is there already is the truth and stays."""
    rows = [
        {name: getattr(r, name) for name in ("key", "sample", "dtype", "shape", "data", "error")}
        | {name: getattr(r.source, name) for name in ("kind", "content", "size", "keep", "prompt", "area")}
        for r in records
    ]
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    compression = {name: "none" if name == "data" else "zstd" for name in _leaves()}
    with created_once(path) as temporary:
        pq.write_table(table, temporary, compression=compression, use_dictionary=["kind", "dtype"])
        note(path, temporary)


@dataclass(frozen=True)
class Shard:
    """What a shard holds. ``index``: of what it has numbers of; ``keys``: these, and what could not be encoded;
    ``failures``: (sample, error) of that."""

    index: pa.Table
    keys: list[bytes]
    failures: list[tuple[str, str]]


def read_shard(path: Path) -> Shard:
    """A shard that is there, read whole. Raises RunFailed for a damaged one."""
    try:
        return _read(path, check(path))
    except (pa.ArrowException, ArithmeticError, ValueError, LookupError, TypeError, MemoryError, struct.error) as error:
        raise damaged(path, str(error)) from None


def _read(path: Path, whole: bool) -> Shard:
    """``whole``: it has been checked, so that its numbers are those that were written."""
    with opened(path) as file:
        table = file.read(columns=["key", "sample", "shape.list.element", "dtype", "error"])
    good, bad = table.filter(table["error"].is_null()), table.filter(table["error"].is_valid())
    spans = value_spans(path, "data")
    shapes = good["shape"].to_pylist()
    index = pa.table(
        {
            "key": good["key"],
            "file": pa.array([path.name] * len(good), pa.string()),
            "offset": [offset for offset, _ in spans],
            "length": [length for _, length in spans],
            "tokens": [tokens for tokens, _ in shapes],
            "channels": [channels for _, channels in shapes],
            "dtype": good["dtype"],
            "crc32": pa.array(_checksums(path, good, spans) if whole else [None] * len(good), pa.uint32()),
        },
        schema=INDEX,
    )
    failures = list(zip(bad["sample"].to_pylist(), bad["error"].to_pylist(), strict=True))
    return Shard(index, table["key"].to_pylist(), failures)


def _checksums(path: Path, good: pa.Table, spans: Sequence[tuple[int, int]]) -> Iterator[int]:
    columns = (good[name].to_pylist() for name in ("key", "dtype", "shape"))
    with path.open("rb") as file:
        for key, dtype, (tokens, channels), (offset, length) in zip(*columns, spans, strict=True):
            file.seek(offset)
            yield checksum(key, dtype, (tokens, channels), file.read(length))


def _leaves() -> list[str]:
    """Parquet's names of the columns."""
    return [f"{f.name}.list.element" if pa.types.is_list(f.type) else f.name for f in SCHEMA]
