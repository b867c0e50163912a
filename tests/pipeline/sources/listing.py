"""Listing and reading a source as a run does, without a run."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import pyarrow as pa

from configs.pictures import DecodeError, Limits
from pipeline import schema
from pipeline.sources import Refused, Source
from pipeline.store.commit import to_table
from pipeline.store.ledger import FragmentsConfig, fragments, read_fragment, write_ledger
from pipeline.tokens import finish_captions


def listed(source: Source) -> tuple[list[dict[str, Any]], list[str]]:
    """Ledger rows, as they are read back, and the remarks."""
    remarks: list[str] = []
    source.check("sources.0")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.parquet"
        write_ledger(path, source.name, source.entries("sources.0", remarks.append), FragmentsConfig(inputs=7))
        return [row for f in fragments(path, source.name) for row in read_fragment(path, f)], remarks


def collected(source: Source, limits: Limits | None = None) -> tuple[dict[str, dict[str, Any]], dict[str, str]]:
    """uri -> row of the table that would be committed; uri -> why there is none. Every input is in one of them."""
    rows, failed = {}, {}
    entries, _ = listed(source)
    reader = source.reader()
    reader.setup()
    for number, entry in enumerate(entries):
        uri = entry["uri"] if entry["uri"] not in (*rows, *failed) else f"{entry['uri']} again {number}"
        try:
            row = reader.read(entry, limits or Limits())
        except (Refused, DecodeError) as error:
            failed[uri] = str(error)
            continue
        row |= {name: entry[name] for name in ("id", "source", "uri")}
        rows[uri] = row | finish_captions(row.get("captions") or ())
    table: pa.Table = to_table(list(rows.values()), schema.arrow(schema.COLLECTED))
    table.validate(full=True)
    assert all(not table[name].null_count for name in schema.COLLECTED if schema.COLUMNS[name].required)
    return rows, failed


def texts(row: dict[str, Any]) -> list[tuple[str, str, str | None]]:
    """(text, source, invalid) of the captions of a row."""
    return [(c["text"], c["source"], c.get("invalid")) for c in row["captions"]]
