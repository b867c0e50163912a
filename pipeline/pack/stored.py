"""Rows as shards hold them, by their places in samples/: scalars and nested columns of compacted parts, pictures by offset.

    places ──by part──> a table on the disk, mapped into memory ──take──> columns ┐
           ──by fragment──> offset and length in samples/F ──one read each──> pictures ┴──> rows in the order asked for

A shard takes few rows of many fragments. Nothing is decoded twice for it, and of a fragment only the bytes of those rows
are read; of one that an earlier version wrote, whose pictures have no offsets, the column of pictures.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from configs.storage import ObjectPath
from configs.storage.spans import Span, each, read_spans
from pipeline import schema
from pipeline.pack.spans import picture_spans
from pipeline.parquet import read_table
from pipeline.store.compact import Compacted, Part
from pipeline.store.on_disk import table_on_disk
from pipeline.store.run_folder import RunFolder
from pipeline.store.table import FRAGMENT, FRAGMENT_ROW, sample_part

_VERSION = "1"
"""Another one when ``_nested`` gives another table."""
_PARTS = 64
"""Parts that are mapped at the same time, about 0.1 GB of disk each; chosen."""
_BYTES = ("image", "references")
_COMPUTED = (*schema.CAPTION_FLAT, *schema.TRAINABLE)
"""Columns that packing fills."""

Place = tuple[str, int]
"""Fragment and row in samples/."""


class StoredRows:
    """Those of a run, read by one worker. ``compacted``: of that run."""

    def __init__(self, run: RunFolder, names: Sequence[str]) -> None:
        """``names``: columns of pack.shards.shard_schema."""
        self._run, self._names = run, names
        self.compacted = Compacted(run)
        self._own = self.compacted.own
        self._part_of = {name: part for part in self.compacted.parts for name in part.fragments}
        self._table = lru_cache(_PARTS)(self._mapped)

    def read(self, places: Sequence[Place]) -> pa.Table:
        """Rows in this order; columns that packing fills are null."""
        parts: dict[Part, list[int]] = {}
        for position, (fragment, _) in enumerate(places):
            parts.setdefault(self._part_of[fragment], []).append(position)
        tables = [self._read_part(part, [places[p] for p in positions]) for part, positions in parts.items()]
        order = np.argsort(np.concatenate(list(parts.values())), kind="stable")
        facts = pa.concat_tables(tables)
        if (np.diff(order) != 1).any():
            facts = facts.take(pa.array(order))
        facts = facts.combine_chunks()
        pictures = self._pictures(places, facts)
        columns = {name: pictures.get(name) if name in pictures else self._column(facts, name) for name in self._names}
        return pa.table(columns)

    def lengths(self, places: Sequence[Place]) -> list[int]:
        """Bytes of the pictures of these rows, in no order."""
        parts: dict[Part, list[Place]] = {}
        for place in places:
            parts.setdefault(self._part_of[place[0]], []).append(place)
        return [
            n for part, of in parts.items() for n in self._read_part(part, of, ["bytes_len"])["bytes_len"].to_pylist()
        ]

    def _column(self, facts: pa.Table, name: str) -> pa.ChunkedArray:
        if name in facts.column_names:
            return facts[name]
        known = {c.name: c for c in self._own}
        column = schema.COLUMNS.get(name) or known.get(name)
        return pa.nulls(len(facts), column.type if column else pa.string())

    def _read_part(self, part: Part, places: Sequence[Place], columns: Sequence[str] | None = None) -> pa.Table:
        table, keys = self._table(part)
        table = table if columns is None else table.select(list(columns))
        number = {name: i for i, name in enumerate(part.fragments)}
        wanted = np.array([number[fragment] << 32 | row for fragment, row in places])
        return table.take(pa.array(np.searchsorted(keys, wanted)))

    def _mapped(self, part: Part) -> tuple[pa.Table, np.ndarray]:
        """A part's table, and of each row fragment and row in it as one ascending number."""
        scalars = [n for n in self.compacted.schema.names if n in self._names and n not in _COMPUTED]
        rows = self.compacted.rows(part, [*scalars, FRAGMENT, FRAGMENT_ROW])
        numbers = {name: i for i, name in enumerate(part.fragments)}
        fragments = rows[FRAGMENT].combine_chunks().dictionary_encode()
        codes = np.array([numbers[name] for name in fragments.dictionary.to_pylist()], np.int64)
        keys = codes[fragments.indices.to_numpy()] << 32 | rows[FRAGMENT_ROW].to_numpy()
        nested = self.compacted.derived(part, "nested", _VERSION, lambda: self._nested(part))
        table = rows.select(scalars)
        for name in nested.column_names:
            table = table.append_column(name, nested[name])
        return table_on_disk(table), keys

    def _nested(self, part: Part) -> pa.Table:
        """The nested columns of a part's rows, and where in samples/F their pictures lie."""
        there = (*_BYTES, *_COMPUTED, *self.compacted.schema.names)
        ours = [n for n in schema.STORED if n in schema.NESTED and n not in there]
        names = [*ours, *(c.name for c in self._own if c.nested)]

        def read(fragment: str) -> pa.Table:
            rows, _ = sample_part(self._run, fragment, names, self.compacted.annotators, self._own)
            spans = picture_spans(self._run.samples(fragment)).take(rows[FRAGMENT_ROW])
            return pa.table({name: rows[name] for name in names} | {n: spans[n] for n in spans.column_names})

        return pa.concat_tables(each(read, part.fragments, self._run.path))

    def _pictures(self, places: Sequence[Place], facts: pa.Table) -> dict[str, pa.Array]:
        """``image`` and ``references``."""
        by_fragment: dict[str, list[int]] = {}
        for position, (fragment, _) in enumerate(places):
            by_fragment.setdefault(fragment, []).append(position)
        offsets, lengths = facts["image_offset"].to_pylist(), facts["image_length"].to_pylist()
        references = facts["ref_spans"].to_pylist()
        found: list[Any] = [None] * len(places)

        def load(item: tuple[str, list[int]]) -> list[tuple[bytes, list[bytes] | None]]:
            fragment, positions = item
            path = self._run.samples(fragment)
            if any(offsets[p] is None for p in positions):
                return _whole(path, [places[p][1] for p in positions])
            spans = [[(offsets[p], lengths[p]), *_pairs(references[p])] for p in positions]
            data = iter(_read(path, [span for row in spans for span in row]))
            rows = [[next(data) for _ in row] for row in spans]
            return [
                (row[0], None if references[p] is None else row[1:]) for p, row in zip(positions, rows, strict=True)
            ]

        for positions, loaded in zip(
            by_fragment.values(), each(load, by_fragment.items(), self._run.path), strict=True
        ):
            for position, one in zip(positions, loaded, strict=True):
                found[position] = one
        return _as_columns(found, facts)


