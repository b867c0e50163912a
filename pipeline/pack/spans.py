"""Where in a shard's file pictures and texts lie, byte by byte: reading one is then one ``pread``, whatever its neighbors.

    footer ──> column chunk of image.bytes ──page headers──> pages ──4-byte length, bytes, ...──> (offset, length)

Pack stores them uncompressed and PLAIN, so a value's bytes stand in the file as they are. Every page must end where
its last value does, there must be as many values as rows say, and a picture's length be that of the column ``bytes_len``;
a row group for which this does not hold, of an older shard for instance, has no offsets, and is read as a group.
"""

from __future__ import annotations

import mmap
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from configs.errors import RunFailed
from configs.files import local_copy
from pipeline.parquet import opened

BY_OFFSET = (
    "image.bytes",
    "references.list.element.bytes",
    "captions.list.element.text",
    "instructions.list.element.text",
)
"""Leaves of a shard that are stored so."""
_IMAGE, _REFERENCES, *_TEXTS = BY_OFFSET
_DATA_PAGE = 0
"""Parquet's PageType; pyarrow writes this one unless told otherwise."""
_PLAIN = 0
"""Parquet's Encoding."""
_SPANS = pa.list_(pa.int64())
_SCHEMA = pa.schema([("image_offset", pa.int64()), ("ref_spans", _SPANS), ("text_spans", _SPANS)])

_Span = tuple[int, int]
"""Offset and length in bytes."""


def file_spans(path: Path) -> pa.Table:
    """Of every row of the shard ``image_offset``, ``ref_spans`` (offset, length of each reference in turn) and
    ``text_spans`` (of each valid caption, then of each valid instruction); null where they cannot be told."""
    with opened(path) as file, path.open("rb") as raw, mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as data:
        parts = []
        for group in range(file.num_row_groups):
            parts.append(_of_group(file, group, data))
            data.madvise(mmap.MADV_DONTNEED)  # or the whole file would count as this process's memory
    return pa.concat_tables([_SCHEMA.empty_table(), *parts])


def picture_spans(path: Path) -> pa.Table:
    """Of every row of samples/F ``image_offset`` and ``image_length``, ``image_path``, ``ref_spans`` (offset, length of
    each reference in turn) and ``ref_paths``; offsets are null where they cannot be told."""
    paths = ["image.path", "references.list.element.path"]
    with local_copy(path) as copy, opened(copy) as file, copy.open("rb") as raw:
        names = [n for n in paths if n.split(".")[0] in file.schema_arrow.names]
        table = file.read(names)
        with mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as data:
            images = [_values(file, group, _IMAGE, data) for group in range(file.num_row_groups)]
            named = [[one["path"] for one in row] if row is not None else None for row in _column(table, "references")]
            references = [_values(file, group, _REFERENCES, data) for group in range(file.num_row_groups)]
    told = [span for group in images for span in group or ()]
    whole = len(told) == len(table) and None not in images and None not in references
    of_references = iter([span for group in references for span in group or ()])
    spans = [None if row is None else [n for _ in row for n in next(of_references)] for row in named] if whole else []
    nothing = [None] * len(table)
    return pa.table(
        {
            "image_offset": pa.array([offset for offset, _ in told] if whole else nothing, pa.int64()),
            "image_length": pa.array([length for _, length in told] if whole else nothing, pa.int64()),
            "image_path": pa.chunked_array(
                [pc.struct_field(chunk, "path") for chunk in table["image"].chunks], pa.string()
            ),
            "ref_spans": pa.array(spans if whole else nothing, _SPANS),
            "ref_paths": pa.array(named, pa.list_(pa.string())),
        }
    )


def value_spans(path: Path, leaf: str) -> list[_Span]:
    """Offset and length of the values of a binary leaf that are not null, in order.

    Raises RunFailed for a file in which they are not stored so.
    """
    found: list[_Span] = []
    with opened(path) as file, path.open("rb") as raw, mmap.mmap(raw.fileno(), 0, access=mmap.ACCESS_READ) as data:
        for group in range(file.num_row_groups):
            values = _values(file, group, leaf, data)
            if values is None:
                raise RunFailed(f"{path}: '{leaf}' is compressed or in a dictionary; delete it and write it again")
            found += values
    return found


