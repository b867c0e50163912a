"""RUN/compact/: what decisions read of finished fragments, in a few files for each part of a ledger.

    samples/F, scores/*/F, failures/F   ┌> rows/PART.STAMP.parquet        scalars of the samples that did not fail
    of the fragments of a part ─────────┼> captions/PART.STAMP.parquet    their captions
                                        ├> thumbnails/PART.STAMP.bin      their small copies, one after the other
                                        └> failures/PART.STAMP.parquet    those that did: id, uri, step, error, reason
    rows, captions ──somebody's function──> KIND/PART.KEY.parquet         what follows from them (``derived``)

A million rows are 4 thousand fragments and 20 thousand small files; here they are 16 parts. The stamp covers names and
sizes of the committed files, so that a listing tells what is up to date, and what is not is made again by whoever asks for
it: nothing in here is ever the truth. Old files go when the new ones are whole; a damaged one is made again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import pyarrow as pa

from configs.errors import RunFailed
from configs.storage.spans import each
from pipeline.parquet import read_table
from pipeline.schema import CAPTION_SCORES, COLUMNS
from pipeline.store.compact_files import CompactFiles, stamps
from pipeline.store.ledger import fragments, listed_sources
from pipeline.store.run_folder import RunFolder
from pipeline.store.table import FRAGMENT, FRAGMENT_ROW, own_of, sample_part, scalar_schema, score_schemas, scored_by

_T = TypeVar("_T")
_VERSION = "2"
"""Another one when the files have another form."""
_BEGIN = 8
"""Digits of a part's stamp with which the keys of all of its files begin."""
_ROWS, _CAPTIONS, _THUMBNAILS, _FAILURES = "rows", "captions", "thumbnails", "failures"
WATERMARKS = "watermarks"
"""The one list that decisions look at; in ``rows`` where a captioner has filled it."""
_CHECKSUM = "thumbnail_crc32"
"""Column of ``rows``: of the small copy, null where there is none."""
_FRAGMENTS = b"glyphmill.fragments"
"""In the metadata of ``rows``: name and length of each fragment."""
_DIGESTS = b"glyphmill.digests"
"""In the metadata of ``rows``: of the values of each of its columns, and of what annotators say of captions."""
_OF_FAILURES = ("id", "uri", "step", "error", "reason")


@dataclass(frozen=True)
class Part:
    """A part of the ledger of ``source``. ``stamp``: of what is committed of its fragments, ``newest``: time in ns of the
    newest of that. ``attempt``: which one they are of their inputs, from 1."""

    name: str
    fragments: tuple[str, ...]
    stamp: str
    newest: int
    attempt: int = 1
    source: str = ""


@dataclass(frozen=True)
class _Told:
    """What the file of a part's rows says beside them."""

    rows: int
    fragments: list[tuple[str, int]]
    digests: dict[str, str]


