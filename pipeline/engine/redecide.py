"""Deciding and packing again, over what a finished run has committed.

RUN/run.yaml + --set ──> config (frozen fields may not differ) ──> decide ──> manifest, or new shards
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from configs import UserError, to_plain
from pipeline.config import PipelineConfig, load_run_config
from pipeline.decide import accounting, changes
from pipeline.decide.rules import check_rules
from pipeline.decide.run import NUMBER, decide_run, decisions_key
from pipeline.engine import run_config
from pipeline.engine.erase import finish_removals
from pipeline.pack import publish
from pipeline.parquet import read_table
from pipeline.report.changes import TOLD, write_gallery
from pipeline.store.commit import metadata
from pipeline.store.compact import Compacted
from pipeline.store.ledger import is_listed
from pipeline.store.lock import run_lock
from pipeline.store.removed import without_receipt
from pipeline.store.run_folder import RunFolder
from pipeline.store.table import fragment_names, planned_columns


def decide_again(path: Path, overrides: Sequence[str], dry_run: bool = False, wait: bool = False) -> None:
    """A new manifest over the same shards. Raises UserError when they lack rows that would be kept.

    ``dry_run``: only show what would change.
    """
    if dry_run:
        _preview(*_open(path, overrides))
        return
    with run_lock(_existing(path).lock, wait):
        run, config, compacted = _open(path, overrides)
        if without_receipt(run):
            raise UserError(f"RUN '{path}': a removal is not finished; python -m pipeline pack {path} goes on with it")
        decisions = publish.redecide(run, config, compacted)
        run_config.save_run_config(run, config)
        print(*accounting.summary(accounting.account(run, decisions.compacted)), sep="\n")


def pack_again(path: Path, overrides: Sequence[str], wait: bool = False) -> None:
    """New decisions, and new shards where the present ones do not serve them."""
    run, config = open_finished(path, overrides)
    with run_lock(run.lock, wait):
        finish_removals(run, config)
        dataset = publish.publish(run, config)
        run_config.save_run_config(run, config)
        print(*accounting.summary(accounting.account(run)), sep="\n")
        print(f"{dataset.path}: {dataset.rows:,} samples, digest {dataset.digest}")


def _preview(run: RunFolder, config: PipelineConfig, compacted: Compacted) -> None:
    import polars as pl

    before = pl.DataFrame(read_table(run.decisions / "decisions.parquet", ["id", "stage_to", "stopped_by"]))
    decisions = decide_run(run, config, balanced=False, compacted=compacted)
    groups = changes.compare(before, decisions.table)
    if groups:
        shown = pl.concat([g.rows for g in groups]).unique(NUMBER).sort(NUMBER)
        told = decisions.with_scalars(shown, TOLD).select(NUMBER, *(n for n in TOLD if n not in shown.columns))
        groups = [replace(g, rows=g.rows.join(told, on=NUMBER, maintain_order="left")) for g in groups]
    print(*changes.summary(groups, before, decisions.table), sep="\n")
    if groups:
        print(f"pictures: {write_gallery(run, groups, decisions.compacted.schemas)}")


def open_finished(path: Path, overrides: Sequence[str]) -> tuple[RunFolder, PipelineConfig]:
    """A run and its changed config. Raises UserError when there is no finished run, or frozen fields differ."""
    run, config, _ = _open(path, overrides)
    return run, config


def _existing(path: Path) -> RunFolder:
    run = run_config.run_folder(path)
    if not run.config.exists():
        raise UserError(f"RUN '{path}': there is no run (no run.yaml); python -m pipeline run CONFIG {path} makes one")
    return run


def _open(path: Path, overrides: Sequence[str]) -> tuple[RunFolder, PipelineConfig, Compacted]:
    """As ``open_finished``, and what is compacted of the run: with one listing of its files for both."""
    run = _existing(path)
    before = run_config.resolve(load_run_config(run.config))
    config = run_config.resolve(load_run_config(run.config, overrides))
    run_config.refuse_changes(run, to_plain(before), to_plain(config))
    check_rules(config.decide, planned_columns({a.name: a.columns for a in config.annotators()}))
    config.decontaminate.check()
    if not (run.decisions / "decisions.parquet").exists():
        raise UserError(f"RUN '{path}': nothing is decided yet; the command that began it goes on")
    goes_on = f"the command that began it goes on: python -m pipeline run CONFIG {path}"
    compacted = Compacted(run)
    done = compacted.committed("failures")
    left = [name for name in _fragments(run, config) if name not in done]
    if left:
        raise UserError(f"RUN '{path}': {len(left):,} fragments are not collected and scored yet; {goes_on}")
    if half := _half_scored(compacted, before):
        name, lacking = half
        raise UserError(f"RUN '{path}': {lacking:,} fragments are not scored by {name} yet; {goes_on}")
    return run, config, compacted


def _half_scored(compacted: Compacted, config: PipelineConfig) -> tuple[str, int] | None:
    """An annotator that has scored some fragments and not others, and how many lack. None where the run was decided as it
    is now, as it is where an annotator cannot run here any more."""
    everything = {name for part in compacted.parts for name in part.fragments}
    lacking = {name: everything - compacted.committed(f"scores/{name}") for name in compacted.annotators}
    half = next(((name, len(left)) for name, left in lacking.items() if left), None)
    if half is None:
        return None
    decided = metadata(compacted.run.decisions / "decisions.parquet").get(b"glyphmill.key", b"").decode()
    return None if decided == decisions_key(compacted.run, config, compacted) else half


def _fragments(run: RunFolder, config: PipelineConfig) -> list[str]:
    missing = [s.name for s in config.sources if not is_listed(run.ledger(s.name))]
    return missing or fragment_names(run)
