"""Everything the report needs to know about a run, read from its files once. No picture is touched.

ledger/, samples/, scores/, failures/, decisions/ ──> RunTables(rows, failures, inputs, config)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import yaml

from configs import UserError
from pipeline import schema

SCALARS = tuple(n for n in schema.COLLECTED if n not in schema.NESTED)
DECIDED_DEFAULTS: dict[str, Any] = {"stage_from": 1, "stage_to": 0, "stopped_by": None, "repeats": None}


@dataclass(frozen=True)
class RunTables:
    """``rows``: one per readable input: scalars, scores, decisions, ``fragment`` and ``made`` (synthetic).

    ``failures``: id, uri, step, error, made. ``inputs``: (real, made) inputs listed.
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
        """Failed inputs, (real, made)."""
        made = int(self.failures["made"].sum())
        return len(self.failures) - made, made

    @property
    def rules(self) -> list[dict[str, Any]]:
        """The rules of decide as the run's config has them, ``name`` as in ``stopped_by`` (S2.clarity)."""
        found = (self.config.get("decide") or {}).get("rules") or []
        return [{**rule, "name": f"S{rule['stage']}.{rule['name']}"} for rule in found]


def read_run(path: Path) -> RunTables:
    """Read the run at ``path``. Raises UserError when there is none."""
    if not (path / "ledger").is_dir():
        raise UserError(f"RUN '{path}': no run is there (no ledger/); `python -m pipeline run CONFIG {path}` makes one")
    config = yaml.safe_load((path / "run.yaml").read_text(encoding="utf-8")) if (path / "run.yaml").exists() else {}
    inputs = _read(path / "ledger", ("id", "source"))
    made_sources = {s["name"] for s in config.get("sources") or () if s.get("kind") == "synth"}
    made = pl.col("source").is_in(sorted(made_sources))
    rows, decided = _decide(_rows(path), path / "decisions")
    failures = _read(path / "failures", ("id", "uri", "step", "error")).join(inputs, on="id", how="left")
    made_inputs = len(inputs.filter(made))
    return RunTables(
        path,
        config,
        rows.filter(~pl.col("id").is_in(failures["id"].implode())).with_columns(made=made),
        failures.with_columns(made=made.fill_null(False)),
        (len(inputs) - made_inputs, made_inputs),
        decided,
    )


def _read(folder: Path, columns: Sequence[str]) -> pl.DataFrame:
    """The columns of all files of a folder; an empty table of strings where there are none."""
    files = sorted(folder.glob("*.parquet"))
    if not files:
        return pl.DataFrame(schema=dict.fromkeys(columns, pl.String))
    return pl.concat([pl.read_parquet(file, columns=list(columns)) for file in files])


def _rows(path: Path) -> pl.DataFrame:
    parts = []
    for file in sorted((path / "samples").glob("*.parquet")):
        rows = pl.read_parquet(file, columns=list(SCALARS)).with_columns(fragment=pl.lit(file.stem))
        for scores in sorted((path / "scores").glob(f"*/{file.name}")):
            names = [n for n in pl.read_parquet_schema(scores) if n not in schema.NESTED]
            rows = rows.join(pl.read_parquet(scores, columns=names), on="id", how="left", suffix=":read")
        again = [n for n in rows.columns if n.endswith(":read")]
        rows = rows.with_columns(pl.coalesce(n.removesuffix(":read"), n).alias(n.removesuffix(":read")) for n in again)
        parts.append(rows.drop(again))
    if not parts:
        return pl.DataFrame(schema=dict.fromkeys((*SCALARS, "fragment"), pl.String))
    return pl.concat(parts, how="diagonal_relaxed")


def _decide(rows: pl.DataFrame, folder: Path) -> tuple[pl.DataFrame, bool]:
    """Rows with their decisions; without decisions every row is undecided, told as kept nowhere."""
    wanted = schema.arrow(("id", *schema.DECIDED))
    files = sorted(folder.glob("*.parquet"))
    if not files:
        empty = pl.from_arrow(wanted.empty_table())
        assert isinstance(empty, pl.DataFrame)
        return rows.join(empty, on="id", how="left"), False
    return rows.join(pl.concat([pl.read_parquet(f, columns=wanted.names) for f in files]), on="id", how="left"), True
