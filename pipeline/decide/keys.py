"""What a search for duplicates compares, as numbers: about 100 bytes a row, whatever the texts.

rows of a part ──keys──> one table of numbers, kept in RUN/compact ──all parts──> Keys, columns of NumPy on the disk
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from pipeline.decide.same_text import text_groups
from pipeline.store.on_disk import arrays_on_disk

if TYPE_CHECKING:
    import polars as pl

VERSION = "2"
"""Another one when ``keys`` gives other numbers."""
COLUMNS = ("id", "recipe", "task", "width", "height", "bytes_len", "text", "pixel_sha256", "phash")
SCORES = ("luma", "saturation", "entropy")
"""Columns of the rows that ``keys`` is made of; the scores must agree where there are no small copies."""
UNKNOWN, REAL, RENDERED, EDITED = range(4)
"""Kinds of rows: without measures; a real picture; a synthetic one; one that an edit ends in, which is no copy of another:
it is what it is together with its references and its instruction, and a small edit changes a picture little."""
_ID, _SAME = 16, 16
"""Bytes of an id by which rows of one rank are ordered, and of the digest of what makes rows equal."""


def keys(rows: pl.DataFrame) -> pa.Table:
    """A row for each of ``rows`` (COLUMNS and SCORES).

    ``id_0``, ``id_1``: uint64, ordered as ids are by their first 16 bytes. ``same_0``, ``same_1``: uint64, equal for
    equal pixels, of synthetic rows also equal recipe and text. ``kind``: int8. ``area``: px. ``aspect``: width / height.
    ``group``, ``is_long``: of the text (same_text.py). Scores are float64, NaN where they lack; ``hashed``: whether the
    row has what near duplicates are found by.
    """
    import polars as pl

    made, known = pl.col("recipe").is_not_null(), pl.col("pixel_sha256").is_not_null()
    edit = (pl.col("task") != "t2i").fill_null(value=False)
    picture = pl.when(made).then(pl.lit(RENDERED)).otherwise(pl.lit(REAL))
    kind = pl.when(~known).then(pl.lit(UNKNOWN)).when(edit).then(pl.lit(EDITED)).otherwise(picture)
    texts = pl.concat_str("recipe", pl.lit("\n"), pl.col("text").fill_null("\n"))
    same = pl.concat_str(pl.col("pixel_sha256"), pl.when(made).then(texts).otherwise(pl.lit("")))
    found = rows.select(
        kind=kind.cast(pl.Int8),
        area=pl.col("width").cast(pl.Int64) * pl.col("height"),
        bytes_len=pl.col("bytes_len").cast(pl.Int64),
        aspect=pl.col("width") / pl.col("height"),
        hashed=known & ~made & ~edit & pl.col("phash").is_not_null() & pl.col("luma").is_not_null(),
        phash=pl.col("phash").fill_null(0),
        **{name: pl.col(name).cast(pl.Float64).fill_null(float("nan")) for name in SCORES},
    )
    group, is_long = text_groups(rows["text"])
    columns = {name: found[name].to_arrow() for name in found.columns} | {"group": group, "is_long": is_long}
    columns |= _halves("id", np.array([text.encode()[:_ID] for text in rows["id"]], f"S{_ID}"))
    digests = [
        hashlib.blake2b(text.encode(), digest_size=_SAME).digest()
        for text in rows.select(same.fill_null("")).to_series()
    ]
    columns |= _halves("same", np.frombuffer(b"".join(digests), f"V{_SAME}"))
    return pa.table(columns)


def _halves(name: str, values: np.ndarray) -> dict[str, np.ndarray]:
    numbers = np.frombuffer(values.tobytes(), ">u8").astype(np.uint64).reshape(-1, 2)
    return {f"{name}_0": numbers[:, 0], f"{name}_1": numbers[:, 1]}


class Keys:
    """The columns of the tables that ``keys`` gave, one after the other: NumPy arrays by name."""

    def __init__(self, tables: Iterable[pa.Table]) -> None:
        self._columns = arrays_on_disk(tables)
        self.count = len(self._columns["kind"])

    def __getitem__(self, name: str) -> np.ndarray:
        return self._columns[name]
