"""RUN/removed/: what was taken down, and is never taken in again.

    00001.parquet   tombstones: the rows that went, where they were, and why; what was asked for, in its metadata
    00001.json      the receipt, written when their bytes are gone from samples/ and dataset/

Tombstones outrank all else. A row that has one is in no dataset, and an input that comes later, by a retry or from a
further source, is refused unread where what was asked for names it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq

from configs.files import created_once, replace_text
from pipeline.licenses import license_name, names_in
from pipeline.parquet import read_metadata, read_table
from pipeline.store.run_folder import RunFolder

By = Literal["ids", "uris", "hosts", "licenses"]
"""What a takedown names rows by."""

_ASKED = b"glyphmill.asked"
_SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("uri", pa.string(), nullable=False),
        pa.field("source", pa.string(), nullable=False),
        pa.field("why", pa.string(), nullable=False),  # what of the list it is, or whose copy is in it
        pa.field("followed", pa.bool_(), nullable=False),  # whether it went because it was made from another one
        pa.field("fragment", pa.string()),  # of samples/; null where the input had failed
        pa.field("shard", pa.string()),  # of dataset/data at that time
        pa.field("bytes", pa.int64(), nullable=False),  # of its picture and references
        pa.field("stage_from", pa.int8()),  # as it was decided then: shards are cut as if the row were still there
        pa.field("stage_to", pa.int8()),
    ]
)


@dataclass(frozen=True)
class Asked:
    """One takedown: rows by their ids, uris, hosts or licenses."""

    by: By
    values: frozenset[str]

    def names(self, row: Mapping[str, Any], urls: Iterable[str] = ()) -> str | None:
        """What of the list names the row (id, uri and, once it is read, license), or one of ``urls``; None: nothing."""
        if self.by == "hosts":
            found = next((host for url in (row["uri"], *urls) if (host := self._host(url))), None)
        elif self.by == "licenses":
            found = next((name for name in names_in(row.get("license")) if license_name(name) in self.values), None)
        else:
            found = row[self.by.removesuffix("s")]
            found = found if found in self.values else None
        return found and f"{self.by.removesuffix('s')} {found}"

    def _host(self, url: str) -> str | None:
        """The host that the list names: that of the URL, or one that it belongs to."""
        parts = (_host_of(url) or "").split(".")
        return next((h for i in range(len(parts)) if (h := ".".join(parts[i:])) in self.values), None)


@dataclass(frozen=True)
class Removals:
    """All takedowns of a run. ``ids``: of the rows that have a tombstone."""

    asked: tuple[Asked, ...]
    ids: frozenset[str]

    def refuse(self, row: Mapping[str, Any], urls: Iterable[str] = ()) -> str | None:
        """Why the input or sample ``row`` must not come in; None where it may."""
        if row["id"] in self.ids:
            return "it was taken down, see removed/"
        why = next((why for asked in self.asked if (why := asked.names(row, urls))), None)
        return why and f"taken down by {why}, see removed/"


def normal(by: By, value: str) -> str:
    """A line of a list as it is compared: hosts without case and final dot, licenses by the names of SPDX."""
    if by == "hosts":
        return (_host_of(value) or value).casefold().rstrip(".")
    return license_name(value) if by == "licenses" else value


def read_removals(run: RunFolder) -> Removals:
    """The takedowns so far, none in most runs."""
    asked, ids = [], set()
    for path in _tombstones(run):
        about = json.loads((read_metadata(path).metadata or {})[_ASKED])
        asked.append(Asked(about["by"], frozenset(normal(about["by"], value) for value in about["values"])))
        ids |= set(read_table(path, ["id"])["id"].to_pylist())
    return Removals(tuple(asked), frozenset(ids))


def removed_rows(run: RunFolder) -> pa.Table:
    """All tombstones."""
    return pa.concat_tables([_SCHEMA.empty_table(), *(read_table(p, _SCHEMA.names) for p in _tombstones(run))])


def write_tombstones(run: RunFolder, asked: Asked, rows: Sequence[Mapping[str, Any]]) -> None:
    """Commit a takedown. From here on it holds, whatever ends the command."""
    number = 1 + max((int(path.stem) for path in _tombstones(run)), default=0)
    about = json.dumps({"by": asked.by, "values": sorted(asked.values)}, ensure_ascii=False)
    with (
        created_once(run.removed / f"{number:05d}.parquet") as temporary,
        pq.ParquetWriter(temporary, _SCHEMA, compression="zstd") as writer,
    ):
        writer.write_table(pa.Table.from_pylist(list(rows), schema=_SCHEMA))
        writer.add_key_value_metadata({_ASKED.decode(): about})


def without_receipt(run: RunFolder) -> list[Path]:
    """Tombstones whose bytes may still be somewhere in samples/ or dataset/."""
    return [path for path in _tombstones(run) if not path.with_suffix(".json").exists()]


def write_receipt(tombstones: Path, receipt: Mapping[str, Any]) -> Path:
    """Say that a takedown is done, and of what; returns the receipt's path."""
    path = tombstones.with_suffix(".json")
    replace_text(path, json.dumps(receipt, indent=2, ensure_ascii=False) + "\n")
    return path


def _tombstones(run: RunFolder) -> list[Path]:
    return sorted(run.removed.glob("[!.]*.parquet"))


def _host_of(url: str) -> str | None:
    if "://" not in url:
        return None
    try:
        return urlsplit(url).hostname
    except ValueError:
        return None
