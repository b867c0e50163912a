"""Where every input went: kept, stopped with a reason, or failed. The sum is checked at the end of a run."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from configs.errors import RunFailed
from configs.storage.spans import each
from pipeline.parquet import opened, read_table
from pipeline.store.ledger import fragments, listed_ids, listed_sources, read_fragment
from pipeline.store.partitions import Partitions
from pipeline.store.removed import read_removals
from pipeline.store.run_folder import RunFolder

_FILES = 256
"""By the hash of an id; chosen: a hundred million inputs make files of 400,000."""


@dataclass
class Account:
    """Inputs of one source, or of all: ``inputs`` = kept + stopped + failed + removed."""

    inputs: int = 0
    kept: int = 0
    stopped: int = 0
    failed: int = 0
    removed: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    """What stopped a sample before its first stage, or where an input failed -> count."""

    def add(self, other: Account) -> None:
        for name in ("inputs", "kept", "stopped", "failed", "removed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.reasons += other.reasons


def account(run: RunFolder) -> dict[str, Account]:
    """Accounts by source. Raises RunFailed when an input ended nowhere or twice.

    What is said of an input is brought together on disk, by the hash of its id: a run may have more than memory holds.
    """
    accounts = {name: Account() for name in listed_sources(run.ledgers)}
    removed = read_removals(run).ids
    with Partitions() as files:
        for record in _records(run):
            files.add(zlib.crc32(record[0].encode()) % _FILES, record)
        for number in files.numbers():
            _count(files.read(number), removed, accounts)
    return accounts


def total(accounts: dict[str, Account]) -> Account:
    """The sum over all sources."""
    everything = Account()
    for one in accounts.values():
        everything.add(one)
    return everything


def summary(accounts: dict[str, Account]) -> list[str]:
    """Lines for the terminal: one per source, one for all, and the reasons."""
    everything = total(accounts)
    rows = [
        f"{name:>16}: {a.inputs:,} inputs = {a.kept:,} kept + {a.stopped:,} stopped + {a.failed:,} failed"
        + (f" + {a.removed:,} removed" if a.removed else "")
        for name, a in [*accounts.items(), ("all sources", everything)]
    ]
    return rows + [f"{'':>18}{count:,} {reason}" for reason, count in everything.reasons.most_common()]


_Record = tuple[str, str, Any]
"""Of an input its id, what kind of record this is, and what it says."""


def _records(run: RunFolder) -> Iterator[_Record]:
    """``input``: its source. ``decided``: what stopped it, or null. ``attempt``: which one began. ``failed``: (which
    attempt, its step)."""
    for source in listed_sources(run.ledgers):
        ledger = run.ledger(source)
        yield from ((id_, "input", source) for id_ in listed_ids(ledger))
        cut = fragments(ledger, source)
        tables = each(lambda fragment: read_table(run.failures(fragment.name), ["id", "step"]), cut, run.path)
        for fragment, failed in zip(cut, tables, strict=True):
            if fragment.attempt > 1:
                yield from ((row["id"], "attempt", fragment.attempt) for row in read_fragment(ledger, fragment))
            yield from ((row["id"], "failed", (fragment.attempt, row["step"])) for row in failed.to_pylist())
    with opened(run.decisions / "decisions.parquet") as file:
        for batch in file.iter_batches(columns=["id", "stage_to", "stopped_by"]):
            for row in batch.to_pylist():
                yield row["id"], "decided", None if row["stage_to"] > 0 else row["stopped_by"]


def _count(records: Iterable[_Record], removed: Collection[str], accounts: Mapping[str, Account]) -> None:
    """Add inputs to the accounts of their sources. ``records``: all that there are of each of these inputs."""
    said: dict[str, dict[str, Any]] = {"input": {}, "decided": {}, "attempt": {}, "failed": {}}
    for id_, kind, what in records:
        said[kind][id_] = max(said[kind].get(id_, what), what) if kind in ("attempt", "failed") else what
    failed = {id_: step for id_, (attempt, step) in said["failed"].items() if attempt >= said["attempt"].get(id_, 1)}
    for id_, source in said["input"].items():
        accounts[source].inputs += 1
        if id_ in removed:
            accounts[source].removed += 1
        else:
            _count_one(id_, accounts[source], said["decided"], failed)


def _count_one(id_: str, account: Account, decided: Mapping[str, str | None], failed: Mapping[str, str]) -> None:
    if (id_ in decided) == (id_ in failed):
        where = "in decisions/ and in failures/" if id_ in decided else "neither in decisions/ nor in failures/"
        raise RunFailed(f"input {id_} is {where}: the books do not balance; nothing was deleted, please report it")
    if id_ in failed:
        account.failed += 1
        account.reasons[f"failed at {failed[id_]}"] += 1
    elif decided[id_] is None:
        account.kept += 1
    else:
        account.stopped += 1
        account.reasons[f"stopped by {decided[id_]}"] += 1
