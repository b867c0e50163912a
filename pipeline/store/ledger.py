"""The ledger: one row per input, written once when a source is listed. All sums are checked against it.

    entries (canonical order) ──slices──> fragments ──> ledger/<source>.parquet, one row group each

A fragment is a fixed slice of it: the unit of work, of batching, of commit and of resume. One fragment at a time
is in memory, however many inputs a source has.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import UserError
from configs.files import created_once
from pipeline.parquet import opened, read_metadata
from pipeline.store.spill import temporary_database

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
        pa.field("refused_captions", pa.list_(pa.string())),  # codes of captions that are there and cannot be read
        pa.field("place", pa.string()),  # JSON: where the source's reader finds it, what its list says of it
    ]
)

_MOST_MEGABYTES = 1000
"""Upper bound of a fragment's listed bytes (10^6): Arrow's offsets end at 2^31, and files may grow; chosen."""


@dataclass(frozen=True)
class Entry:
    """One input as its source lists it. ``refused``: it is known not to be readable, and why."""

    uri: str
    bytes: int | None = None
    captions: list[str] | None = None
    refused: str | None = None
    id: str | None = None  # None: the hash of (source, uri, ordinal)
    refused_captions: list[str] | None = None
    place: str | None = None
    ordinal: int | None = None  # None: counted among equal uris; a source that knows better saves the look-up


@dataclass(frozen=True)
class FragmentsConfig:
    """How the ledger is sliced: at most ``inputs`` rows and about ``megabytes`` (10^6) of listed bytes, which a
    worker holds several times over."""

    inputs: int = 256
    megabytes: int = 128

    def __post_init__(self) -> None:
        for name in ("inputs", "megabytes"):
            if getattr(self, name) < 1:
                raise ValueError(f"field '{name}': must be at least 1, found {getattr(self, name)}")
        if self.megabytes > _MOST_MEGABYTES:
            raise ValueError(f"field 'megabytes': must be at most {_MOST_MEGABYTES}, found {self.megabytes}")


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


def slices(entries: Iterable[Entry], config: FragmentsConfig) -> Iterator[list[Entry]]:
    """Cut entries into runs that respect ``config``; one input larger than the limit makes a run of its own."""
    part: list[Entry] = []
    total = 0
    for entry in entries:
        size = entry.bytes or 0
        if part and (len(part) >= config.inputs or total + size > config.megabytes * 10**6):
            yield part
            part, total = [], 0
        part.append(entry)
        total += size
    if part:
        yield part


def write_ledger(path: Path, source: str, entries: Iterable[Entry], config: FragmentsConfig) -> None:
    """Commit the ledger of one source; does nothing where it exists: what was listed first is the truth.

    Raises UserError for an id that a source gives twice.
    """
    ordinals = _Ordinals()
    with created_once(path) as temporary, pq.ParquetWriter(temporary, SCHEMA) as writer:
        for index, part in enumerate(slices(entries, config)):
            rows = [_row(source, fragment_name(source, index), entry, ordinals) for entry in part]
            writer.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), row_group_size=len(rows))


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


def _row(source: str, fragment: str, entry: Entry, ordinals: _Ordinals) -> dict[str, Any]:
    ordinal = ordinals.next(entry.uri) if entry.ordinal is None else entry.ordinal
    if entry.id and ordinals.next(f"\0{entry.id}"):
        raise UserError(f"source '{source}': the id '{entry.id}' of '{entry.uri[:200]}' is given twice; ids are unique")
    id_ = entry.id or sample_id(source, entry.uri, ordinal)
    return {**vars(entry), "id": id_, "source": source, "ordinal": ordinal, "fragment": fragment}


class _Ordinals:
    """Counts equal uris, and ids that sources give. Any input may repeat an earlier one, so all of them are remembered,
    on disk if need be."""

    def __init__(self) -> None:
        self._seen = temporary_database()
        self._seen.execute("CREATE TABLE seen (uri BLOB PRIMARY KEY, ordinal INTEGER) WITHOUT ROWID")

    def next(self, uri: str) -> int:
        """0 for a uri that is new, 1 the second time, and so on."""
        key = (hashlib.sha256(uri.encode()).digest()[:16],)
        if self._seen.execute("INSERT OR IGNORE INTO seen VALUES (?, 0)", key).rowcount:
            return 0
        self._seen.execute("UPDATE seen SET ordinal = ordinal + 1 WHERE uri = ?", key)
        return self._seen.execute("SELECT ordinal FROM seen WHERE uri = ?", key).fetchone()[0]