class Compacted:
    """What is compacted of a run as it is now; parts that are not are made when they are asked for.

    ``schemas``: annotator -> what its scores hold. ``own``: columns of them that schema.py lacks. ``schema``: of ``rows``.
    """

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self.annotators = scored_by(run)
        known = stamps(run, self.annotators)
        firsts = {name: min(known[f"scores/{name}"], default="") for name in self.annotators}
        self.schemas = score_schemas(run, firsts)
        self.own = own_of(self.schemas)
        arrow = scalar_schema(self.annotators, self.own)
        if any(WATERMARKS in told.names for told in self.schemas.values()):
            arrow = arrow.append(pa.field(WATERMARKS, COLUMNS[WATERMARKS].type))
        self.schema = arrow.append(pa.field(FRAGMENT, pa.string())).append(pa.field(FRAGMENT_ROW, pa.int32()))
        self._files = CompactFiles(run.compact)
        self._told: dict[str, _Told] = {}
        self._known = known
        self.parts = tuple(self._parts(known))

    def committed(self, folder: str) -> frozenset[str]:
        """The fragments that have a file in ``samples``, ``failures`` or ``scores/<annotator>``."""
        return frozenset(self._known[folder])

    def versions(self) -> dict[str, str]:
        """Annotator -> version of the definition by which it scored."""
        told = {name: self.schemas[name].metadata or {} if name in self.schemas else {} for name in self.annotators}
        return {name: metadata.get(b"glyphmill.version", b"").decode() for name, metadata in told.items()}

    def rows(self, part: Part, columns: Sequence[str]) -> pa.Table:
        """``columns`` of ``schema`` of the part's samples that did not fail, in ledger order."""
        table = self._read(part, _ROWS, columns)
        metadata = table.schema.metadata or {}
        fragments = [(name, count) for name, count in json.loads(metadata[_FRAGMENTS])]
        self._told[part.name] = _Told(len(table), fragments, json.loads(metadata[_DIGESTS]))
        return table

    def captions(self, part: Part) -> pa.ChunkedArray:
        """Their captions, as they were collected."""
        return self._read(part, _CAPTIONS, ["captions"])["captions"]

    def failures(self, part: Part, columns: Sequence[str] = ("id", "step")) -> pa.Table:
        """``columns`` (of id, uri, step, error, reason) and attempt of the inputs of the part that failed in it."""
        table = self._read(part, _FAILURES, columns)
        return table.append_column("attempt", pa.repeat(pa.scalar(part.attempt, pa.int32()), len(table)))

    def length(self, part: Part) -> int:
        """How many rows it has."""
        return self._about(part).rows

    def fragments(self, part: Part) -> list[tuple[str, int]]:
        """(name, rows of samples/F, failed ones among them) of the part's fragments."""
        return self._about(part).fragments

    def digests(self, part: Part) -> dict[str, str]:
        """Column of ``schema`` or of schema.CAPTION_SCORES -> a digest of its values in the part. Blanking the pictures and
        captions of removed rows changes none of them."""
        return self._about(part).digests

    def thumbnails(self, part: Part, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(uint8 (N, 1152), bool (N,) whether there is one) of ascending ``rows`` of the part."""
        checks = self.rows(part, [_CHECKSUM])[_CHECKSUM].take(pa.array(rows))
        of = part.name, part.stamp, part.newest
        small = self._made(part, lambda: self._files.read_thumbnails(_THUMBNAILS, *of, rows, checks))
        return small, np.asarray(checks.is_valid())

    def derived(self, part: Part, kind: str, recipe: str, make: Callable[[], pa.Table]) -> pa.Table:
        """The table that ``make`` gives of this part's rows and captions, kept as long as they and ``recipe`` are the
        same. ``recipe``: all else that it follows from."""
        key = part.stamp[:_BEGIN] + hashlib.sha256(f"{part.stamp} {recipe}".encode()).hexdigest()[: 20 - _BEGIN]
        found = self._files.read(kind, part.name, key, part.newest, None)
        if found is None:
            found = make()
            self._files.write(kind, part.name, key, part.newest, found)
        return found

    def whole(self, name: str, parts: Sequence[Part]) -> Part:
        """Some parts as one, for what is derived of them together."""
        stamp = hashlib.sha256("".join(part.stamp for part in parts).encode()).hexdigest()
        return Part(name, (), stamp, max((part.newest for part in parts), default=0))

    def _about(self, part: Part) -> _Told:
        if part.name not in self._told:
            self.rows(part, [FRAGMENT_ROW])
        return self._told[part.name]

    def _parts(self, known: Mapping[str, Mapping[str, tuple[int, int]]]) -> Iterator[Part]:
        names = json.dumps([_VERSION, [(f.name, str(f.type)) for f in self.schema]])
        for source in listed_sources(self.run.ledgers):
            cut: dict[tuple[str, int], list[str]] = {}
            for fragment in fragments(self.run.ledger(source), source):
                cut.setdefault((fragment.part, fragment.attempt), []).append(fragment.name)
            for (part, attempt), members in cut.items():
                files = [
                    (folder, name, *there.get(name, (-1, 0))) for folder, there in known.items() for name in members
                ]
                told = hashlib.sha256(json.dumps([names, [file[:3] for file in files]]).encode()).hexdigest()[:20]
                newest = max(file[3] for file in files)
                yield Part(f"{source}-{part or 'whole'}", tuple(members), told, newest, attempt, source)

    def _read(self, part: Part, kind: str, columns: Sequence[str]) -> pa.Table:
        return self._made(part, lambda: self._files.read(kind, part.name, part.stamp, part.newest, columns))

    def _made(self, part: Part, read: Callable[[], _T | None]) -> _T:
        """What ``read`` gives of the part, whose files are written first where it gives nothing."""
        found = read()
        if found is None:
            self._compact(part)
            found = read()
        if found is None:
            where = self.run.compact
            raise RunFailed(f"{where} cannot be read right after it was written; see whether its disk is sound")
        return found

    def _compact(self, part: Part) -> None:
        """Write the files of a part."""
        scalars = [n for n in self.schema.names if n not in (FRAGMENT, FRAGMENT_ROW)]
        of_captions = [n for n in CAPTION_SCORES if any(n in arrow.names for arrow in self.schemas.values())]
        columns = [*scalars, *of_captions, "captions", "thumbnail"]

        def read(name: str) -> tuple[pa.Table, int, pa.Table]:
            rows, count = sample_part(self.run, name, columns, self.annotators, self.own)
            return rows, count, _failures(self.run, name)

        tables, counts, failed = zip(*each(read, part.fragments, self.run.path), strict=True)
        table = pa.concat_tables(tables)
        of = part.name, part.stamp, part.newest
        checks = self._files.write_thumbnails(_THUMBNAILS, *of, table["thumbnail"])
        self._files.write(_CAPTIONS, *of, table.select(["captions"]))
        self._files.write(_FAILURES, *of, pa.concat_tables(failed))
        told = json.dumps(list(zip(part.fragments, counts, strict=True)))
        rows = table.select(self.schema.names).append_column(_CHECKSUM, checks)
        digests = {name: _digest(table[name]) for name in [*self.schema.names, *of_captions]}
        metadata = {_FRAGMENTS: told, _DIGESTS: json.dumps(digests | {_CHECKSUM: _digest(rows[_CHECKSUM])})}
        # what was derived of older rows may hold texts that were taken down since
        self._files.remove_older(part.name, part.stamp[:_BEGIN], part.newest, keep=_ROWS)
        self._files.write(_ROWS, *of, rows.replace_schema_metadata(metadata))  # last: it is asked for first


def _digest(column: pa.ChunkedArray) -> str:
    """Of the values of a column and of which are null: 16 hex digits, whatever lies in memory under a null."""
    whole = column.combine_chunks()
    found = hashlib.sha256(np.packbits(np.asarray(whole.is_valid())).tobytes())
    if pa.types.is_nested(whole.type):
        found.update(json.dumps(whole.to_pylist()).encode())
    else:
        found.update(pa.record_batch([whole.drop_null()], names=[""]).serialize())
    return found.hexdigest()[:16]


def _failures(run: RunFolder, fragment: str) -> pa.Table:
    """What failed of a fragment; earlier versions gave no reason."""
    table = read_table(run.failures(fragment)).replace_schema_metadata(None)
    if "reason" not in table.column_names:
        table = table.append_column("reason", pa.repeat(pa.scalar("error"), len(table)))
    return table.select(_OF_FAILURES)