def _read(path: Path, spans: Sequence[Span]) -> list[bytes]:
    if isinstance(path, ObjectPath):
        return read_spans(path, spans, None)
    with path.open("rb") as file:
        return [os.pread(file.fileno(), length, offset) for offset, length in spans]


def _whole(path: Path, rows: Sequence[int]) -> list[tuple[bytes, list[bytes] | None]]:
    table = read_table(path, ["image", "references"])
    images, references = table["image"], table["references"]
    return [
        (images[row].as_py()["bytes"], None if (own := references[row].as_py()) is None else [r["bytes"] for r in own])
        for row in rows
    ]


def _pairs(flat: Sequence[int] | None) -> Iterator[Span]:
    numbers = iter(flat or ())
    yield from zip(numbers, numbers, strict=True)


def _as_columns(found: Sequence[tuple[bytes, list[bytes] | None]], facts: pa.Table) -> dict[str, pa.Array]:
    paths = facts["image_path"].combine_chunks()
    image = pa.StructArray.from_arrays([pa.array([one for one, _ in found], pa.binary()), paths], ["bytes", "path"])
    names = facts["ref_paths"].to_pylist()
    rows = [
        None if own is None else [{"bytes": data, "path": name} for data, name in zip(own, of, strict=True)]
        for (_, own), of in zip(found, names, strict=True)
    ]
    return {"image": image, "references": pa.array(rows, schema.COLUMNS["references"].type)}
