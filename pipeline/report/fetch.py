"""Reads the chosen pictures of a run: bytes, captions and regions of some ids, nothing else.

The file of a fragment is read once for all of its chosen pictures, and not at all where it has none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.parquet import opened, read_row_group, read_schema

COLUMNS = ("id", "uri", "image", "width", "height", "captions", "text_regions")

_MOST_FRAGMENTS = 256
"""From how many fragments pictures are taken at most; chosen, because a fragment may hold 128 MB of bytes."""


def visible_fragments(fragments: Iterable[str]) -> list[str]:
    """All fragments, or ``_MOST_FRAGMENTS`` of them evenly spread: where the page's pictures come from."""
    ordered = sorted(set(fragments))
    if len(ordered) <= _MOST_FRAGMENTS:
        return ordered
    return [ordered[i * len(ordered) // _MOST_FRAGMENTS] for i in range(_MOST_FRAGMENTS)]


def fetch(run: Path, chosen: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """``chosen``: id -> fragment. Returns id -> row of ``COLUMNS``; regions that OCR found stand in for exact ones."""
    by_fragment: dict[str, list[str]] = {}
    for id_, fragment in chosen.items():
        by_fragment.setdefault(fragment, []).append(id_)
    found: dict[str, dict[str, Any]] = {}
    for fragment, ids in sorted(by_fragment.items()):
        rows = _rows(run / "samples" / f"{fragment}.parquet", ids, COLUMNS)
        read = _read_regions(run, fragment, [i for i in ids if not rows[i]["text_regions"]])
        for id_, row in rows.items():
            found[id_] = row | ({"text_regions": read[id_]} if id_ in read else {})
    return found


def _read_regions(run: Path, fragment: str, ids: list[str]) -> dict[str, Any]:
    regions: dict[str, Any] = {}
    for path in sorted((run / "scores").glob(f"*/{fragment}.parquet")):
        if "text_regions" in read_schema(path).names:
            rows = _rows(path, ids, ("id", "text_regions"))
            regions |= {id_: row["text_regions"] for id_, row in rows.items() if row["text_regions"]}
    return regions


def _rows(path: Path, ids: list[str], columns: Iterable[str]) -> dict[str, dict[str, Any]]:
    """Rows of a file by id, one row group at a time, so that little of the bytes is held at once."""
    rows: dict[str, dict[str, Any]] = {}
    ids_ = pa.array(ids, pa.string())
    with opened(path) as file:
        for group in range(file.num_row_groups):
            if pc.any(pc.is_in(read_row_group(file, group, ["id"])["id"], ids_)).as_py():
                table = read_row_group(file, group, list(columns))
                chosen = table.filter(pc.is_in(table["id"], ids_))
                rows |= {row["id"]: row for row in chosen.to_pylist()}
    return rows
