"""The ledger: one row per input, written once when a source is listed. All sums are checked against it.

    entries (canonical order) ──slices──> fragments ──> ledger/<source>/00000.parquet, 00256.parquet ...
    inputs that are tried again ────────> fragments ──> ledger/<source>/r1.parquet, r2.parquet ...

A fragment is a fixed slice of it: the unit of work, of batching, of commit and of resume. A part holds the row groups
of up to 256 fragments and is named after the first of them; the last part says that it is the last. Work on a part may
begin while the next one is listed, and no more than a part is in memory, however many inputs a source has. Runs of
earlier versions have one file, ledger/<source>.parquet, instead.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import RunFailed, UserError
from configs.files import created_once
from pipeline.parquet import opened, read_metadata, read_table
from pipeline.store.spill import temporary_database

_ENDING = ".parquet"
_LAST = "glyphmill.last"
"""In the metadata of the part with which a listing ends."""

PART = 256
"""Fragments of a part, and as many as are worth starting workers for; chosen."""

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
        pa.field("reason", pa.string()),  # which of failures.REASONS that is
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
    reason: str | None = None  # of REASONS in store/failures.py
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
class Part:
    """A file of a ledger. ``name``: empty for the one file of an earlier version. ``retry``: 0 for what was listed, 1
    for what is tried again, and so on."""

    path: Path
    name: str
    retry: int = 0

    @property
    def last(self) -> bool:
        """Whether the listing ends with it."""
        return not self.name or _rows(self.path).last


@dataclass(frozen=True)
class Fragment:
    """Row group ``index`` of the ledger's file ``part``. ``attempt``: 1, or more where its inputs are tried again."""

    name: str
    source: str
    part: str
    index: int
    inputs: int
    attempt: int = 1


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


def write_ledger(folder: Path, source: str, entries: Iterable[Entry], config: FragmentsConfig) -> None:
    """Commit the whole ledger of one source (see ``write_parts``); does nothing where it is listed to its end."""
    if not is_listed(folder):
        for _ in write_parts(folder, source, entries, config):
            pass


def write_parts(
    folder: Path, source: str, entries: Iterable[Entry], config: FragmentsConfig
) -> Iterator[list[Fragment]]:
    """Commit the ledger of one source part by part; yields the fragments of each once it is there.

    A part that exists stays: what was listed first is the truth. Raises UserError for an id that a source gives
    twice, RunFailed where a part that exists holds other inputs than are listed now.
    """
    ordinals, first, cuts = _Ordinals(), 0, _Ahead(slices(entries, config))
    while not (first and cuts.ended):  # a source without inputs has one part, too
        part = Part(folder / f"{first:05d}{_ENDING}", f"{first:05d}")
        tables = (
            _table(source, fragment_name(source, first + i), cut, ordinals)
            for i, cut in enumerate(itertools.islice(cuts, PART))
        )
        if part.path.exists():
            _check_part(part, tables, cuts)
        else:
            _write_part(part.path, tables, cuts)
        found = _fragments_of(part, source, first)
        yield found
        first += len(found) or 1


def write_retry(folder: Path, source: str, rows: Sequence[Mapping[str, Any]], config: FragmentsConfig) -> None:
    """Commit a further part: ledger ``rows`` whose inputs are tried again, with the ids that they have."""
    number = 1 + max((part.retry for part in parts(folder)), default=0)
    known = {name: [row.get(name) for row in rows] for name in SCHEMA.names}
    cuts = slices((Entry(row["id"], row["bytes"], ordinal=i) for i, row in enumerate(rows)), config)
    tables = []
    for index, cut in enumerate(cuts):
        fragment = fragment_name(source, index, number)
        columns = {name: [values[entry.ordinal or 0] for entry in cut] for name, values in known.items()}
        tables.append(pa.table(columns | {"fragment": [fragment] * len(cut)}, schema=SCHEMA))
    _write_part(folder / f"r{number}{_ENDING}", tables)


def fragment_name(source: str, index: int, retry: int = 0) -> str:
    """``<source>-00000``, or ``<source>-r1-00000`` of what is tried again: the ``F`` in the layout of a run."""
    return f"{source}-r{retry}-{index:05d}" if retry else f"{source}-{index:05d}"


def listed_sources(folder: Path) -> list[str]:
    """The names of all sources that have a ledger in RUN/ledger, in the order of the files of earlier versions."""
    names = {path.name.removesuffix(_ENDING) for path in folder.glob("[!.]*")}
    return sorted(names, key=lambda name: name + _ENDING)


