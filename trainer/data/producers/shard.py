"""One shard of latents or conditions: a Parquet file whose numbers are read by offset, and what it holds by key.

    Record, Record, ... ──write_shard──> shards/NAME.parquet ──shard_index──> key -> file, offset, length, shape, dtype

A picture that could not be read has a row as well: without numbers, with its ``error``.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from configs.files import created_once
from pipeline.pack.spans import value_spans
from pipeline.parquet import opened
from trainer.order.bucket import Bucket

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
    ]
)


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
        {"key": r.key, "sample": r.sample, "dtype": r.dtype, "shape": r.shape, "data": r.data, "error": r.error}
        | {name: getattr(r.source, name) for name in ("kind", "content", "size", "keep", "prompt", "area")}
        for r in records
    ]
    table = pa.Table.from_pylist(rows, schema=SCHEMA)
    compression = {name: "none" if name == "data" else "zstd" for name in _leaves()}
    with created_once(path) as temporary:
        pq.write_table(table, temporary, compression=compression, use_dictionary=["kind", "dtype"])


def shard_index(path: Path) -> tuple[pa.Table, list[tuple[str, str]]]:
    """Of a shard that is there: a row of INDEX for everything that it has numbers of, and (sample, error) of the rest.

    Raises RunFailed for a damaged file.
    """
    with opened(path) as file:
        table = file.read(columns=["key", "sample", "shape.list.element", "dtype", "error"])
    spans = value_spans(path, "data")
    good = table.filter(table["error"].is_null())
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
        },
        schema=INDEX,
    )
    bad = table.filter(table["error"].is_valid())
    return index, list(zip(bad["sample"].to_pylist(), bad["error"].to_pylist(), strict=True))


def _leaves() -> list[str]:
    """Parquet's names of the columns."""
    return [f"{f.name}.list.element" if pa.types.is_list(f.type) else f.name for f in SCHEMA]
