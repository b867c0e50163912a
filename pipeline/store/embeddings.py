"""Embeddings that an annotator kept aside, read fragment by fragment: of a million rows they have 2.6 GB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from pipeline import schema
from pipeline.parquet import read_table
from pipeline.store.commit import committed
from pipeline.store.run_folder import RunFolder


@dataclass(frozen=True)
class Embedded:
    """Rows of a fragment that have an embedding. ``rows``: (N,) their numbers in samples/. ``vectors``: float16 (N, D)."""

    fragment: str
    rows: np.ndarray
    vectors: np.ndarray


def embeddings(run: RunFolder, annotator: str) -> Iterator[Embedded]:
    """Those of every fragment that ``annotator`` has scored, by its name."""
    for fragment in sorted(committed(run.embeddings(annotator, "x").parent)):
        table = read_table(run.embeddings(annotator, fragment), [schema.EMBEDDING.name])
        column = table[schema.EMBEDDING.name].combine_chunks()
        there = np.flatnonzero(np.asarray(column.is_valid()))
        yield Embedded(fragment, there, _matrix(column.take(pa.array(there))))


def _matrix(column: pa.FixedSizeListArray) -> np.ndarray:
    return column.flatten().to_numpy(zero_copy_only=False).astype(np.float16).reshape(len(column), -1)
