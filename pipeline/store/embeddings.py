"""Embeddings that an annotator kept aside, read fragment by fragment: of a million rows they have 2.6 GB."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from configs.storage.spans import each
from pipeline import schema
from pipeline.parquet import read_table
from pipeline.store.commit import committed, metadata
from pipeline.store.run_folder import RunFolder


@dataclass(frozen=True)
class Embedded:
    """Rows of a fragment that have an embedding and did not fail. ``ids``: N of them. ``vectors``: float16 (N, D)."""

    fragment: str
    ids: list[str]
    vectors: np.ndarray


def embedded_with(run: RunFolder, annotator: str) -> str | None:
    """The version of ``annotator`` that the embeddings of a run are of; None where it has none."""
    first = min(run.embeddings(annotator, "x").parent.glob("[!.]*.parquet"), default=None)
    return metadata(first)[b"glyphmill.version"].decode() if first else None


def embeddings(run: RunFolder, annotator: str) -> Iterator[Embedded]:
    """Those of every fragment that ``annotator`` has scored, by its name."""

    def part(fragment: str) -> Embedded:
        table = read_table(run.embeddings(annotator, fragment), ["id", schema.EMBEDDING.name])
        failed = read_table(run.failures(fragment), ["id"])["id"].combine_chunks()
        table = table.filter(pc.and_(pc.is_valid(table[1]), pc.invert(pc.is_in(table[0], failed))))
        return Embedded(fragment, table[0].to_pylist(), _matrix(table[1].combine_chunks()))

    parts = each(part, sorted(committed(run.embeddings(annotator, "x").parent)), run.path)
    return (embedded for embedded in parts if embedded.ids)


def _matrix(column: pa.FixedSizeListArray) -> np.ndarray:
    return (
        column.flatten()
        .to_numpy(zero_copy_only=False)
        .astype(np.float16)
        .reshape(len(column), -1 if len(column) else 0)
    )
