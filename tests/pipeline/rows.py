"""Sample tables out of a few words, for tests of decisions."""

from __future__ import annotations

from typing import Any

import polars as pl
import pyarrow as pa

from pipeline import schema
from pipeline.store.run_folder import RunFolder
from pipeline.store.table import own_columns, sample_tables, scalar_schema, scored_by

DEFAULTS: dict[str, Any] = {
    "recipe": None,
    "width": 640,
    "height": 480,
    "bytes_len": 50_000,
    "orientation": 1,
    "task": "t2i",
    "license": "unknown",
    "n_captions": 1,
    "text": None,
    "text_language": "none",
    "text_level": 0,
    "category": None,
    "category_score": None,
    "text_area": None,
    "face_area": None,
    "clarity": 200.0,
    "luma": 0.5,
    "saturation": 0.2,
    "entropy": 6.0,
}


def table(*rows: dict[str, Any]) -> pl.DataFrame:
    """Rows with defaults; ``id``, ``pixel_sha256`` and ``phash`` are distinct unless given."""
    full = []
    for number, row in enumerate(rows):
        own = {"id": f"{number:032x}", "pixel_sha256": f"p{number}", "phash": (number * 0x9E3779B97F4A7C15) % 2**64}
        full.append(DEFAULTS | own | row)
    names = full[0].keys()
    arrow = schema.arrow(names)
    empty = pl.from_arrow(arrow.empty_table())
    assert isinstance(empty, pl.DataFrame)
    return pl.DataFrame(full, schema=dict(empty.schema))


def sample_table(run: RunFolder) -> pl.DataFrame:
    """All scalar columns of the samples of a run that did not fail, read from its fragments, in ledger order."""
    columns = scalar_schema(scored_by(run), own_columns(run)).names
    frame = pl.from_arrow(pa.concat_tables(sample_tables(run, columns)))
    assert isinstance(frame, pl.DataFrame)
    return frame
