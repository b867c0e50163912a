"""Rows whose pictures look like given ones: the cosine of stored embeddings, exact, a fragment at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from pipeline.store.embeddings import Embedded


def nearest(parts: Iterable[Embedded], queries: np.ndarray, top: int) -> Iterator[tuple[str, float]]:
    """(id, score) of at least the ``top`` rows that are nearest to any of ``queries``: float16 (Q, D).

    ``score``: the largest cosine over the queries, -1..1. Computed by usearch (Apache-2.0) without an index, since a
    retrieval reads every embedding once: a million in a minute, of which the search takes four seconds.
    """
    from usearch.index import MetricKind, search

    for part in parts:
        if not len(part.vectors):
            continue
        best: dict[int, float] = {}
        for query in queries:
            found = search(part.vectors, query, min(top, len(part.vectors)), MetricKind.Cos, exact=True, threads=1)
            for row, distance in zip(found.keys.tolist(), found.distances.tolist(), strict=True):
                best[row] = max(best.get(row, -1.0), 1 - distance)
        yield from ((part.ids[row], score) for row, score in best.items())
