"""Everything the report needs to know about a run, as tables. No picture is touched.

    ledger/ ──footers──> inputs by source        RUN/compact ──scalars, failures──┐
    decisions/decisions.parquet ──by row─────────────────────────────────────────┴──> RunTables

A million rows are 4 thousand fragments; what decisions read of them lies in a few compacted files
(pipeline/store/compact.py), and the report reads the same ones.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import yaml

from configs import UserError, decode
from pipeline import schema
from pipeline.parquet import read_present, read_table
from pipeline.predicate import parse
from pipeline.sources import AnySource, Source
from pipeline.store.commit import committed
from pipeline.store.compact import Compacted
from pipeline.store.ledger import fragments, listed_sources, parts
from pipeline.store.removed import read_removals, removed_rows
from pipeline.store.rows import take, take_parts
from pipeline.store.run_folder import RunFolder
from pipeline.store.table import FRAGMENT, FRAGMENT_ROW

NUMBER = "number"
"""Column: the number of a row among all that did not fail, in ledger order."""
_FACTS: tuple[str, ...] = ("id", "source", "task", "recipe", "category", "domain", "text_language", "text_level")
_FACTS += ("width", "height", "bytes_len", "ocr_score", "n_captions", FRAGMENT, FRAGMENT_ROW)
"""What the page's parts ask for, beside scores and what rules look at."""
_FEW_VALUES = ("source", "task", "recipe", "category", "domain", "text_language", FRAGMENT)
_UNSCORED = {"orientation", "phash", FRAGMENT_ROW}
"""Numbers that are no scores."""


@dataclass(frozen=True)
class RunTables:
    """``rows``: one per readable input: scalars, scores, decisions, ``number`` and ``synthetic``.

    ``failures``: id, uri, step, error, reason, source, synthetic. ``inputs``: source, synthetic, inputs.
    ``decided``: whether decisions exist at all.
    """

    path: Path
    config: dict[str, Any]
    rows: pl.DataFrame
    failures: pl.DataFrame
    inputs: pl.DataFrame
    decided: bool
    compacted: Compacted

    @property
    def rules(self) -> list[dict[str, Any]]:
        """The rules of decide as the run's config has them: name (S2.clarity), stage, keep, applies_to, if_null."""
        return _rules(self.config)

    def take(self, numbers: Sequence[int] | np.ndarray, columns: Sequence[str]) -> pl.DataFrame:
        """Further stored ``columns`` of rows by their ascending numbers."""
        return take(self.compacted, np.asarray(numbers), columns)

    def texts(self, numbers: np.ndarray) -> Iterator[pl.Series]:
        """The visible texts of rows by their ascending numbers, part by part: all at once would be gigabytes."""
        for frame in take_parts(self.compacted, numbers, ["text"]):
            yield frame["text"]


def read_run(path: Path) -> RunTables:
    """Read the run at ``path``. Raises UserError when there is none, or it is not finished."""
    run = RunFolder(path)
    if not (path / "ledger").is_dir():
        raise UserError(f"RUN '{path}': no run is there (no ledger/); `python -m pipeline run CONFIG {path}` makes one")
    compacted = Compacted(run)
    _check_finished(run, compacted)
    config = yaml.safe_load(run.config.read_text(encoding="utf-8")) if run.config.exists() else {}
    sources: tuple[Source, ...] = decode(config.get("sources") or [], tuple[AnySource, ...], f"config {run.config}")
    synthetic = pl.col("source").cast(pl.String).is_in([source.name for source in sources if source.synthetic])
    removed = read_removals(run).ids
    rows, decided = _decide(_rows(compacted, config), run)
    gone = pl.col("id").is_in(sorted(removed))
    rows = rows.filter(~gone) if removed else rows
    return RunTables(
        path,
        config,
        rows.with_columns(synthetic=synthetic.fill_null(False)),
        _failures(run, compacted).filter(~gone).with_columns(synthetic=synthetic),
        _inputs(run).with_columns(synthetic=synthetic),
        decided,
        compacted,
    )


def _check_finished(run: RunFolder, compacted: Compacted) -> None:
    settled = committed(run.failures("x").parent)
    unsettled = [name for part in compacted.parts for name in part.fragments if name not in settled]
    if unsettled:
        raise UserError(
            f"RUN '{run.path}': {len(unsettled)} of its fragments are not finished, the first is {unsettled[0]}; "
            f"`python -m pipeline run CONFIG {run.path}` goes on"
        )


