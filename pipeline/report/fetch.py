"""Reads the chosen pictures of a run: bytes, captions and regions of some rows, nothing else.

rows ──by fragment──> small columns of samples/F and scores/*/F ┐
                      bytes of these pictures alone ────────────┴──> show(row), and the bytes are gone again
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from configs.storage import ObjectPath
from pipeline.pack.spans import picture_spans
from pipeline.parquet import read_table
from pipeline.store.run_folder import RunFolder
from pipeline.store.table import FRAGMENT, FRAGMENT_ROW, fragment_table_of

_COLUMNS = ("id", "uri", "width", "height", "captions", "text_regions")
_THREADS = min(8, os.cpu_count() or 1)
"""Pictures that are decoded at the same time, and held; chosen."""

_T = TypeVar("_T")


def fetch(
    run: RunFolder,
    schemas: Mapping[str, pa.Schema],
    rows: Iterable[Mapping[str, Any]],
    show: Callable[[dict[str, Any]], _T],
) -> dict[str, _T]:
    """id -> what ``show`` makes of the stored row: id, uri, image, size, captions, and the regions of its text, which are
    exact ones or those that OCR found. It is called by several threads.

    ``rows``: id and place (fragment, fragment_row) of each. ``schemas``: annotator -> what its scores hold.
    """
    by_fragment: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_fragment.setdefault(str(row[FRAGMENT]), []).append(row)

    distant = isinstance(run.path, ObjectPath)  # an object is asked for once, with all that is wanted of it
    columns = (*_COLUMNS, "image") if distant else _COLUMNS

    def load(item: tuple[str, list[Mapping[str, Any]]]) -> list[tuple[str, _T]]:
        fragment, mine = item
        numbers = [int(row[FRAGMENT_ROW]) for row in mine]
        stored = fragment_table_of(run, fragment, columns, schemas).take(numbers).to_pylist()
        if not distant:
            pictures = _pictures(run.samples(fragment), numbers)
            stored = [row | {"image": {"bytes": data}} for row, data in zip(stored, pictures, strict=True)]
        return [(row["id"], show(row)) for row in stored]

    with ThreadPoolExecutor(_THREADS) as pool:
        return dict(pair for found in pool.map(load, sorted(by_fragment.items())) for pair in found)


def _pictures(path: Path, rows: Sequence[int]) -> list[bytes]:
    """The bytes of these pictures of samples/F; a fragment may hold 128 MB of them."""
    told = picture_spans(path).take(list(rows)).to_pylist()
    if any(one["image_offset"] is None for one in told):  # an earlier version wrote them compressed
        images = read_table(path, ["image"])["image"]
        return [images[row].as_py()["bytes"] for row in rows]
    with path.open("rb") as file:
        return [os.pread(file.fileno(), one["image_length"], one["image_offset"]) for one in told]
