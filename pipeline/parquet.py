"""Reading Parquet files; one that is damaged or gone ends in one line that names it, not in a traceback."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import RunFailed
from pipeline.schema import COLUMNS


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """All columns, or these. One that the schema got after the file was written is null."""
    with _readable(path):
        if columns is None:
            return pq.read_table(path)
        there = set(pq.read_schema(path).names)
        later = [c for c in columns if c not in there and c in COLUMNS and not COLUMNS[c].required]
        table = pq.read_table(path, columns=[c for c in columns if c not in later])
        for name in later:
            table = table.append_column(name, pa.nulls(len(table), COLUMNS[name].type))
        return table.select(list(columns)) if later else table


def read_schema(path: Path) -> pa.Schema:
    with _readable(path):
        return pq.read_schema(path)


def read_metadata(path: Path) -> pq.FileMetaData:
    """The footer."""
    with _readable(path):
        return pq.read_metadata(path)


@contextmanager
def opened(path: Path) -> Iterator[pq.ParquetFile]:
    """An open file, for reading row groups."""
    with _readable(path), pq.ParquetFile(path) as file:
        yield file


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    """Raises RunFailed naming ``path``."""
    try:
        yield
    except (pa.ArrowInvalid, OSError) as error:
        reason = "is missing" if isinstance(error, FileNotFoundError) else f"is damaged: {error}"
        raise RunFailed(f"{path} {reason}; delete what is left of it and run the command that made it again") from None
