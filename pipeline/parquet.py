"""Reading Parquet files; one that is damaged or gone ends in one line that names it, not in a traceback."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import RunFailed


def read_table(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    with _readable(path):
        return pq.read_table(path, columns=None if columns is None else list(columns))


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
