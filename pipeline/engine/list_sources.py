"""Listing: every source writes its ledger once; from then on the ledger is the truth about it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from configs import UserError
from pipeline.progress import EVERY
from pipeline.sources import Entry, Source
from pipeline.store.ledger import Fragment, FragmentsConfig, fragments, read_fragment, write_ledger
from pipeline.store.run_folder import RunFolder


def list_sources(run: RunFolder, sources: Sequence[Source], config: FragmentsConfig) -> list[Fragment]:
    """Write the ledgers that are missing; return all fragments, in the order of the sources."""
    found: list[Fragment] = []
    for index, source in enumerate(sources):
        path = run.ledger(source.name)
        listed = path.exists()
        remarks: list[str] = []
        if not listed:
            write_ledger(path, source.name, _entries(source, f"sources.{index}", remarks), config)
        of_source = fragments(path, source.name)
        if not listed:
            print(
                f"listed {sum(f.inputs for f in of_source):,} inputs of {source.name}", *remarks, sep="; ", flush=True
            )
        found += of_source
    return found


def check_sources(run: RunFolder, sources: Sequence[Source]) -> None:
    """Raise UserError when an input that is still to be read is not there, or would be another one now."""
    for index, source in enumerate(sources):
        where = f"sources.{index}"
        if source.holds(run.path):
            raise UserError(
                f"RUN {run.path}: lies inside the pictures of '{where}.path', where its own files would be inputs; "
                "name a folder outside"
            )
        path = run.ledger(source.name)
        listed = path.exists()
        if listed and all(run.samples(f.name).exists() for f in fragments(path, source.name)):
            continue
        source.check(where)
        if listed:
            source.check_listed(where, read_fragment(path, 0)[0])


def _entries(source: Source, where: str, remarks: list[str]) -> Iterator[Entry]:
    """The inputs of a source, with a line now and then that counts them. Raises UserError where there are none."""
    count, last = 0, time.monotonic()
    for entry in source.entries(where, remarks.append):
        count += 1
        if time.monotonic() - last > EVERY:
            last = time.monotonic()
            print(f"listing {source.name}: {count:,} inputs so far", flush=True)
        yield entry
    if not count:
        raise UserError(f"field '{where}': source '{source.name}' lists no inputs")
