"""Tables of a fragment that appear whole or not at all, and never change once they are there.

Failures of a fragment travel in the metadata of the same file as its rows, because one file is the
most that can appear at once (``configs/files.py`` says how).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from configs.files import created_once, replaced
from configs.portions import portions
from pipeline.parquet import opened, read_schema

_FAILURES_KEY = b"glyphmill.failures"

_PART_BYTES = 1 << 30
"""Of pictures in a chunk of a table and in a row group of a file, more only where one row has more; chosen."""


def write_table(path: Path, table: pa.Table, failures: list[dict[str, str]], **metadata: str) -> None:
    """Commit a fragment's table; ``failures`` (id, uri, step, error) go into its metadata.

    Image bytes are compressed already and are stored as they are, one after the other, so that packing reads them alone.
    """
    extra = {_FAILURES_KEY: json.dumps(failures).encode()}
    extra |= {f"glyphmill.{key}".encode(): value.encode() for key, value in metadata.items()}
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), **extra})
    with (
        created_once(path) as temporary,
        pq.ParquetWriter(temporary, table.schema, **writer_options(table.schema)) as w,
    ):
        for part in [pa.Table.from_batches([batch]) for batch in table.to_batches()] or [table]:
            w.write_table(part)  # a row group each, as ``to_table`` cut them


def replace_table(path: Path, table: pa.Table) -> None:
    """Write a small table in one step, replacing what was there."""
    with replaced(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def rewrite_table(path: Path, to: Path, change: Callable[[pa.Table], pa.Table]) -> None:
    """Write the table at ``path`` to ``to``, row group by row group as ``change`` gives it, with all its metadata."""
    with opened(path) as file:
        arrow = file.schema_arrow
        with pq.ParquetWriter(to, arrow, **writer_options(arrow)) as writer:
            for group in range(file.num_row_groups):
                writer.write_table(change(file.read_row_group(group)).cast(arrow))


def committed(folder: Path) -> frozenset[str]:
    """The fragments that have a file in ``folder``, by one listing of it."""
    return frozenset(path.stem for path in folder.glob("[!.]*.parquet"))


def writer_options(schema: pa.Schema) -> dict[str, Any]:
    """Of a ParquetWriter: no codec and no dictionary for image bytes."""
    compression = codecs(schema)
    return {
        "compression": compression,
        "use_dictionary": [leaf for leaf, codec in compression.items() if codec != "none"],
    }


def codecs(schema: pa.Schema) -> dict[str, str]:
    """Parquet codec per leaf column: none for image bytes, which are compressed already."""
    return {c: "none" if c.startswith(("image.", "references.")) else "zstd" for c in _leaves(schema)}


def read_failures(path: Path) -> list[dict[str, str]]:
    """The failures that were committed together with the table at ``path``."""
    return json.loads(metadata(path).get(_FAILURES_KEY, b"[]"))


def metadata(path: Path) -> Mapping[bytes, bytes]:
    """The key-value metadata of a Parquet file."""
    return read_schema(path).metadata or {}


def _leaves(schema: pa.Schema) -> list[str]:
    """Names of the Parquet leaf columns, as the writer's options want them."""
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(sink, schema) as writer:
        del writer
    leaves = pq.ParquetFile(pa.BufferReader(sink.getvalue())).schema
    return [leaves.column(i).path for i in range(len(leaves))]


def to_table(rows_: list[dict[str, Any]], schema: pa.Schema) -> pa.Table:
    """Rows as a table of exactly ``schema``: missing keys are null, unknown keys are an error of the caller's.

    Its chunks hold about ``_PART_BYTES`` of pictures each: Arrow counts the bytes of a chunk in 31 bits.
    """
    unknown = {key for row in rows_ for key in row} - set(schema.names)
    if unknown:
        raise KeyError(f"not in the schema: {', '.join(sorted(unknown))}")
    parts = [pa.Table.from_pylist(p, schema=schema) for p in portions(rows_, _picture_bytes, _PART_BYTES)]
    return pa.concat_tables(parts or [schema.empty_table()])


def _picture_bytes(row: Mapping[str, Any]) -> int:
    pictures = [row.get("image"), *(row.get("references") or ())]
    return sum(len(picture["bytes"] or b"") for picture in pictures if picture)
