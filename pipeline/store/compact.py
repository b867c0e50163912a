"""RUN/compact/: what decisions read of finished fragments, in a few files for each part of a ledger.

    samples/F, scores/*/F, failures/F   ┌> rows/PART.STAMP.parquet        scalars of the samples that did not fail
    of the fragments of a part ─────────┼> captions/PART.STAMP.parquet    their captions
                                        ├> thumbnails/PART.STAMP.bin      their small copies, one after the other
                                        └> failures/PART.STAMP.parquet    id and step of those that did
    rows, captions ──somebody's function──> KIND/PART.KEY.parquet         what follows from them (``derived``)

A million rows are 4 thousand fragments and 20 thousand small files; here they are 16 parts. The stamp covers names, sizes
and times of the committed files, so that a listing tells what is up to date, and one that is not is made again: nothing in
here is ever the truth. Old files go when the new ones are whole. A file that is damaged is made again by whoever reads it.
"""

from __future__ import annotations

import hashlib
import json
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import RunFailed
from configs.files import replaced
from configs.storage.paths import ObjectPath
from configs.storage.spans import each, read_spans
from pipeline.annotators.measure import THUMBNAIL_BYTES
from pipeline.parquet import read_table, source_of
from pipeline.schema import STATE_SUFFIX
from pipeline.store.ledger import fragments, listed_sources
from pipeline.store.run_folder import RunFolder
from pipeline.store.table import FRAGMENT, FRAGMENT_ROW, own_columns, sample_part, scalar_schema, scored_by

_VERSION = "1"
"""Another one when the files below have another form."""
_ROWS, _CAPTIONS, _THUMBNAILS, _FAILURES = "rows", "captions", "thumbnails", "failures"
CHECKSUM = "thumbnail_crc32"
"""Column of ``rows``: of the small copy, null where there is none."""
_DAMAGED = (FileNotFoundError, pa.ArrowInvalid, OSError, RunFailed)
_REPEATING: tuple[str, ...] = (
    "origin",
    "source",
    "format",
    "license",
    "domain",
    "category",
    "task",
    "recipe",
    "strategy",
    "medium",
)
_REPEATING += ("caption_languages", "text_language", "text_level", "width", "height", "orientation", FRAGMENT)
"""Columns of few values, which dictionaries make small; other strings are unlike from row to row."""


@dataclass(frozen=True)
class Part:
    """A part of a ledger, its fragments, the stamp of what is committed of them, and which attempt they are of their
    inputs, from 1."""

    name: str
    fragments: tuple[str, ...]
    stamp: str
    attempt: int = 1