def parts(folder: Path) -> list[Part]:
    """The files of a source's ledger as they were written, those of what is tried again last."""
    old = folder.with_name(folder.name + _ENDING)
    files = {path.name.removesuffix(_ENDING): path for path in folder.glob(f"[!.]*{_ENDING}")}
    found = [Part(path, name, int(name[1:]) if name.startswith("r") else 0) for name, path in files.items()]
    listed = [Part(old, "")] if all(part.retry for part in found) and old.is_file() else []
    return listed + sorted(found, key=lambda part: (part.retry, len(part.name), part.name))


def is_listed(folder: Path) -> bool:
    """Whether the source was listed to its end."""
    listed = [part for part in parts(folder) if not part.retry]
    return bool(listed) and listed[-1].last


def fragments(folder: Path, source: str) -> list[Fragment]:
    """The fragments of a source, from the footers of its ledger, those of what is tried again last."""
    found: list[Fragment] = []
    for part in parts(folder):
        found += _fragments_of(part, source, 0 if part.retry else len(found))
    return found


def read_ids(part: Part) -> pa.Table:
    """The column ``id`` of a part."""
    return read_table(part.path, ["id"], whole=bool(part.name))  # an earlier version's file is as long as its source


def read_fragment(folder: Path, fragment: Fragment) -> list[dict[str, Any]]:
    """The ledger rows of one fragment."""
    name = f"{fragment.part}{_ENDING}"
    path = folder / name if fragment.part else folder.with_name(folder.name + _ENDING)
    with opened(path, footer=_footer(path, *_version(path))) as file:
        return file.read_row_group(fragment.index).to_pylist()


class _Ahead(Iterator[list[Entry]]):
    """The fragments of a listing, with a look at whether more will come."""

    def __init__(self, cuts: Iterator[list[Entry]]) -> None:
        self._cuts = cuts
        self._next = next(cuts, None)

    @property
    def ended(self) -> bool:
        return self._next is None

    def __next__(self) -> list[Entry]:
        found = self._next
        if found is None:
            raise StopIteration
        self._next = next(self._cuts, None)
        return found


def _table(source: str, fragment: str, cut: Sequence[Entry], ordinals: _Ordinals) -> pa.Table:
    return pa.Table.from_pylist([_row(source, fragment, entry, ordinals) for entry in cut], schema=SCHEMA)


def _write_part(path: Path, tables: Iterable[pa.Table], listing: _Ahead | None = None) -> None:
    """A row group each; the part with which ``listing`` ends says so."""
    # Nobody asks for rows by their values, and statistics would make the larger part of a footer of 256 row groups.
    with created_once(path) as temporary, pq.ParquetWriter(temporary, SCHEMA, write_statistics=False) as writer:
        for table in tables:
            writer.write_table(table, row_group_size=len(table))
        if listing and listing.ended:
            writer.add_key_value_metadata({_LAST: "yes"})


def _check_part(part: Part, tables: Iterable[pa.Table], listing: _Ahead) -> None:
    """Raise RunFailed unless a part that was committed before holds what is listed now."""
    with opened(part.path) as file:
        same = [_same_ids(file, i, table) for i, table in enumerate(tables)]
        as_listed = all(same) and len(same) == file.num_row_groups and listing.ended == part.last
    if not as_listed:
        raise RunFailed(
            f"{part.path}: the source was listed up to here and lists other inputs now: something was added, removed "
            "or changed meanwhile; put it back, or take a new RUN folder"
        )


def _same_ids(file: pq.ParquetFile, group: int, table: pa.Table) -> bool:
    return group < file.num_row_groups and file.read_row_group(group, ["id"])["id"].equals(table["id"])


def _fragments_of(part: Part, source: str, first: int) -> list[Fragment]:
    retry = part.retry
    return [
        Fragment(fragment_name(source, first + i, retry), source, part.name, i, rows, 1 + retry)
        for i, rows in enumerate(_rows(part.path).counts)
    ]


@dataclass(frozen=True)
class _Rows:
    """Of a committed part: rows of each row group, and whether the listing ends with it."""

    counts: tuple[int, ...]
    last: bool


def _rows(path: Path) -> _Rows:
    """Asked for by every step of a command, and read once."""
    return _rows_of(path, *_version(path))


@lru_cache(maxsize=1 << 15)
def _rows_of(path: Path, size: int, time: float) -> _Rows:
    """Kept in place of the footer, which takes a megabyte and more; ``size``, ``time``: what changes with the file."""
    footer = read_metadata(path)
    counts = tuple(footer.row_group(i).num_rows for i in range(footer.num_row_groups))
    return _Rows(counts, _LAST.encode() in (footer.metadata or {}))


@lru_cache(maxsize=2)
def _footer(path: Path, size: int, time: float) -> pq.FileMetaData:
    """Of the part whose fragments are worked on: to read it anew for each would take as long as the rows themselves."""
    return read_metadata(path)


def _version(path: Path) -> tuple[int, float]:
    about = path.stat()
    return about.st_size, about.st_mtime


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
