"""Lists of inputs with named columns: .csv and .tsv with a header, .jsonl, Parquet. One row at a time is in memory.

    edits.jsonl:  {"before": "a.png", "after": "b.png", "instruction": "Make it snow"}

A row that cannot be read is a row all the same, so that its number, and the ids of those after it, do not depend on
what is wrong with it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import UserError, one_line
from configs.storage import location
from pipeline.parquet import source_of
from pipeline.sources.caption_text import CaptionFault, decode_text
from pipeline.sources.cells import UNREADABLE_CELL, cell
from pipeline.sources.delimited import delimited_rows

_ENDINGS = (".csv", ".tsv", ".jsonl", ".parquet")
_LINE_LIMIT = 1 << 24
"""Bytes of a line of JSON; chosen."""
_BATCH = 1024
"""Rows of a Parquet file that are read at once; chosen."""


@dataclass(frozen=True)
class TableRow:
    """Row ``number``, from 0, of a list. ``values``: of the columns asked for; null where there is none. ``refused``:
    why the row has no values."""

    number: int
    values: dict[str, Any] = field(default_factory=dict)
    refused: str | None = None


def check_table(path: str, columns: Sequence[str], where: str) -> None:
    """Raise UserError naming ``where`` when the file or one of its columns is not there."""
    file = location_of(path, where)
    if file.suffix.lower() not in _ENDINGS:
        raise UserError(f"field '{where}': expected a file that ends with {', '.join(_ENDINGS)}, found '{path}'")
    if not file.is_file():
        raise UserError(f"field '{where}': '{path}' is no file")
    if file.suffix.lower() != ".jsonl":  # where each line says for itself which columns it has
        there = _columns_of(file, where)
        for column in columns:
            if column not in there:
                raise UserError(f"field '{where}': '{path}' has no column '{column}'; there are: {', '.join(there)}")


def table_rows(path: str, columns: Sequence[str], where: str) -> Iterator[TableRow]:
    """Every row in its order. Raises UserError where the file as a whole cannot be read."""
    file, name = location_of(path, where), f"field '{where}': '{path}'"
    if file.suffix.lower() == ".jsonl":
        return _json_rows(file, columns, name)
    if file.suffix.lower() == ".parquet":
        return _parquet_rows(file, columns, name)
    return _text_rows(file, columns, name)


def location_of(path: str, where: str) -> Path:
    """The file of a list, local or in an object store. Raises UserError naming the field for another URL."""
    try:
        return location(path)
    except UserError as error:
        raise UserError(f"field '{where}': {error}") from None


def _columns_of(file: Path, where: str) -> list[str]:
    name = f"field '{where}': '{file}'"
    if file.suffix.lower() == ".parquet":
        try:
            return pq.read_schema(source_of(file)).names
        except (pa.ArrowException, OSError) as error:
            raise UserError(f"{name} cannot be read: {one_line(error)[:200]}") from None
    header = next(delimited_rows(file, name), (0, []))[1]
    if not header:
        raise UserError(f"{name} is empty; its first row names the columns")
    return header


def _text_rows(file: Path, columns: Sequence[str], name: str) -> Iterator[TableRow]:
    rows = delimited_rows(file, name)
    _, header = next(rows)
    places = {column: header.index(column) for column in columns}
    for number, (line, fields) in enumerate(rows):
        if len(fields) != len(header):
            why = f"line {line} of the list has {len(fields)} fields, its header {len(header)}"
            yield TableRow(number, refused=why)
        else:
            yield TableRow(number, {column: fields[i] or None for column, i in places.items()})


def _json_rows(file: Path, columns: Sequence[str], name: str) -> Iterator[TableRow]:
    try:
        with file.open("rb") as lines:
            number = 0
            while line := lines.readline(_LINE_LIMIT):
                if len(line) == _LINE_LIMIT:
                    raise UserError(f"{name} has a line longer than {_LINE_LIMIT:,} bytes: no list of JSON objects")
                if line.strip(b" \t\r\n\xef\xbb\xbf"):
                    yield _json_row(number, line, columns)
                    number += 1
    except OSError as error:
        raise UserError(f"{name} cannot be read: {error.strerror}") from None


def _json_row(number: int, line: bytes, columns: Sequence[str]) -> TableRow:
    try:
        value = json.loads(decode_text(line))
    except (ValueError, RecursionError, CaptionFault) as error:
        return TableRow(number, refused=f"row {number} of the list is no JSON: {error}"[:300])
    if not isinstance(value, dict):
        return TableRow(number, refused=f"row {number} of the list is no JSON object")
    return TableRow(number, {column: value.get(column) for column in columns})


def _parquet_rows(file: Path, columns: Sequence[str], name: str) -> Iterator[TableRow]:
    number = 0
    try:
        with pq.ParquetFile(source_of(file), buffer_size=1 << 20) as opened:
            for batch in opened.iter_batches(_BATCH, columns=list(columns)):
                for values, fault in _parquet_values(batch):
                    yield TableRow(number, values, fault and f"row {number} of the list: {fault}")
                    number += 1
    except (pa.ArrowException, OSError) as error:
        raise UserError(f"{name} is damaged after row {number}: {one_line(error)[:200]}; mend the file") from None


def _parquet_values(batch: pa.RecordBatch) -> Iterator[tuple[dict[str, Any], str | None]]:
    """(values, None) of each row, or ({}, what is wrong with one of them)."""
    try:
        rows = batch.to_pylist()  # twenty times as fast as cell by cell
    except UNREADABLE_CELL:
        for row in range(len(batch)):
            values = {name: cell(batch.column(name), row) for name in batch.schema.names}
            faults = [f"its column '{name}' {x}" for name, x in values.items() if isinstance(x, CaptionFault)]
            yield ({}, faults[0]) if faults else (values, None)
    else:
        yield from ((values, None) for values in rows)
