"""Where every input went: kept, stopped with a reason, or failed. The sum is checked at the end of a run."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import pyarrow as pa

from configs.errors import RunFailed
from configs.storage.spans import each
from pipeline.parquet import read_table
from pipeline.store.compact import Compacted
from pipeline.store.ledger import listed_sources, parts, read_ids
from pipeline.store.removed import read_removals
from pipeline.store.run_folder import RunFolder

if TYPE_CHECKING:
    import polars as pl

_FAILED = pa.schema([("id", pa.string()), ("step", pa.string()), ("attempt", pa.int32())])
_TOGETHER = 4_000_000
"""Inputs that are brought together in memory; chosen: half a gigabyte. Of more, all files are read for each so many."""


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


@dataclass(frozen=True)
class Said:
    """What files say of inputs, of each a row or more.

    ``inputs``: id, source. ``decided``: id, stopped_by, null where it is kept. ``begun``: id, attempt of those that were
    tried again. ``failed``: id, attempt, step.
    """

    inputs: pl.DataFrame
    decided: pl.DataFrame
    begun: pl.DataFrame
    failed: pl.DataFrame
    removed: pl.DataFrame


def account(run: RunFolder, compacted: Compacted | None = None) -> dict[str, Account]:
    """Accounts by source. Raises RunFailed when an input ended nowhere or twice."""
    import polars as pl

    compacted = compacted or Compacted(run)
    accounts = {name: Account() for name in listed_sources(run.ledgers)}
    removed = pl.DataFrame({"id": list(read_removals(run).ids)}, schema={"id": pl.String})
    listed = sum(count for part in compacted.parts if part.attempt == 1 for _, count in compacted.fragments(part))
    slices = 1 + listed // _TOGETHER
    for number in range(slices):
        mine = pl.col("id").hash(seed=0) % slices == number if slices > 1 else pl.lit(True)
        failed = _failed(compacted, together=slices == 1)
        count(_said(run, failed, removed, lambda frame, mine=mine: frame.filter(mine)), accounts)  # type: ignore[misc]
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
    reasons = sorted(everything.reasons.items(), key=lambda item: (-item[1], item[0]))
    return rows + [f"{'':>18}{count:,} {reason}" for reason, count in reasons]


def _failed(compacted: Compacted, together: bool) -> Iterable[pa.Table]:
    """id, step, attempt of what failed; ``together``: from one file for all parts."""
    of = (compacted.failures(part).cast(_FAILED) for part in compacted.parts)
    if not together or not compacted.parts:
        return of
    whole = compacted.whole("run", compacted.parts)
    return [compacted.derived(whole, "failed", "1", lambda: pa.concat_tables(of))]


def _said(
    run: RunFolder,
    failures: Iterable[pa.Table],
    removed: pl.DataFrame,
    mine: Callable[[pl.DataFrame], pl.DataFrame],
) -> Said:
    import polars as pl

    inputs, begun = [], []
    for source in listed_sources(run.ledgers):
        files = parts(run.ledger(source))
        tables = each(read_ids, files, run.path)
        for part, table in zip(files, tables, strict=True):
            ids = mine(pl.DataFrame(table))
            if part.retry:
                begun.append(ids.with_columns(attempt=pl.lit(1 + part.retry, pl.Int32)))
            else:
                inputs.append(ids.with_columns(source=pl.lit(source).cast(pl.Categorical)))
    failed = (mine(pl.DataFrame(table)) for table in failures)
    told = mine(pl.DataFrame(read_table(run.decisions / "decisions.parquet", ["id", "stage_to", "stopped_by"])))
    stopped = pl.when(pl.col("stage_to") == 0).then("stopped_by").cast(pl.Categorical)
    return Said(
        _joined(inputs, {"id": pl.String, "source": pl.Categorical}),
        told.select("id", stopped_by=stopped),
        _joined(begun, {"id": pl.String, "attempt": pl.Int32}),
        _joined(failed, {"id": pl.String, "attempt": pl.Int32, "step": pl.String}),
        removed,
    )


def _joined(frames: Iterable[pl.DataFrame], columns: dict[str, type]) -> pl.DataFrame:
    import polars as pl

    return pl.concat([pl.DataFrame(schema=columns), *(frame.select(list(columns)) for frame in frames)])


def count(said: Said, accounts: dict[str, Account]) -> None:
    """Add inputs to the accounts of their sources. Raises RunFailed for one that ended nowhere or twice."""
    import polars as pl

    begun = said.begun.group_by("id").agg(begun=pl.col("attempt").max())
    last = said.failed.sort("attempt").unique("id", keep="last").join(begun, on="id", how="left")
    failed = last.filter(pl.col("attempt") >= pl.col("begun").fill_null(1)).select("id", "step")
    ends = said.inputs.join(said.decided.with_columns(decided=True), on="id", how="left")
    ends = ends.join(failed.with_columns(failed=True), on="id", how="left")
    ends = ends.join(said.removed.with_columns(removed=True), on="id", how="left")
    ends = ends.with_columns(pl.col("decided", "failed", "removed").fill_null(False))
    wrong = ends.filter(~pl.col("removed") & (pl.col("decided") == pl.col("failed")))
    if len(wrong):
        id_, decided = wrong.select("id", "decided").row(0)
        where = "in decisions/ and in failures/" if decided else "neither in decisions/ nor in failures/"
        raise RunFailed(f"input {id_} is {where}: the books do not balance; nothing was deleted, please report it")
    for source, gone, failing, step, stopped_by, many in (
        ends.group_by("source", "removed", "failed", "step", "stopped_by").len().iter_rows()
    ):
        _add(accounts[source], gone, step if failing else None, stopped_by, many)


def _add(account: Account, gone: bool, failed_at: str | None, stopped_by: str | None, many: int) -> None:
    account.inputs += many
    if gone:
        account.removed += many
    elif failed_at is not None:
        account.failed += many
        account.reasons[f"failed at {failed_at}"] += many
    elif stopped_by is None:
        account.kept += many
    else:
        account.stopped += many
        account.reasons[f"stopped by {stopped_by}"] += many