def _of_group(file: pq.ParquetFile, group: int, data: mmap.mmap) -> pa.Table:
    table = file.read_row_group(
        group,
        columns=["bytes_len", "ref_sizes", "captions.list.element.invalid", "instructions.list.element.invalid"],
    )
    images = _values(file, group, _IMAGE, data)
    told = images is not None and [n for _, n in images] == table["bytes_len"].to_pylist()
    offsets = [offset for offset, _ in images or ()] if told else [None] * len(table)
    references = _lists(
        file, group, _REFERENCES, data, [[True] * (len(s or ()) // 2) for s in _column(table, "ref_sizes")]
    )
    texts = []
    for leaf in _TEXTS:
        valid = [[t["invalid"] is None for t in row or ()] for row in _column(table, leaf.split(".")[0])]
        texts.append(_lists(file, group, leaf, data, valid))
    both = [_joined(a, b) for a, b in zip(*texts, strict=True)]
    return pa.table(
        [pa.array(offsets, pa.int64()), pa.array(references, _SPANS), pa.array(both, _SPANS)], schema=_SCHEMA
    )


def _column(table: pa.Table, name: str) -> list[Any]:
    return table[name].to_pylist()


def _joined(first: list[int] | None, second: list[int] | None) -> list[int] | None:
    return None if first is None or second is None else first + second


def _lists(
    file: pq.ParquetFile, group: int, leaf: str, data: mmap.mmap, wanted: list[list[bool]]
) -> list[list[int]] | list[None]:
    """Of each row offset and length in turn of those of its values that are ``wanted``; nulls where they cannot be told."""
    values = _values(file, group, leaf, data) if any(wanted) else []
    if values is None or len(values) != sum(map(len, wanted)):
        return [None] * len(wanted)
    following = iter(values)
    rows = [[span for want, span in zip(row, following, strict=False) if want] for row in wanted]
    return [[n for span in row for n in span] for row in rows]


def _values(file: pq.ParquetFile, group: int, column: str, data: mmap.mmap) -> list[_Span] | None:
    """(offset, length) of the values of a binary column that are not null, in order; None where they cannot be told."""
    about = file.metadata.row_group(group)
    index = next(i for i in range(about.num_columns) if about.column(i).path_in_schema == column)
    chunk, levels = about.column(index), file.schema.column(index)
    if chunk.compression != "UNCOMPRESSED" or chunk.has_dictionary_page:
        return None
    found: list[_Span] = []
    for start, end in _pages(data, chunk.data_page_offset, chunk.data_page_offset + chunk.total_compressed_size):
        for most in (levels.max_repetition_level, levels.max_definition_level):
            start += 4 + _length(data, start) if most else 0
        while start < end:
            length = _length(data, start)
            found.append((start + 4, length))
            start += 4 + length
        if start != end:
            return None
    return found


def _pages(data: mmap.mmap, start: int, end: int) -> Iterator[tuple[int, int]]:
    """(first, last + 1) byte of each page's content; ends early at a page of another kind, whose rows then lack."""
    while start < end:
        header, start = _thrift_struct(data, start)
        if header[1] != _DATA_PAGE or header[5][2] != _PLAIN or header[3] < 0:
            return
        yield start, start + header[3]
        start += header[3]


def _length(data: mmap.mmap, at: int) -> int:
    return struct.unpack_from("<I", data, at)[0]


def _thrift_struct(data: mmap.mmap, at: int) -> tuple[dict[int, Any], int]:
    """Fields by number of a struct in Thrift's compact protocol, in which Parquet writes page headers; and what follows."""
    fields: dict[int, Any] = {}
    number = 0
    while data[at]:
        step, kind = data[at] >> 4, data[at] & 0xF
        at += 1
        if step:
            number += step
        else:
            number, at = _zigzag(data, at)
        fields[number], at = _thrift_value(data, at, kind)
    return fields, at + 1


def _thrift_value(data: mmap.mmap, at: int, kind: int) -> tuple[Any, int]:
    if kind in (1, 2):  # true and false are in the type itself
        return kind == 1, at
    if kind == 3:
        return data[at], at + 1
    if kind in (4, 5, 6):
        return _zigzag(data, at)
    if kind == 7:
        return None, at + 8
    if kind == 8:
        length, at = _varint(data, at)
        return None, at + length
    if kind == 12:
        return _thrift_struct(data, at)
    raise ValueError(f"type {kind} does not occur in a page header")


def _zigzag(data: mmap.mmap, at: int) -> tuple[int, int]:
    value, at = _varint(data, at)
    return value >> 1 ^ -(value & 1), at


def _varint(data: mmap.mmap, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at, shift = at + 1, shift + 7
        if byte < 0x80:
            return value, at
