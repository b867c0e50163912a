"""Reading Parquet files; one that is damaged or gone ends in one line that names it, not in a traceback.

Columns go by the names of today, whatever version wrote the file (``schema.RENAMED``).
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import RunFailed
from configs.storage.paths import ObjectPath
from pipeline.schema import COLUMNS, RENAMED


def read_table(path: Path, columns: Sequence[str] | None = None, whole: bool = False) -> pa.Table:
    """All columns, or these. One that the schema got after the file was written is null. ``whole``: see ``opened``."""
    with opened(path, whole=whole) as file:
        if columns is None:
            return _renamed(file.read())
        there = file.schema_arrow
        stored = _stored_names(there)
        later = [c for c in columns if c not in stored and c in COLUMNS and not COLUMNS[c].required]
        asked = [stored.get(c, c) for c in columns if c not in later]
        if unknown := [c for c in asked if c.split(".")[0] not in there.names]:
            raise pa.ArrowInvalid(f"it has no column {', '.join(unknown)}")
        table = _renamed(file.read(asked))
        for name in later:
            table = table.append_column(name, pa.nulls(len(table), COLUMNS[name].type))
        return table.select(list(columns)) if later else table


def read_present(path: Path, columns: Sequence[str]) -> pa.Table | None:
    """Those of ``columns`` that the file has, in its order, with its metadata; None where there is no file."""
    if not isinstance(path, ObjectPath) and not path.exists():
        return None
    with _readable(path):
        try:
            source = source_of(path)
        except FileNotFoundError:
            return None
        with pq.ParquetFile(source, pre_buffer=isinstance(path, ObjectPath)) as file:
            there = file.schema_arrow
            wanted = [name for name in there.names if RENAMED.get(name, name) in columns]
            return _renamed(file.read(wanted)).replace_schema_metadata(there.metadata)


def read_row_group(file: pq.ParquetFile, group: int, columns: Sequence[str] | None = None) -> pa.Table:
    """All columns of a row group of an ``opened`` file, or those of ``columns`` that it has."""
    if columns is not None:
        stored = _stored_names(file.schema_arrow)
        columns = [stored.get(c, c) for c in columns]
    return _renamed(file.read_row_group(group, columns=columns))


def read_schema(path: Path) -> pa.Schema:
    with _readable(path):
        schema = pq.read_schema(source_of(path))
    return pa.schema([f.with_name(RENAMED.get(f.name, f.name)) for f in schema], metadata=schema.metadata)


def read_metadata(path: Path) -> pq.FileMetaData:
    """The footer."""
    with _readable(path):
        return pq.read_metadata(source_of(path))


@contextmanager
def opened(
    path: Path, version: str | None = None, footer: pq.FileMetaData | None = None, whole: bool = False
) -> Iterator[pq.ParquetFile]:
    """An open file, for reading row groups. ``version``: of an object, the one that is meant. ``footer``: where it is
    known, it is not read again. ``whole``: of an object all is read by one request, where columns of many row groups
    would be one for each of them."""
    distant = isinstance(path, ObjectPath)  # there ranges that lie close together are read by one request
    with _readable(path):
        source = pa.BufferReader(path.read_bytes()) if distant and whole else source_of(path, version)
        with pq.ParquetFile(source, metadata=footer, pre_buffer=distant) as file:
            yield file


def source_of(path: Path | bytes, version: str | None = None) -> Any:
    """What pyarrow reads. Opening an object asks its store once, for the end with the footer. ``version``: see ``opened``."""
    return path.ranges(version) if isinstance(path, ObjectPath) else os.fsdecode(path)


def _stored_names(schema: pa.Schema) -> dict[str, str]:
    """Today's name of each column -> its name in the file."""
    return {RENAMED.get(name, name): name for name in schema.names}


def _renamed(table: pa.Table) -> pa.Table:
    return table.rename_columns([RENAMED.get(name, name) for name in table.column_names])


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Raises RunFailed naming ``path``."""
    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        reason = "is missing" if isinstance(error, FileNotFoundError) else f"is damaged: {error}"
        raise RunFailed(f"{path} {reason}; delete what is left of it and run the command that made it again") from None
