"""Where every input went: kept, stopped with a reason, or failed. The sum is checked at the end of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field

from configs.errors import RunFailed
from pipeline.parquet import read_table
from pipeline.store.failures import current_failures
from pipeline.store.ledger import listed_ids, listed_sources
from pipeline.store.removed import read_removals
from pipeline.store.run_folder import RunFolder


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
    """Accounts by source. Raises RunFailed when an input ended nowhere or twice."""
    ends: dict[str, str | None] = {}
    columns = ["id", "stage_to", "stopped_by"]
    for row in read_table(run.decisions / "decisions.parquet", columns=columns).to_pylist():
        ends[row["id"]] = None if row["stage_to"] > 0 else row["stopped_by"]
    failed = {id_: failure["step"] for id_, failure in current_failures(run).items()}
    removed = read_removals(run).ids
    return {name: _account(listed_ids(run.ledger(name)), ends, failed, removed) for name in listed_sources(run.ledgers)}


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


def _account(
    ids: Iterable[str], ends: dict[str, str | None], failed: dict[str, str], removed: Collection[str]
) -> Account:
    one = Account()
    for sample in ids:
        one.inputs += 1
        if sample in removed:
            one.removed += 1
            continue
        if (sample in ends) == (sample in failed):
            where = "in decisions/ and in failures/" if sample in ends else "neither in decisions/ nor in failures/"
            raise RunFailed(
                f"input {sample} is {where}: the books do not balance; nothing was deleted, please report it"
            )
        if sample in failed:
            one.failed += 1
            one.reasons[f"failed at {failed[sample]}"] += 1
        elif ends[sample] is None:
            one.kept += 1
        else:
            one.stopped += 1
            one.reasons[f"stopped by {ends[sample]}"] += 1
    return one
