"""The small copies of pictures that ``measure`` stored, read for the rows that somebody asks for."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from pipeline.annotators.measure import THUMBNAIL_BYTES
from pipeline.parquet import read_table
from pipeline.store.run_folder import RunFolder

_FRAGMENTS = 1024
"""Fragments whose thumbnails stand in memory, 0.3 MB each by default; chosen."""


class Thumbnails:
    """Those of a run."""

    def __init__(self, run: RunFolder) -> None:
        self._run = run
        self._fragment = lru_cache(_FRAGMENTS)(self._read)

    def read(self, fragments: Sequence[str], rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(uint8 (N, 1152) thumbnails, bool (N,) whether there is one) of rows of samples/: fragment and row in it."""
        pictures, there = np.zeros((len(rows), THUMBNAIL_BYTES), np.uint8), np.zeros(len(rows), bool)
        names, which = np.unique(np.asarray(fragments, dtype=str), return_inverse=True)
        for number, name in enumerate(names):
            asked = np.flatnonzero(which == number)
            stored, known = self._fragment(str(name))
            pictures[asked], there[asked] = stored[rows[asked]], known[rows[asked]]
        return pictures, there

    def _read(self, fragment: str) -> tuple[np.ndarray, np.ndarray]:
        """Of rows without scores nothing is asked: they have no hash."""
        path = self._run.scores("measure", fragment)
        stored = read_table(path, ["thumbnail"])["thumbnail"].to_pylist()
        known = np.array([picture is not None for picture in stored], bool)
        empty = bytes(THUMBNAIL_BYTES)
        joined = b"".join(picture or empty for picture in stored)
        return np.frombuffer(joined, np.uint8).reshape(-1, THUMBNAIL_BYTES), known
