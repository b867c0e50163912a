"""downloads/F.parquet: how each URL of a fragment ended; and what an earlier run knows about a URL.

An earlier run is asked by canonical URL, whatever fragment it was in: lists change from run to run.
"""

from __future__ import annotations

import functools
import hashlib
import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.downloads.reasons import NOT_MODIFIED, OK
from pipeline.parquet import read_table
from pipeline.store.run_folder import RunFolder
from pipeline.store.spill import temporary_database

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),  # of the input
        pa.field("place", pa.int32(), nullable=False),  # 0: its picture; 1, 2 ...: its references
        pa.field("url", pa.string(), nullable=False),  # canonical
        pa.field("final_url", pa.string()),  # after redirects; null where nothing was asked
        pa.field("status", pa.int32()),  # of the last response; null where there was none
        pa.field("reason", pa.string(), nullable=False),  # of pipeline/downloads/reasons.py
        pa.field("error", pa.string()),  # more about it
        pa.field("etag", pa.string()),
        pa.field("last_modified", pa.string()),
        pa.field("tries", pa.int32(), nullable=False),
        pa.field("bytes", pa.int64()),
        pa.field("sha256", pa.string()),
    ]
)

_FRAGMENTS = 4
"""Fragments of the earlier run whose pictures are in memory; chosen: a list in its old order needs one after the other."""


class Known(NamedTuple):
    """What an earlier run says of a URL, and where its bytes are."""

    etag: str | None
    last_modified: str | None
    sha256: str
    fragment: str
    id: str
    place: int


class Earlier:
    """The downloads of an earlier run. ``find`` is for one thread, ``body`` for any."""

    def __init__(self, run: RunFolder) -> None:
        self._run, self._lock = run, threading.Lock()
        self._pictures = functools.lru_cache(_FRAGMENTS)(self._read)
        self._table = temporary_database()
        fields = ", ".join(Known._fields)
        self._table.execute(f"CREATE TABLE known (url TEXT PRIMARY KEY, {fields}) WITHOUT ROWID")
        self._table.executemany(f"INSERT OR REPLACE INTO known VALUES ({', '.join('?' * 7)})", self._rows())

    def find(self, url: str) -> Known | None:
        """None where nothing is known that a server could be asked about."""
        row = self._table.execute(f"SELECT {', '.join(Known._fields)} FROM known WHERE url = ?", (url,)).fetchone()
        return Known(*row) if row else None

    def body(self, known: Known) -> bytes | None:
        """The bytes; None where they are not there, or not the same."""
        with self._lock:
            found = self._pictures(known.fragment).get((known.id, known.place))
        return found if found and hashlib.sha256(found).hexdigest() == known.sha256 else None

    def _rows(self) -> Iterator[tuple[Any, ...]]:
        for path in sorted(self._run.downloads("x").parent.glob("[!.]*.parquet")):
            table = read_table(path, columns=["url", *(f for f in Known._fields if f != "fragment"), "reason"])
            for row in table.filter(pc.is_in(table["reason"], pa.array([OK, NOT_MODIFIED]))).to_pylist():
                if row["sha256"] and (row["etag"] or row["last_modified"]):
                    yield (row["url"], *Known(**{n: row.get(n, path.stem) for n in Known._fields}))

    def _read(self, fragment: str) -> dict[tuple[str, int], bytes]:
        """Bytes by id of the input and place."""
        path = self._run.samples(fragment)
        if not path.exists():
            return {}
        found = {}
        for row in read_table(path, columns=["id", "image", "references"]).to_pylist():
            for place, picture in enumerate((row["image"], *(row["references"] or ()))):
                found[row["id"], place] = picture["bytes"]
        return found
