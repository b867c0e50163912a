"""Rows of a run by their numbers: all that did not fail, in ledger order, part after part."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pipeline.store.compact import Compacted, Part

if TYPE_CHECKING:
    import polars as pl


def _by_part(compacted: Compacted, rows: np.ndarray) -> Iterator[tuple[Part, np.ndarray]]:
    """Of ascending row numbers each part that has some of them, and which rows of the part they are."""
    start = 0
    for part in compacted.parts:
        end = start + compacted.length(part)
        inside = rows[np.searchsorted(rows, start) : np.searchsorted(rows, end)]
        if len(inside):
            yield part, inside - start
        start = end


def take_parts(compacted: Compacted, rows: np.ndarray, columns: Sequence[str]) -> Iterator[pl.DataFrame]:
    """``columns`` of ascending ``rows``, part by part."""
    import polars as pl

    for part, inside in _by_part(compacted, rows):
        yield pl.DataFrame(compacted.rows(part, columns))[inside]


def take(compacted: Compacted, rows: np.ndarray, columns: Sequence[str]) -> pl.DataFrame:
    """``columns`` of ascending ``rows``."""
    import polars as pl

    found = list(take_parts(compacted, rows, columns))
    return pl.concat(found) if found else pl.DataFrame(compacted.schema.empty_table().select(list(columns)))


def thumbnails(compacted: Compacted, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """(uint8 (N, 1152), bool (N,) whether there is one) of ascending ``rows``."""
    found = [compacted.thumbnails(part, inside) for part, inside in _by_part(compacted, rows)]
    return np.concatenate([small for small, _ in found]), np.concatenate([there for _, there in found])
