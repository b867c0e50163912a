"""Notes of neighboring shards in one file: a decision over hundreds of shards asks a store for a few objects.

    dataset/notes/<first of the shards>.notes   a row group for each shard, of its rows; name, version, sha256 and rows of
                                                each in the metadata

Never the truth: a shard that is there in another version, or in none of these files, is described by its own note.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from configs.files import replaced
from configs.storage import ObjectPath

ENDING = ".notes"
_SHARDS = b"glyphmill.shards"
_FILES = 4
"""Files of an object store that this process keeps, of half a million rows and 30 MB each; chosen."""


class Noted(NamedTuple):
    """Of a shard: which version of it is noted, its digest, and how many rows it has."""

    version: str
    sha256: str
    rows: int


class JointNotes:
    """Those in the file at ``path``. ``shards``: by name, in the order of its row groups.

    Raises what pyarrow raises for a damaged file, also in ``read``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._of = path, _version(path)
        with pq.ParquetFile(_content(*self._of)) as file:
            told = json.loads((file.schema_arrow.metadata or {}).get(_SHARDS, b"[]"))
        self.shards = {name: Noted(*about) for name, *about in told}
        self._group = {name: number for number, name in enumerate(self.shards)}

    def read(self, shards: Sequence[str], columns: Sequence[str]) -> pa.Table:
        """``columns`` of these shards, one after the other."""
        with pq.ParquetFile(_content(*self._of), page_checksum_verification=True) as file:
            return file.read_row_groups([self._group[name] for name in shards], list(columns), use_threads=False)


def write_joint(folder: Path, shards: dict[str, Noted], notes: pa.Table) -> Path:
    """Write ``notes`` of ``shards``, whose rows follow each other in it, to their file in ``folder``."""
    path = folder / f"{Path(next(iter(shards))).stem}{ENDING}"
    told = json.dumps([(name, *about) for name, about in shards.items()])
    notes = notes.replace_schema_metadata({_SHARDS: told})
    start = 0
    with (
        replaced(path, durable=False) as file,
        pq.ParquetWriter(file, notes.schema, compression="zstd", write_page_checksum=True) as writer,
    ):
        for about in shards.values():
            writer.write_table(notes.slice(start, about.rows), row_group_size=max(about.rows, 1))
            start += about.rows
    return path


@lru_cache(maxsize=_FILES)
def _content(path: Path, version: str) -> pa.Buffer | str:
    """What pyarrow reads of a file; of an object all of it, by one request."""
    return pa.py_buffer(path.read_bytes()) if isinstance(path, ObjectPath) else str(path)


def _version(path: Path) -> str:
    about = path.stat()
    return str(getattr(about, "e_tag", None) or f"{about.st_size} {about.st_mtime_ns}")