def _rules(config: Mapping[str, Any]) -> list[dict[str, Any]]:
    return (config.get("decide") or {}).get("rules") or []


def _inputs(run: RunFolder) -> pl.DataFrame:
    """source, inputs: how many were listed, less those that were taken down."""
    gone = pl.DataFrame(removed_rows(run).select(["id", "source"])).unique("id")["source"].value_counts()
    removed = dict(gone.iter_rows())
    listed = {
        name: sum(cut.inputs for cut in fragments(run.ledger(name), name) if cut.attempt == 1)
        for name in listed_sources(run.ledgers)
    }
    counts = [(name, count - removed.get(name, 0)) for name, count in listed.items()]
    return pl.DataFrame(counts, schema={"source": pl.String, "inputs": pl.Int64}, orient="row")


def _rows(compacted: Compacted, config: Mapping[str, Any]) -> pl.DataFrame:
    """``_FACTS``, all numbers, and what rules look at, of the samples that did not fail, in ledger order."""
    asked = {name for rule in _rules(config) for key in ("keep", "applies_to") for name in _names(rule.get(key))}
    wanted = [f.name for f in compacted.schema if f.name in _FACTS or f.name in asked or _is_score(f)]
    few = [pl.col(name).cast(pl.Categorical) for name in _FEW_VALUES]
    empty = pl.DataFrame(compacted.schema.empty_table().select(wanted))
    found = [pl.DataFrame(compacted.rows(part, wanted)).with_columns(few) for part in compacted.parts]
    return pl.concat([empty.with_columns(few), *found]).with_row_index(NUMBER)


def _names(expression: str | None) -> tuple[str, ...]:
    return parse(expression).columns if expression else ()


def _is_score(field: pa.Field) -> bool:
    return (pa.types.is_floating(field.type) or pa.types.is_integer(field.type)) and field.name not in _UNSCORED


def _decide(rows: pl.DataFrame, run: RunFolder) -> tuple[pl.DataFrame, bool]:
    """Rows with their decisions; without decisions every row is undecided, kept nowhere."""
    names = ("id", *schema.DECIDED)
    found = read_present(run.decisions / "decisions.parquet", names)
    decisions = pl.DataFrame(found if found is not None else schema.arrow(names).empty_table())
    decisions = decisions.with_columns(pl.col("stopped_by").cast(pl.Categorical))
    lacking = [name for name in names if name not in decisions.columns]  # what an older version did not decide
    decisions = decisions.with_columns(pl.lit(None).alias(name) for name in lacking)
    rows = rows.drop([name for name in schema.DECIDED if name in rows.columns])
    if decisions["id"].equals(rows["id"]):  # nearly always, and a join of a million ids takes a second
        return rows.hstack(decisions.drop("id")), found is not None
    return rows.join(decisions, on="id", how="left", maintain_order="left"), found is not None


def _failures(run: RunFolder, compacted: Compacted) -> pl.DataFrame:
    """The failure of each input's last attempt; an input whose last attempt ended well is not among them."""
    texts = ("id", "uri", "step", "error", "reason")
    blank = pl.DataFrame(schema={**dict.fromkeys(texts, pl.String), "attempt": pl.Int32, "source": pl.String})
    told = ((part, compacted.failures(part, texts)) for part in compacted.parts)
    tables = [pl.DataFrame(table).with_columns(source=pl.lit(part.source)) for part, table in told]
    found = pl.concat([blank, *tables]).sort("attempt", maintain_order=True).unique("id", keep="last")
    return (
        found.join(_tried_again(run), on="id", how="left")
        .filter(pl.col("attempt") >= pl.col("last").fill_null(1))
        .drop("attempt", "last")
        .sort("source", "uri", "id")
    )


def _tried_again(run: RunFolder) -> pl.DataFrame:
    """id, last: of inputs that were tried again the number of the last attempt."""
    again = [part for name in listed_sources(run.ledgers) for part in parts(run.ledger(name)) if part.retry]
    blank = pl.DataFrame(schema={"id": pl.String, "last": pl.Int32})
    found = [
        pl.DataFrame(read_table(part.path, ["id"])).with_columns(last=pl.lit(1 + part.retry, pl.Int32))
        for part in again
    ]
    return pl.concat([blank, *found]).group_by("id").agg(pl.col("last").max())
