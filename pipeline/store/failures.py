"""failures/F.parquet: one row for every input of a fragment that could not be read or judged.

A pure function of committed files: each of them carries its own failures, here they come together.
An input that failed at several steps has one row, for the first of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from pipeline.store.commit import metadata, read_failures, replace_table, rows
from pipeline.store.run_folder import RunFolder

Failure = dict[str, str]
"""id, uri, step, error."""

_STEPS_KEY = b"glyphmill.steps"
SCHEMA = pa.schema([pa.field(name, pa.string(), nullable=False) for name in ("id", "uri", "step", "error")])


def write_failures(run: RunFolder, fragment: str, annotators: Sequence[str]) -> int:
    """Write failures/F.parquet once all annotators (in their order) have committed F; return its number of rows.

    Written anew when an annotator came after it.
    """
    path = run.failures(fragment)
    steps = ",".join(annotators).encode()
    if path.exists() and metadata(path).get(_STEPS_KEY) == steps:
        return rows(path)
    files = [run.samples(fragment), *(run.scores(name, fragment) for name in annotators)]
    failures = _first_failures([read_failures(file) for file in files])
    table = pa.Table.from_pylist(failures, schema=SCHEMA)
    replace_table(path, table.replace_schema_metadata({_STEPS_KEY: steps}))
    return len(failures)


def _first_failures(steps: Sequence[Sequence[Failure]]) -> list[Failure]:
    """The first failure of each id, sorted by uri."""
    first: dict[str, Failure] = {}
    for failures in steps:
        for failure in failures:
            first.setdefault(failure["id"], failure)
    return sorted(first.values(), key=lambda f: (f["uri"], f["id"]))
