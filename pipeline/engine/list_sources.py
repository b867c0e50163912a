"""Listing: every source writes its ledger once; from then on the ledger is the truth about it."""

from __future__ import annotations

from collections.abc import Sequence

from configs import UserError
from pipeline.sources import FolderSource, SourceConfig, SynthSource
from pipeline.store.ledger import Fragment, FragmentsConfig, fragments, write_ledger
from pipeline.store.run_folder import RunFolder


def list_sources(run: RunFolder, sources: Sequence[SourceConfig], config: FragmentsConfig) -> list[Fragment]:
    """Write the ledgers that are missing; return all fragments, in the order of the sources."""
    found: list[Fragment] = []
    for index, source in enumerate(sources):
        path = run.ledger(source.name)
        if not path.exists():
            entries, remarks = source.entries(f"sources.{index}")
            write_ledger(path, source.name, entries, config)
            print(f"listed {len(entries):,} inputs of {source.name}", *remarks, sep="; ", flush=True)
        found += fragments(path, source.name)
    return found


def check_sources(run: RunFolder, sources: Sequence[SourceConfig]) -> None:
    """Raise UserError when an input that is still to be read is not there, or would be another one now."""
    for index, source in enumerate(sources):
        where = f"sources.{index}"
        path = run.ledger(source.name)
        if isinstance(source, FolderSource) and source.holds(run.path):
            raise UserError(
                f"RUN {run.path}: lies inside the pictures of '{where}.path', where its own files would be inputs; "
                "name a folder outside"
            )
        left = [f for f in fragments(path, source.name) if not run.samples(f.name).exists()] if path.exists() else None
        if left == []:
            continue
        source.check(where)
        if left and isinstance(source, SynthSource):
            source.check_same(where, path)
