"""failures/F.parquet: one row for every input of a fragment that could not be read or judged.

A pure function of committed files: each of them carries its own failures, here they come together.
An input that failed at several steps has one row, for the first of them. An input that is tried again
has a row in each fragment where it failed; the last attempt counts (``current_failures``).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa

from configs.storage.spans import each
from pipeline.downloads import reasons as downloads
from pipeline.parquet import read_present, read_table
from pipeline.store.commit import read_failures, replace_table
from pipeline.store.ledger import fragments, listed_sources, read_fragment
from pipeline.store.run_folder import RunFolder

Failure = dict[str, Any]
"""id, uri, step, error, reason; in a file also attempt."""

REMOVED = "removed"
REASONS = {
    **{
        name: meaning
        for name, meaning in downloads.REASONS.items()
        if name not in (downloads.OK, downloads.NOT_MODIFIED)
    },
    "missing": "there is nothing where it should be",
    "unreadable": "it is there and cannot be read: no permission, a damaged archive, a list that is none",
    "forbidden": "it must not be read: it leads outside, is no file, or is a link",
    "incomplete": "its row lacks a picture, an instruction or a checksum",
    "ambiguous": "several could be meant",
    "mismatch": "it is another one than its checksum says, or than was listed",
    "too_large": "it is above limits.max_bytes or downloads.max_megabytes",
    "undecodable": "it is no picture, a damaged one, or one above limits",
    "timeout": "fetching it took longer than downloads.timeout_s, or looking at it than guard.seconds",
    "memory": "looking at it took more memory than guard.memory_mb",
    "crash": "what looked at it crashed",
    REMOVED: "it was taken down, by itself or by its uri, host or license (removed/)",
    "annotator": "an annotator could not judge it",
    "error": "anything else",
}
"""Why an input failed: the closed list behind ``reason`` and ``run --retry``."""

_STEPS_KEY = b"glyphmill.steps"
_TEXTS = ("id", "uri", "step", "error", "reason")
SCHEMA = pa.schema([*((pa.field(n, pa.string(), False)) for n in _TEXTS), pa.field("attempt", pa.int32(), False)])


def write_failures(run: RunFolder, fragment: str, annotators: Sequence[str], attempt: int = 1) -> int:
    """Write failures/F.parquet once all annotators (in their order) have committed F; return its number of rows.

    Written anew when an annotator came after it. ``attempt``: which one the fragment is of its inputs, from 1.
    """
    path = run.failures(fragment)
    steps = ",".join(annotators).encode()
    there = read_present(path, ["id"])
    if there is not None and (there.schema.metadata or {}).get(_STEPS_KEY) == steps:
        return len(there)
    files = [run.samples(fragment), *(run.scores(name, fragment) for name in annotators)]
    failures = [_complete(f, attempt) for f in _first_failures([read_failures(file) for file in files])]
    table = pa.Table.from_pylist(failures, schema=SCHEMA)
    replace_table(path, table.replace_schema_metadata({_STEPS_KEY: steps}))
    return len(failures)


def current_failures(run: RunFolder) -> dict[str, Failure]:
    """id -> the failure of its last attempt; an input whose last attempt ended well is not among them."""
    found: dict[str, Failure] = {}
    for source in listed_sources(run.ledgers):
        cut = fragments(run.ledger(source), source)
        tables = each(lambda fragment: read_table(run.failures(fragment.name)), cut, run.path)
        for fragment, failed in zip(cut, tables, strict=True):
            if fragment.attempt > 1:
                for row in read_fragment(run.ledger(source), fragment):
                    found.pop(row["id"], None)
            found |= {failure["id"]: _complete(failure, fragment.attempt) for failure in failed.to_pylist()}
    return found


def _complete(failure: Failure, attempt: int) -> Failure:
    """With what earlier versions did not write."""
    return {"reason": "error", "attempt": attempt} | failure


def _first_failures(steps: Sequence[Sequence[Failure]]) -> list[Failure]:
    """The first failure of each id, sorted by uri."""
    first: dict[str, Failure] = {}
    for failures in steps:
        for failure in failures:
            first.setdefault(failure["id"], failure)
    return sorted(first.values(), key=lambda f: (f["uri"], f["id"]))
