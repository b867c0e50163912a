"""Everything the report needs to know about a run, read from its files once. No picture is touched.

ledger/, samples/, scores/, failures/, decisions/ ──> RunTables(rows, failures, inputs, config)
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from configs import UserError, decode
from pipeline import schema
from pipeline.parquet import read_table
from pipeline.sources import AnySource, Source
from pipeline.store.commit import committed
from pipeline.store.failures import current_failures
from pipeline.store.ledger import listed_ids, listed_sources
from pipeline.store.removed import read_removals
from pipeline.store.run_folder import RunFolder
from pipeline.store.table import fragment_names, own_columns, sample_table, scalar_schema, scored_by


@dataclass(frozen=True)
class RunTables:
    """``rows``: one per readable input: scalars, scores, decisions, ``fragment`` and ``synthetic``.

    ``failures``: id, uri, step, error, reason, source, synthetic. ``inputs``: (real, synthetic) inputs listed.
    ``decided``: whether decisions exist at all.
    """

    path: Path
    config: dict[str, Any]
    rows: pl.DataFrame
    failures: pl.DataFrame
    inputs: tuple[int, int]
    decided: bool

    @property
    def kept(self) -> pl.DataFrame:
        """Rows that are good for at least one stage."""
        return self.rows.filter(pl.col("stage_to") >= pl.col("stage_from"))

    @property
    def failed(self) -> tuple[int, int]:
        """Failed inputs, (real, synthetic)."""
        synthetic = int(self.failures["synthetic"].sum())
        return len(self.failures) - synthetic, synthetic

    @property
    def rules(self) -> list[dict[str, Any]]:
        """The rules of decide as the run's config has them: name (S2.clarity), stage, keep, applies_to, if_null."""
        return (self.config.get("decide") or {}).get("rules") or []


def read_run(path: Path) -> RunTables:
    """Read the run at ``path``. Raises UserError when there is none, or it is not finished."""
    run = RunFolder(path)
    if not (path / "ledger").is_dir():
        raise UserError(f"RUN '{path}': no run is there (no ledger/); `python -m pipeline run CONFIG {path}` makes one")
    settled = committed(run.failures("x").parent)
    unsettled = [name for name in fragment_names(run) if name not in settled]
    if unsettled:
        raise UserError(
            f"RUN '{path}': {len(unsettled)} of its fragments are not finished, the first is {unsettled[0]}; "
            f"`python -m pipeline run CONFIG {path}` goes on"
        )
    config = yaml.safe_load(run.config.read_text(encoding="utf-8")) if run.config.exists() else {}
    sources: tuple[Source, ...] = decode(config.get("sources") or [], tuple[AnySource, ...], f"config {run.config}")
    synthetic = pl.col("source").is_in([source.name for source in sources if source.synthetic])
    inputs = _inputs(run)
    columns = ("id", "uri", "step", "error", "reason")
    failed = [{name: failure[name] for name in columns} for failure in current_failures(run).values()]
    removed = list(read_removals(run).ids)
    inputs = inputs.filter(~pl.col("id").is_in(removed))
    failures = pl.DataFrame(failed, schema=dict.fromkeys(columns, pl.String)).join(inputs, on="id", how="inner")
    rows, decided = _decide(_rows(run).filter(~pl.col("id").is_in(removed)), run.decisions)
    synthetic_inputs = len(inputs.filter(synthetic))
    return RunTables(
        path,
        config,
        rows.with_columns(synthetic=synthetic),
        failures.with_columns(synthetic=synthetic.fill_null(False)),
        (len(inputs) - synthetic_inputs, synthetic_inputs),
        decided,
    )


def _inputs(run: RunFolder) -> pl.DataFrame:
    """id and source of every input."""
    found = [(id_, name) for name in listed_sources(run.ledgers) for id_ in listed_ids(run.ledger(name))]
    return pl.DataFrame(found, schema={"id": pl.String, "source": pl.String}, orient="row")


def _rows(run: RunFolder) -> pl.DataFrame:
    """``sample_table``, or the same columns without a row where nothing was listed."""
    if fragment_names(run):
        return sample_table(run)
    empty = pl.from_arrow(scalar_schema(scored_by(run), own_columns(run)).empty_table())
    assert isinstance(empty, pl.DataFrame)
    return empty.with_columns(fragment=pl.lit(None, pl.String))


def _decide(rows: pl.DataFrame, folder: Path) -> tuple[pl.DataFrame, bool]:
    """Rows with their decisions; without decisions every row is undecided, kept nowhere."""
    decided = schema.arrow(("id", *schema.DECIDED))
    files = sorted(folder.glob("*.parquet"))
    decisions = (
        pl.concat([pl.DataFrame(read_table(file, decided.names)) for file in files])
        if files
        else pl.DataFrame(decided.empty_table())
    )
    return rows.join(decisions, on="id", how="left", maintain_order="left"), bool(files)
