"""Which rows of a run are copies: generation by generation, and only where something changed that this follows from.

    keys of all parts, captions ──kept_copies──> RUN/compact/duplicates ──> the row that each is a copy of

Rows that came later are judged beside those before them, of which the kept ones come first where pictures are the same:
what was kept stays. Removed rows are judged, too, though they end with the stages that they had: a copy of one stays a
copy.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from configs import to_plain
from pipeline.decide import dedup
from pipeline.decide import keys as keys_
from pipeline.decide.dedup import DedupConfig, kept_copies
from pipeline.decide.keys import Keys
from pipeline.decide.rules import LICENSE
from pipeline.store.compact import Compacted, Part
from pipeline.store.rows import take, thumbnails

if TYPE_CHECKING:
    import polars as pl


AS_COPIES = ("n_captions", "stage_to", "stopped_by")
"""Columns of rows that ``find_copies`` wants to know."""


def find_copies(
    compacted: Compacted, config: DedupConfig, table: pl.DataFrame, generation: np.ndarray, removed: pl.DataFrame
) -> np.ndarray:
    """int64 (N,): of each row of the run the one that it is a copy of, itself where it is none.

    ``table``: AS_COPIES of all rows, as if nothing were a copy. ``generation``: which addition they came with.
    ``removed``: number and stages of rows that were taken down.
    """
    import polars as pl

    captioned = (table["n_captions"].fill_null(0) > 0).to_numpy().copy()
    good, own = (table["stage_to"] > 0).to_numpy(), np.arange(len(table))
    told = removed.drop_nulls("stage_to")
    taken = told.filter(told["stage_to"] > 0)["number"].to_numpy()
    first = np.zeros(len(table), bool)
    # What was kept when it was taken down stays the keeper of its copies, though its captions are blanked now.
    first[taken] = captioned[taken] = True
    # What its license forbids is stopped by that: it neither is a copy nor has any.
    allowed = (table["stopped_by"].cast(pl.String) != LICENSE).fill_null(True).to_numpy()
    of = own.copy()
    for number in np.unique(generation).tolist():
        rows = np.flatnonzero(generation <= number)
        parts = _parts(compacted, generation, number)
        copies = _copies(compacted, parts, rows, config, (captioned[rows], first[rows], allowed[rows]), number)
        of[rows] = rows[copies]
        first = (generation <= number) & allowed & good & (of == own)
        first[told["number"].to_numpy()] = (told["stage_to"] > 0).to_numpy()
    return of


def _parts(compacted: Compacted, generation: np.ndarray, number: int) -> list[Part]:
    """Those that hold rows of this generation and of those before it: a part is of one source, and so of one generation."""
    ends = np.cumsum([compacted.length(part) for part in compacted.parts])
    last = {part.name: end - 1 for part, end in zip(compacted.parts, ends.tolist(), strict=True)}
    filled = (part for part in compacted.parts if compacted.length(part))
    return [part for part in filled if generation[last[part.name]] <= number]


def _copies(
    compacted: Compacted,
    parts: Sequence[Part],
    rows: np.ndarray,
    config: DedupConfig,
    flags: tuple[np.ndarray, np.ndarray, np.ndarray],
    number: int,
) -> np.ndarray:
    """As ``kept_copies`` of ``rows``, those of ``parts``; it is asked only where its answer is not kept. What came later
    changes none of it, so an addition looks for copies once, whatever was added before. ``flags``: of the rows whether
    they are captioned, come first, and are allowed."""
    captioned, first, within = flags
    bits = hashlib.sha256()
    for flag in flags:
        bits.update(np.packbits(flag).tobytes())
    recipe = json.dumps([dedup.VERSION, keys_.VERSION, to_plain(config), bits.hexdigest()])

    def search() -> pa.Table:
        of = kept_copies(
            _keys(compacted, parts),
            captioned,
            first,
            config,
            lambda mine: take(compacted, rows[mine], ["text"])["text"],
            lambda mine: thumbnails(compacted, rows[mine]),
            within,
        )
        copies = np.flatnonzero(of != np.arange(len(of)))
        return pa.table({"row": copies, "of": of[copies]})

    found = compacted.derived(compacted.whole(f"run-{number}", parts), "duplicates", recipe, search)
    of = np.arange(len(captioned))
    of[found["row"].to_numpy()] = found["of"].to_numpy()
    return of


def _keys(compacted: Compacted, parts: Sequence[Part]) -> Keys:
    return Keys(compacted.derived(part, "keys", keys_.VERSION, partial(_keys_of, compacted, part)) for part in parts)


def _keys_of(compacted: Compacted, part: Part) -> pa.Table:
    import polars as pl

    return keys_.keys(pl.DataFrame(compacted.rows(part, [*keys_.COLUMNS, *keys_.SCORES])))
