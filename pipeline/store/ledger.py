"""The ledger: one row per input, written once when a source is listed. All sums are checked against it.

    entries (canonical order) ──slice──> fragments ──> ledger/<source>.parquet, one row group each

A fragment is a fixed slice of it: the unit of work, of batching, of commit and of resume.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from configs.files import created_once
from pipeline.parquet import opened, read_metadata

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("ordinal", pa.int32(), nullable=False),  # among equal uris of the source
        pa.field("bytes", pa.int64()),  # as listed; null where nothing was stored yet (synthetic)
        pa.field("fragment", pa.string(), nullable=False),
        pa.field("captions", pa.list_(pa.string())),  # that a caption file of the source gave
        pa.field("refused", pa.string()),  # why listing already knows that it is not a picture
    ]
)


@dataclass(frozen=True)
class Entry:
    """One input as its source lists it. ``refused``: it is known not to be readable, and why."""

    uri: str
    bytes: int | None = None
    captions: list[str] | None = None
    refused: str | None = None
    id: str | None = None  # None: the hash of (source, uri, ordinal)


@dataclass(frozen=True)
class FragmentsConfig:
    """How the ledger is sliced: at most ``inputs`` rows and about ``megabytes`` (10^6) of listed bytes."""

    inputs: int = 256
    megabytes: int = 128

    def __post_init__(self) -> None:
        for name in ("inputs", "megabytes"):
            if getattr(self, name) < 1:
                raise ValueError(f"field '{name}': must be at least 1, found {getattr(self, name)}")


@dataclass(frozen=True)
class Fragment:
    """A row group of a source's ledger."""

    name: str
    source: str
    index: int
    inputs: int


def sample_id(source: str, uri: str, ordinal: int) -> str:
    """32 hex digits: sha256 over source name, canonical uri and ordinal, each ended by a zero byte."""
    return hashlib.sha256(f"{source}\0{uri}\0{ordinal}\0".encode()).hexdigest()[:32]


def slices(sizes: Sequence[int | None], config: FragmentsConfig) -> list[range]:
    """Cut positions 0..n-1 into runs that respect ``config``; one input larger than the limit stands alone."""
    cuts: list[range] = []
    start, total = 0, 0
    for position, size in enumerate(sizes):
        full = position - start >= config.inputs or total + (size or 0) > config.megabytes * 10**6
        if full and position > start:
            cuts.append(range(start, position))
            start, total = position, 0
        total += size or 0
    if start < len(sizes):
        cuts.append(range(start, len(sizes)))
    return cuts


def write_ledger(path: Path, source: str, entries: Iterable[Entry], config: FragmentsConfig) -> None:
    """Commit the ledger of one source; does nothing where it exists: what was listed first is the truth."""
    listed = list(entries)
    rows = _rows(source, listed)
    with created_once(path) as temporary, pq.ParquetWriter(temporary, SCHEMA) as writer:
        for index, cut in enumerate(slices([e.bytes for e in listed], config)):
            name = fragment_name(source, index)
            part = [{**rows[i], "fragment": name} for i in cut]
            writer.write_table(pa.Table.from_pylist(part, schema=SCHEMA), row_group_size=len(part))


def fragment_name(source: str, index: int) -> str:
    """``<source>-00000``: the ``F`` in the layout of a run."""
    return f"{source}-{index:05d}"


def fragments(path: Path, source: str) -> list[Fragment]:
    """The fragments of a source, from the footer of its ledger."""
    footer = read_metadata(path)
    return [
        Fragment(fragment_name(source, i), source, i, footer.row_group(i).num_rows)
        for i in range(footer.num_row_groups)
    ]


def read_fragment(path: Path, index: int) -> list[dict[str, Any]]:
    """The ledger rows of one fragment."""
    with opened(path) as file:
        return file.read_row_group(index).to_pylist()


def _rows(source: str, entries: Sequence[Entry]) -> list[dict[str, Any]]:
    seen: dict[str, int] = {}
    rows = []
    for entry in entries:
        ordinal = seen.get(entry.uri, 0)
        seen[entry.uri] = ordinal + 1
        row = asdict(entry)
        row.update(id=entry.id or sample_id(source, entry.uri, ordinal), source=source, ordinal=ordinal)
        rows.append(row)
    return rows
