"""Listing: every source writes its ledger once; from then on the ledger is the truth about it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

from configs import UserError
from configs.storage.client import before_work
from pipeline.progress import EVERY
from pipeline.sources import Entry, Source
from pipeline.store.commit import committed
from pipeline.store.ledger import Fragment, FragmentsConfig, fragments, is_listed, read_fragment, write_parts
from pipeline.store.run_folder import RunFolder


def list_sources(run: RunFolder, sources: Sequence[Source], config: FragmentsConfig) -> list[Fragment]:
    """Write what is missing of the ledgers; all fragments, in the order of ``list_parts``."""
    return [fragment for part in list_parts(run, sources, config) for fragment in part]


def list_parts(run: RunFolder, sources: Sequence[Source], config: FragmentsConfig) -> Iterator[list[Fragment]]:
    """Write what is missing of the ledgers; yields the fragments of each part once it is there, so that work on them
    may begin while the rest is not listed yet. In the order of the sources, those of what is tried again last."""
    for index, source in enumerate(sources):
        folder = run.ledger(source.name)
        if is_listed(folder):
            yield fragments(folder, source.name)
            continue
        remarks: list[str] = []
        count = 0
        for part in write_parts(folder, source.name, _entries(source, f"sources.{index}", remarks), config):
            count += sum(fragment.inputs for fragment in part)
            if is_listed(folder):
                print(f"listed {count:,} inputs of {source.name}", *remarks, sep="; ", flush=True)
            yield part


def check_sources(run: RunFolder, sources: Sequence[Source], again: bool = False) -> None:
    """Raise UserError when an input that is still to be read is not there, or would be another one now.

    ``again``: inputs that failed will be read once more.
    """
    for index, source in enumerate(sources):
        where = f"sources.{index}"
        if source.holds(run.path):
            raise UserError(
                f"RUN {run.path}: lies inside the pictures of '{where}.path', where its own files would be inputs; "
                "name a folder outside"
            )
        folder = run.ledger(source.name)
        there = fragments(folder, source.name)
        if is_listed(folder) and not again and {f.name for f in there} <= committed(run.samples("x").parent):
            continue
        with before_work(f"field '{where}':"):
            source.check(where)
            if there:
                source.check_listed(where, read_fragment(folder, there[0])[0])


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
