"""The files under RUN/compact: which are there and up to date, how they are written, read and checked.

    KIND/PART.KEY.parquet   one row group, a checksum for each page
    KIND/PART.KEY.bin       a small copy of 1,152 bytes for each row

A file has the time of the newest of those that it was made of (in an object store a later one): one of them that was
written anew since then, in the same size even, is noticed.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import RunFailed
from configs.files import replaced
from configs.storage.copies import LocalCopies
from configs.storage.paths import ObjectPath
from configs.storage.spans import each, read_spans
from pipeline.annotators.measure import THUMBNAIL_BYTES
from pipeline.parquet import source_of
from pipeline.schema import STATE_SUFFIX
from pipeline.store.run_folder import RunFolder
from pipeline.store.table import FRAGMENT

_DAMAGED = (pa.ArrowInvalid, OSError, RunFailed)
"""What reading a file raises that is gone or damaged."""
_FEW = "origin source format license domain category task recipe strategy medium caption_languages text_language text_level"
_REPEATING = frozenset([*_FEW.split(), "width", "height", "orientation", "n_captions", FRAGMENT])
"""Columns of few values, which dictionaries make small; other strings are unlike from row to row."""


class CompactFiles:
    """Those of a run. ``key``: of a file, without dots. ``newest``: time in ns of the newest of what it is made of."""

    def __init__(self, folder: Path) -> None:
        self._folder, self._copies = folder, LocalCopies()
        self._there: dict[tuple[str, str], dict[str, int]] = {}
        for path in folder.glob("*/[!.]*"):
            self._known(path)[path.name] = _time(path)

    def read(self, kind: str, part: str, key: str, newest: int, columns: Sequence[str] | None) -> pa.Table | None:
        """``columns`` of a table, or all; None where it is not there, not up to date, or damaged."""
        path = self._path(kind, part, key)
        if self._known(path).get(path.name, -1) < newest:
            return None
        try:
            self._sweep(path)
            with pq.ParquetFile(self._source(path), page_checksum_verification=True) as file:
                return file.read(list(columns) if columns is not None else None)
        except _DAMAGED:
            return None

    def write(self, kind: str, part: str, key: str, newest: int, table: pa.Table) -> None:
        """Write a table, in the place of what there was of this kind and part."""

        def fill(file: Path) -> None:
            few = [name for name in table.column_names if name in _REPEATING or name.endswith(STATE_SUFFIX)]
            options = {"compression": "zstd", "compression_level": 1, "use_dictionary": few}
            pq.write_table(table, file, row_group_size=max(len(table), 1), write_page_checksum=True, **options)

        self._write(self._path(kind, part, key), newest, fill)

    def write_thumbnails(self, kind: str, part: str, key: str, newest: int, pictures: pa.ChunkedArray) -> pa.Array:
        """Write small copies; gives the CRC-32 of each, null where there is none."""
        small = pictures.to_pylist()

        def fill(file: Path) -> None:
            with file.open("wb") as out:
                out.writelines(picture or bytes(THUMBNAIL_BYTES) for picture in small)

        self._write(self._path(kind, part, key, ".bin"), newest, fill)
        return pa.array([None if picture is None else zlib.crc32(picture) for picture in small], pa.uint32())

    def read_thumbnails(
        self, kind: str, part: str, key: str, newest: int, rows: np.ndarray, checks: pa.ChunkedArray
    ) -> np.ndarray | None:
        """uint8 (N, 1152) of ascending ``rows``, zeros where there is none; None as in ``read``. ``checks``: of these rows
        what ``write_thumbnails`` gave."""
        path = self._path(kind, part, key, ".bin")
        if self._known(path).get(path.name, -1) < newest:
            return None
        try:
            self._sweep(path)
            found = _read_rows(path, rows)
        except _DAMAGED:
            return None
        wanted = checks.fill_null(0).to_numpy()
        there = np.flatnonzero(checks.is_valid())
        return found if found is not None and all(zlib.crc32(found[i]) == wanted[i] for i in there) else None

    def remove_older(self, part: str, begin: str, newest: int, keep: str) -> None:
        """Remove the files of a part, of all kinds but ``keep``, whose keys do not begin so, or that are not up to date."""
        for (kind, owner), known in self._there.items():
            for name, time in list(known.items()) if owner == part and kind != keep else ():
                if time < newest or not name.startswith(f"{part}.{begin}"):
                    (self._folder / kind / name).unlink(missing_ok=True)
                    del known[name]

    def _write(self, path: Path, newest: int, fill: Callable[[Path], None]) -> None:
        with replaced(path, durable=False) as file:
            fill(file)
            os.utime(file, ns=(newest, newest))
        self._copies.forget(path)
        self._known(path)[path.name] = newest  # or later
        self._sweep(path)

    def _source(self, path: Path) -> Any:
        """What pyarrow reads. Of an object all is asked for once: pages of some columns would be a request each, and
        decisions come back for others."""
        found = self._copies.read(path) if isinstance(path, ObjectPath) else path
        return pa.BufferReader(found) if isinstance(found, bytes) else source_of(found)

    def _sweep(self, path: Path) -> None:
        """Remove files in whose place the one at ``path`` is: a kill may have left them."""
        known = self._known(path)
        for name in [name for name in known if name != path.name]:
            (path.parent / name).unlink(missing_ok=True)
            del known[name]

    def _known(self, path: Path) -> dict[str, int]:
        """Name and time of the files of the same kind and part."""
        return self._there.setdefault((path.parent.name, path.name.rsplit(".", 2)[0]), {})

    def _path(self, kind: str, part: str, key: str, ending: str = ".parquet") -> Path:
        return self._folder / kind / f"{part}.{key}{ending}"


def stamps(run: RunFolder, annotators: Sequence[str]) -> dict[str, dict[str, tuple[int, int]]]:
    """Folder -> fragment -> size and time of its file there."""
    folders = {"samples": run.samples("x"), "failures": run.failures("x")}
    folders |= {f"scores/{name}": run.scores(name, "x") for name in annotators}
    return dict(zip(folders, each(_stamps_of, [path.parent for path in folders.values()], run.path), strict=True))


def _stamps_of(folder: Path) -> dict[str, tuple[int, int]]:
    return {path.stem: (path.stat().st_size, _time(path)) for path in folder.glob("[!.]*.parquet")}


def _time(path: Path) -> int:
    """In ns."""
    about = path.stat()
    return getattr(about, "st_mtime_ns", 0) or int(about.st_mtime * 1e9)


def _read_rows(path: Path, rows: np.ndarray) -> np.ndarray | None:
    if isinstance(path, ObjectPath):
        joined = b"".join(read_spans(path, [(int(row) * THUMBNAIL_BYTES, THUMBNAIL_BYTES) for row in rows], None))
        whole = len(joined) == len(rows) * THUMBNAIL_BYTES
        return np.frombuffer(joined, np.uint8).reshape(-1, THUMBNAIL_BYTES) if whole else None
    if not len(rows) or path.stat().st_size < (int(rows[-1]) + 1) * THUMBNAIL_BYTES:
        return None if len(rows) else np.empty((0, THUMBNAIL_BYTES), np.uint8)
    return np.memmap(path, np.uint8, "r").reshape(-1, THUMBNAIL_BYTES)[rows]
