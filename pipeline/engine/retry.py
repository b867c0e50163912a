"""``run --retry``: what failed for a named reason becomes fragments of its own, beside those that are committed.

    failures of last attempts ──by reason──> their ledger rows ──> ledger/<source>/r1.parquet ──> <source>-r1-00000 ...

Ids and committed files stay as they are; the last attempt of an input counts.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from configs import UserError
from pipeline.sources import Source
from pipeline.store.commit import committed
from pipeline.store.failures import REASONS, current_failures
from pipeline.store.ledger import FragmentsConfig, fragments, is_listed, read_fragment, write_retry
from pipeline.store.removed import read_removals
from pipeline.store.run_folder import RunFolder

_ALL = "all"


def retry_reasons(text: str) -> frozenset[str]:
    """The reasons that ``--retry`` names, separated by commas. Raises UserError for one that does not exist."""
    names = [name.strip() for name in text.split(",")]
    if names == [_ALL]:
        return frozenset(REASONS)
    for name in names:
        if name not in REASONS:
            raise UserError(f"--retry: expected {_ALL} or some of {', '.join(REASONS)}; found '{name}'")
    return frozenset(names)


def write_retries(run: RunFolder, sources: Sequence[Source], reasons: frozenset[str], config: FragmentsConfig) -> None:
    """Add fragments of what failed with one of ``reasons``; says how many. Does nothing while a fragment, such as one
    of a retry before, is not finished: the command goes on with that."""
    ledgers = {source.name: run.ledger(source.name) for source in sources}
    done = committed(run.failures("x").parent)
    if not all(is_listed(folder) for folder in ledgers.values()) or any(
        f.name not in done for name, folder in ledgers.items() for f in fragments(folder, name)
    ):
        print("--retry: this run is not finished; it goes on, and what fails then can be tried again", flush=True)
        return
    removed = read_removals(run).ids
    failures = {id_: f for id_, f in current_failures(run).items() if id_ not in removed}
    failed = {id_: f["reason"] for id_, f in failures.items() if f["reason"] in reasons}
    for source in sources:
        if rows := _rows_of(run, source, failed):
            write_retry(ledgers[source.name], source.name, rows, config)
    counts = Counter(failed.values())
    told = ", ".join(f"{count:,} {reason}" for reason, count in counts.most_common())
    print(f"trying again: {told or 'nothing, no input failed for these reasons'}", flush=True)


def _rows_of(run: RunFolder, source: Source, failed: Mapping[str, str]) -> list[dict[str, Any]]:
    """The ledger rows of the inputs that failed, in ledger order."""
    folder, done, found = run.ledger(source.name), committed(run.failures("x").parent), []
    for fragment in fragments(folder, source.name):
        if fragment.attempt == 1 and fragment.name in done:
            rows = [row for row in read_fragment(folder, fragment) if row["id"] in failed]
            found += [row | {"refused": None, "reason": None} if source.looks_again else row for row in rows]
    return found
