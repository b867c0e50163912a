"""failures/F.parquet: one row for every input of a fragment that could not be read or judged.

A pure function of committed files: each of them carries its own failures, here they come together.
An input that failed several times is told once, with the first step at which it did.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.engine.commit import created_once, read_failures
from pipeline.engine.layout import RunFolder

Failure = dict[str, str]
"""id, uri, step, error."""

SCHEMA = pa.schema([pa.field(name, pa.string(), nullable=False) for name in ("id", "uri", "step", "error")])


def settle(run: RunFolder, fragment: str, annotators: Sequence[str]) -> int:
    """Write failures/F.parquet once all annotators (in their order) have committed F; return its number of rows."""
    path = run.failures(fragment)
    if path.exists():
        return pq.read_metadata(path).num_rows
    files = [run.samples(fragment), *(run.scores(name, fragment) for name in annotators)]
    rows = first_failures([read_failures(file) for file in files])
    with created_once(path) as temporary:
        pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), temporary)
    return len(rows)


def first_failures(steps: Sequence[Sequence[Failure]]) -> list[Failure]:
    """The first failure of each id, sorted by uri."""
    first: dict[str, Failure] = {}
    for failures in steps:
        for failure in failures:
            first.setdefault(failure["id"], failure)
    return sorted(first.values(), key=lambda f: (f["uri"], f["id"]))