class Compacted:
    """What is compacted of a run as it is now; parts that are not are made when they are asked for."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self.annotators = scored_by(run)
        self._own = own_columns(run)
        arrow = scalar_schema(self.annotators, self._own)
        self.schema = arrow.append(pa.field(FRAGMENT, pa.string())).append(pa.field(FRAGMENT_ROW, pa.int32()))
        self._there = _listed(run.compact)
        self._about: dict[str, Mapping[bytes, bytes]] = {}
        self._lengths: dict[str, int] = {}
        self.parts = tuple(self._parts())

    def rows(self, part: Part, columns: Sequence[str]) -> pa.Table:
        """``columns`` of ``schema`` (or CHECKSUM) of the part's samples that did not fail, in ledger order."""
        table = self._read(part, _ROWS, part.stamp, columns, lambda: self._compact(part))
        self._about[part.name] = table.schema.metadata or {}
        self._lengths[part.name] = len(table)
        return table

    def length(self, part: Part) -> int:
        """How many rows it has."""
        if part.name not in self._lengths:
            self.rows(part, [FRAGMENT_ROW])
        return self._lengths[part.name]

    def captions(self, part: Part) -> pa.ChunkedArray:
        """Their captions, as they were collected."""
        return self._read(part, _CAPTIONS, part.stamp, ["captions"], lambda: self._compact(part))["captions"]

    def failures(self, part: Part) -> pa.Table:
        """id, step and attempt of the inputs of the part that failed in it."""
        table = self._read(part, _FAILURES, part.stamp, ["id", "step"], lambda: self._compact(part))
        return table.append_column("attempt", pa.repeat(pa.scalar(part.attempt, pa.int32()), len(table)))

    def fragments(self, part: Part) -> list[tuple[str, int]]:
        """(name, rows of samples/F, failed ones among them) of the part's fragments."""
        if part.name not in self._about:
            self.rows(part, [FRAGMENT_ROW])
        return [(name, count) for name, count in json.loads(self._about[part.name][b"glyphmill.fragments"])]

    def derived(
        self, part: Part, kind: str, recipe: str, make: Callable[[], pa.Table], columns: Sequence[str] | None = None
    ) -> pa.Table:
        """The table that ``make`` gives of this part's rows and captions, kept as long as they and ``recipe`` are the
        same. ``recipe``: all else that it follows from."""
        key = hashlib.sha256(f"{part.stamp} {recipe}".encode()).hexdigest()[:20]
        return self._read(part, kind, key, columns, lambda: self._write(part, kind, key, make()))

    def thumbnails(self, part: Part, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(uint8 (N, 1152), bool (N,) whether there is one) of rows of the part, which are ascending."""
        checks = self.rows(part, [CHECKSUM])[CHECKSUM].take(pa.array(rows))
        there = np.asarray(checks.is_valid())
        path = self._path(part, _THUMBNAILS, part.stamp, ".bin")
        found = _read_thumbnails(path, rows) if path.name in self._there.get(_THUMBNAILS, ()) else None
        wanted = checks.fill_null(0).to_numpy()
        if found is None or any(zlib.crc32(found[i]) != wanted[i] for i in np.flatnonzero(there)):
            self._compact(part)
            found = _read_thumbnails(path, rows)
        if found is None:
            raise RunFailed(f"{path} cannot be read again right after it was written; see whether its disk is full")
        return np.where(there[:, None], found, np.uint8(0)), there

    def _parts(self) -> Iterator[Part]:
        stamps = _stamps(self.run, self.annotators)
        names = json.dumps([_VERSION, [(f.name, str(f.type)) for f in self.schema]])
        for source in listed_sources(self.run.ledgers):
            cut: dict[tuple[str, int], list[str]] = {}
            for fragment in fragments(self.run.ledger(source), source):
                cut.setdefault((fragment.part, fragment.attempt), []).append(fragment.name)
            for (part, attempt), members in cut.items():
                told = hashlib.sha256(names.encode())
                for name in members:
                    told.update(json.dumps([name, [(folder, at.get(name)) for folder, at in stamps.items()]]).encode())
                yield Part(f"{source}-{part or 'whole'}", tuple(members), told.hexdigest()[:20], attempt)

    def _read(
        self, part: Part, kind: str, key: str, columns: Sequence[str] | None, make: Callable[[], object]
    ) -> pa.Table:
        path = self._path(part, kind, key)
        if path.name in self._there.get(kind, ()):
            try:
                return _read_whole(path, columns)
            except _DAMAGED:
                pass  # nothing in here is the truth: it is made again
        make()
        return _read_whole(path, columns)

    def _compact(self, part: Part) -> None:
        """Write the files of a part; ``rows`` last, for it is asked for first."""
        tables = list(each(lambda name: self._fragment(name), part.fragments, self.run.path))
        table = pa.concat_tables([t for t, _ in tables])
        about = {
            b"glyphmill.fragments": json.dumps(
                [(n, c) for n, (_, c) in zip(part.fragments, tables, strict=True)]
            ).encode()
        }
        small = table["thumbnail"]
        path = self._path(part, _THUMBNAILS, part.stamp, ".bin")
        with replaced(path, durable=False) as file, file.open("wb") as out:
            checks = [_append(out, picture) for picture in small.to_pylist()]
        self._written(part, _THUMBNAILS, part.stamp, path)
        self._write(part, _CAPTIONS, part.stamp, table.select(["captions"]))
        failed = each(lambda name: read_table(self.run.failures(name), ["id", "step"]), part.fragments, self.run.path)
        self._write(part, _FAILURES, part.stamp, pa.concat_tables(failed).replace_schema_metadata(None))
        rows = table.select(self.schema.names).append_column(CHECKSUM, pa.array(checks, pa.uint32()))
        self._write(part, _ROWS, part.stamp, rows.replace_schema_metadata(about))

    def _fragment(self, name: str) -> tuple[pa.Table, int]:
        columns = [n for n in self.schema.names if n not in (FRAGMENT, FRAGMENT_ROW)]
        return sample_part(self.run, name, [*columns, "captions", "thumbnail"], self.annotators, self._own)

    def _write(self, part: Part, kind: str, key: str, table: pa.Table) -> None:
        path = self._path(part, kind, key)
        with replaced(path, durable=False) as file:
            pq.write_table(
                table,
                file,
                compression="zstd",
                compression_level=1,
                use_dictionary=[f.name for f in table.schema if f.name in _REPEATING or f.name.endswith(STATE_SUFFIX)],
                write_page_checksum=True,
                row_group_size=max(len(table), 1),
            )
        self._written(part, kind, key, path)

    def _written(self, part: Part, kind: str, key: str, path: Path) -> None:
        """Remove what the file at ``path`` takes the place of."""
        self._there.setdefault(kind, set()).add(path.name)
        for name in list(self._there.get(kind, ())):
            owner, _, other = name.rpartition(".")[0].rpartition(".")
            if owner == part.name and other != key:
                (self._folder / kind / name).unlink(missing_ok=True)
                self._there[kind].discard(name)

    @property
    def _folder(self) -> Path:
        return self.run.compact

    def _path(self, part: Part, kind: str, key: str, ending: str = ".parquet") -> Path:
        return self._folder / kind / f"{part.name}.{key}{ending}"


def _listed(folder: Path) -> dict[str, set[str]]:
    """Kind -> names of its files, by one listing."""
    found: dict[str, set[str]] = {}
    for path in folder.glob("*/[!.]*"):
        found.setdefault(path.parent.name, set()).add(path.name)
    return found


def _stamps(run: RunFolder, annotators: Sequence[str]) -> dict[str, dict[str, str]]:
    """Folder -> fragment -> what changes when its file there does."""
    folders = {"samples": run.samples("x"), "failures": run.failures("x")}
    folders |= {f"scores/{name}": run.scores(name, "x") for name in annotators}
    return dict(zip(folders, each(_stamps_of, [path.parent for path in folders.values()], run.path), strict=True))


def _stamps_of(folder: Path) -> dict[str, str]:
    found = {}
    for path in folder.glob("[!.]*.parquet"):
        about = path.stat()
        found[path.stem] = f"{about.st_size} {getattr(about, 'e_tag', None) or about.st_mtime_ns}"
    return found


def _read_whole(path: Path, columns: Sequence[str] | None) -> pa.Table:
    distant = isinstance(path, ObjectPath)
    with pq.ParquetFile(source_of(path), pre_buffer=distant, page_checksum_verification=True) as file:
        return file.read(list(columns) if columns is not None else None)


def _append(out: BinaryIO, picture: bytes | None) -> int | None:
    out.write(picture or bytes(THUMBNAIL_BYTES))
    return None if picture is None else zlib.crc32(picture)


def _read_thumbnails(path: Path, rows: np.ndarray) -> np.ndarray | None:
    """uint8 (N, 1152) of ascending rows; None where the file lacks them."""
    if isinstance(path, ObjectPath):
        try:
            spans = [(int(row) * THUMBNAIL_BYTES, THUMBNAIL_BYTES) for row in rows]
            joined = b"".join(read_spans(path, spans, None))
        except _DAMAGED:
            return None
        whole = len(joined) == len(rows) * THUMBNAIL_BYTES
        return np.frombuffer(joined, np.uint8).reshape(-1, THUMBNAIL_BYTES) if whole else None
    if not path.exists() or path.stat().st_size < (int(rows.max(initial=-1)) + 1) * THUMBNAIL_BYTES:
        return None
    if not len(rows):
        return np.empty((0, THUMBNAIL_BYTES), np.uint8)
    return np.memmap(path, np.uint8, "r").reshape(-1, THUMBNAIL_BYTES)[rows]
