"""Rows of a list that name the same picture become one: a list may repeat a URL any number of times.

    rows ──by hash of the URL──> 256 files: the first of equal URLs takes in what the others say
         ──by row number───────> files of 65,536 rows each ──sorted──> the list in its order

No more than one such file is in memory, however long the list is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from pipeline.store.partitions import Partitions

_FILES, _ROWS = 256, 1 << 16
"""Files by hash, rows of a file by number; chosen: a hundred million rows make files of 400,000 rows."""
_JOINED = 64
"""Rows whose captions one picture takes in; chosen: a caption is drawn at random, and more say nothing new."""


@dataclass
class Listed:
    """Row ``number``, from 0. ``key``: what equal rows share; none where the row is ``refused`` for ``reason``.
    ``values``: its columns. ``joined``: those of the rows after it that repeat it."""

    number: int
    uri: str
    key: str | None = None
    values: dict[str, Any] = field(default_factory=dict)
    joined: list[dict[str, Any]] = field(default_factory=list)
    refused: str | None = None
    reason: str | None = None


def merged(rows: Iterable[Listed]) -> Iterator[Listed]:
    """All rows in their order; those that repeat an earlier one are refused as ``repeated``, and it has their values."""
    with Partitions() as by_number:
        with Partitions() as by_key:
            for row in rows:
                if row.key is None:
                    by_number.add(row.number // _ROWS, row)
                else:
                    by_key.add(hashlib.sha256(row.key.encode()).digest()[0] % _FILES, row)
            for file in by_key.numbers():
                for row in _joined(by_key.read(file)):
                    by_number.add(row.number // _ROWS, row)
        for file in by_number.numbers():
            yield from sorted(by_number.read(file), key=lambda row: row.number)


def _joined(rows: Iterable[Listed]) -> Iterator[Listed]:
    """The rows of one file; the first ones of equal keys last."""
    first: dict[str, Listed] = {}
    for row in rows:
        assert row.key is not None
        kept = first.setdefault(row.key, row)
        if kept is not row:
            if len(kept.joined) < _JOINED and row.values != kept.values and row.values not in kept.joined:
                kept.joined.append(row.values)
            why = f"row {kept.number} of the list has the same URL: it is fetched once"
            yield Listed(row.number, row.uri, refused=why, reason="repeated")
    yield from first.values()
