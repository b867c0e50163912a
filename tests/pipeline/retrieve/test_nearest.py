"""The nearest embeddings are those that a plain product finds."""

from __future__ import annotations

import numpy as np

from pipeline.retrieve.nearest import nearest
from pipeline.store.embeddings import Embedded


def parts(vectors: np.ndarray) -> list[Embedded]:
    cut = len(vectors) // 2
    ids = [f"{n:04d}" for n in range(len(vectors))]
    return [
        Embedded("a", ids[:cut], vectors[:cut]),
        Embedded("b", [], np.empty((0, 1280), np.float16)),
        Embedded("c", ids[cut:], vectors[cut:]),
    ]


def test_it_finds_what_a_plain_product_finds() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(200, 1280)).astype(np.float16)
    queries = (vectors[[3, 150]] + rng.normal(scale=0.5, size=(2, 1280))).astype(np.float16)
    unit = [
        v.astype(np.float64) / np.linalg.norm(v.astype(np.float64), axis=1, keepdims=True) for v in (vectors, queries)
    ]
    cosine = (unit[0] @ unit[1].T).max(axis=1)
    expected = [f"{n:04d}" for n in np.argsort(-cosine)[:10]]
    found = sorted(nearest(parts(vectors), queries, 10), key=lambda f: -f[1])
    assert [id_ for id_, _ in found[:10]] == expected
    assert np.allclose([score for _, score in found[:10]], np.sort(cosine)[::-1][:10], atol=2e-3)  # half precision
