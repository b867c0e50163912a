"""Tables on the disk instead of in memory: mapped from a file in TMPDIR that is gone with them.

What nobody looks at costs no memory, and what was looked at is given back when memory is short.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from typing import IO, TYPE_CHECKING

import numpy as np
import pyarrow as pa

if TYPE_CHECKING:
    import polars as pl

_PREFIX = "glyphmill-"


def table_on_disk(table: pa.Table) -> pa.Table:
    """The same, in one piece."""
    with tempfile.NamedTemporaryFile(prefix=_PREFIX, suffix=".arrow") as file:
        with pa.ipc.new_file(file, table.schema) as writer:
            writer.write_table(table.combine_chunks(), max(len(table), 1))
        file.flush()
        with pa.memory_map(file.name) as source:  # the mapping outlives the name
            return pa.ipc.open_file(source).read_all()


def on_disk(frame: pl.DataFrame) -> pa.Table:
    """The same as a table of Arrow's, since Polars keeps the codes of categories in memory."""
    import polars as pl

    return table_on_disk(frame.rechunk().to_arrow(compat_level=pl.CompatLevel.newest()))


def arrays_on_disk(tables: Iterable[pa.Table]) -> dict[str, np.ndarray]:
    """The columns of ``tables``, one table after the other: numbers and booleans without nulls."""
    files: dict[str, IO[bytes]] = {}
    types: dict[str, np.dtype] = {}
    with ExitStack() as opened:
        for table in tables:
            for name in table.column_names:
                values = np.ascontiguousarray(table[name].to_numpy())
                if name not in files:
                    files[name] = opened.enter_context(tempfile.TemporaryFile(prefix=_PREFIX))
                    types[name] = values.dtype
                assert values.dtype == types[name], name
                files[name].write(values.data)
        return {name: _mapped(file, types[name]) for name, file in files.items()}


def _mapped(file: IO[bytes], dtype: np.dtype) -> np.ndarray:
    file.flush()
    if file.tell() == 0:  # nothing cannot be mapped
        return np.empty(0, dtype)
    return np.asarray(np.memmap(file, dtype, mode="r"))
