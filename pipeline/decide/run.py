"""From committed scores to decisions/: rules, duplicates, judged captions, balance. Seconds, and no pixels.

    compacted part ──watermark, subset, retrieved──judge: S1 to S6──> stages of each row ┐
                   ──keys──> copies among all rows ──────────────────────────────────────┼──> decisions/decisions.parquet
                   all rows ──leaf_rank──judge_last: S7──────────────────────────────────┤
                   ──texts of what is kept──> repeats ───────────────────────────────────┘

Only columns that somebody asks for are read, a part of the ledger at a time; what stays in memory of a row is 0.2 to 0.5
KB. Copies are looked for anew only where scores, captions or ``dedup`` changed (RUN/compact).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from configs import digest, to_plain
from pipeline import schema
from pipeline.decide.about_captions import about_captions, is_asked, recipe
from pipeline.decide.balance import OF_CELLS, cells_of, repeats_of
from pipeline.decide.best import believed
from pipeline.decide.contamination import Evaluation
from pipeline.decide.copies import AS_COPIES, find_copies
from pipeline.decide.judged import counted_captions
from pipeline.decide.rules import (
    Unknown,
    check_rules,
    columns_of,
    columns_of_last,
    judge,
    judge_last,
    with_duplicates,
)
from pipeline.decide.subset import subset
from pipeline.decide.watermark import (
    REGIONS,
    WatermarkConfig,
    is_judged,
    lines_of,
    none_repeated,
    repeated_texts,
    with_watermarks,
)
from pipeline.store.additions import generations
from pipeline.store.commit import replace_table
from pipeline.store.compact import WATERMARKS, Compacted, Part
from pipeline.store.on_disk import on_disk
from pipeline.store.removed import read_removals, removed_rows
from pipeline.store.retrieved import retrievals, retrieved_rows
from pipeline.store.rows import take, take_parts
from pipeline.store.run_folder import RunFolder
from pipeline.store.table import FRAGMENT, FRAGMENT_ROW, sample_part

if TYPE_CHECKING:
    import polars as pl

    from pipeline.config import PipelineConfig

_DECISION_FIELDS = ("dedup", "captions", "decontaminate", "decide", "balance", "pack")
"""Fields of the config that are expressions over stored scores: they may change at any time."""
_OF_ROWS: tuple[str, ...] = ("id", "source", "width", "height", "bytes_len", "recipe", "task", "license", "category")
_OF_ROWS += ("text_language", "text_level", "text_chars", FRAGMENT, FRAGMENT_ROW)
"""What packing and balance want to know of every row."""
_FEW_VALUES = ("source", "recipe", "license", "category", "text_language", "caption_languages", FRAGMENT)
"""Of them and of decisions those that are kept as numbers of their values."""
_LINES = "2"
"""Another one when other lines are looked at, or others count as watermarks."""
NUMBER = "number"
"""Column: the number of a row among all that did not fail, in ledger order."""


@dataclass(frozen=True)
class Decisions:
    """``table``: of every row that did not fail and was not removed its number, id, place in samples/, what packing and
    balance want to know, and the decided columns. ``gone``: the same of removed rows that were kept: what shards would
    hold, too."""

    table: pl.DataFrame
    gone: pl.DataFrame
    compacted: Compacted

    @property
    def kept(self) -> pl.DataFrame:
        import polars as pl

        return self.table.filter(pl.col("stage_to") > 0)

    def with_scalars(self, rows: pl.DataFrame, columns: Sequence[str]) -> pl.DataFrame:
        """``rows`` of the table, sorted by number, with further scalar ``columns``."""
        lacking = [name for name in columns if name not in rows.columns]
        return rows.hstack(take(self.compacted, rows[NUMBER].to_numpy(), lacking)) if lacking else rows


def decide_run(
    run: RunFolder,
    config: PipelineConfig,
    balanced: bool = True,
    compacted: Compacted | None = None,
    evaluation: Evaluation | None = None,
) -> Decisions:
    """Decide from the committed files of ``run``; writes RUN/compact alone. Raises UserError for a wrong rule.

    ``balanced``: compute ``repeats``, which are null otherwise. ``compacted``: of the run as it is now, ``evaluation``: of
    the config, where they are known.
    """
    import polars as pl

    compacted = compacted or Compacted(run)
    check_rules(config.decide, _polars_schema(compacted))
    unknown, known = Unknown(), _Known(compacted, config, evaluation or Evaluation(config.decontaminate))
    judged = [on_disk(_judge_part(compacted, part, config, known, unknown)) for part in compacted.parts]
    removed = _removed(run, _joint(judged, ["id"]))
    generation = _generation(run, _joint(judged, ["source"]))
    of = find_copies(compacted, config.dedup, _joint(judged, AS_COPIES), generation, removed)
    is_copy = pl.Series(of != np.arange(len(of)))
    table = _joint(judged)
    kept = table["id"].gather(pl.select(pl.when(is_copy).then(pl.Series(of))).to_series())
    table = table.with_columns(*with_duplicates(pl.lit(is_copy)), duplicate_of=kept)
    table = judge_last(table, config.decide, unknown, removed[NUMBER].to_numpy())
    unknown.refuse()
    table, gone = _without_removed(table, removed)
    table = table.with_columns(repeats=pl.lit(None, pl.Float32))
    if balanced:
        table = _balanced(compacted, table, config)
    return Decisions(table, gone, compacted)


class _Known:
    """What is known of rows before the rules, and does not stand in their part."""

    def __init__(self, compacted: Compacted, config: PipelineConfig, evaluation: Evaluation) -> None:
        self.evaluation = evaluation
        self.marks = _marks(compacted, config)
        self.retrieved = retrieved_rows(compacted.run)


def _marks(compacted: Compacted, config: PipelineConfig) -> pl.DataFrame:
    """Texts that a host repeats at one place. They are kept as long as all scores are the same, the lines of a part as long
    as its own are."""
    import polars as pl

    given = config.decide.watermark
    if not given.pictures or not compacted.parts:
        return none_repeated()

    def lines() -> Iterator[pl.DataFrame]:
        return (pl.DataFrame(_lines(compacted, part, given)) for part in compacted.parts)

    def find() -> pa.Table:
        return repeated_texts(lines, given).to_arrow()

    whole = compacted.whole("run", compacted.parts)
    return pl.DataFrame(compacted.derived(whole, "watermarks", json.dumps([_LINES, to_plain(given)]), find))


def _lines(compacted: Compacted, part: Part, config: WatermarkConfig) -> pa.Table:
    import polars as pl

    def read(fragment: str) -> pa.Table:
        return sample_part(compacted.run, fragment, REGIONS, compacted.annotators, compacted.own)[0]

    def make() -> pa.Table:
        looked = is_judged(pl.DataFrame(compacted.rows(part, ["uri"])), config)
        tables = map(read, part.fragments) if looked else [schema.arrow(["id", *REGIONS]).empty_table()]
        return pl.concat([lines_of(pl.DataFrame(table)) for table in tables]).to_arrow()

    return compacted.derived(part, "lines", _LINES, make)


def _polars_schema(compacted: Compacted) -> pl.Schema:
    import polars as pl

    arrow = compacted.schema
    for name in schema.BEFORE_RULES:
        arrow = arrow.append(pa.field(name, schema.COLUMNS[name].type))
    frame = pl.from_arrow(arrow.empty_table())
    assert isinstance(frame, pl.DataFrame)
    return frame.schema


def _judge_part(
    compacted: Compacted, part: Part, config: PipelineConfig, known: _Known, unknown: Unknown
) -> pl.DataFrame:
    """_OF_ROWS, captions as they are counted, what is known before the rules, what S7 asks for, and what ``judge`` gives."""
    import polars as pl

    counted = pl.DataFrame(counted_captions(compacted, part, config.captions))
    about = pl.DataFrame(_about_captions(compacted, part, config, known.evaluation))
    wanted = {*columns_of(config.decide), *_OF_ROWS, WATERMARKS}
    rows = compacted.rows(part, [n for n in compacted.schema.names if n in wanted and n not in counted.columns])
    frame = with_watermarks(pl.DataFrame(rows).hstack(counted).hstack(about), known.marks)
    frame = frame.join(known.retrieved, on="id", how="left", maintain_order="left")
    frame = frame.with_columns(subset=subset(config.decide.subsets, frame.schema))
    few = [pl.col(name).cast(pl.Categorical) for name in _FEW_VALUES]
    decided = judge(frame, config.decide, unknown)
    names = dict.fromkeys([*_OF_ROWS, *counted.columns, *schema.BEFORE_RULES, *sorted(columns_of_last(config.decide))])
    return frame.select(*names).with_columns(few).hstack(decided)


def _about_captions(compacted: Compacted, part: Part, config: PipelineConfig, evaluation: Evaluation) -> pa.Table:
    """schema.ABOUT_CAPTIONS of the rows of a part, kept as long as they and what is asked are the same."""
    import polars as pl

    if not is_asked(config):
        nulls = {name: pa.nulls(compacted.length(part)) for name in schema.ABOUT_CAPTIONS}
        return pa.table(nulls).cast(schema.arrow(schema.ABOUT_CAPTIONS))

    def make() -> pa.Table:
        rows = pl.DataFrame(compacted.rows(part, ["text", "phash"]))
        captions = pl.Series(compacted.captions(part))
        return about_captions(captions, rows["text"], rows["phash"], config, evaluation)

    return compacted.derived(part, "about-captions", recipe(config, evaluation), make)


def _joint(judged: Sequence[pa.Table], columns: Sequence[str] | None = None) -> pl.DataFrame:
    """``columns`` of all rows, None for all of them; part by part, for codes of categories come into memory here."""
    import polars as pl

    table = pl.concat([pl.DataFrame(part.select(columns) if columns else part) for part in judged])
    return table.with_row_index(NUMBER)


def _generation(run: RunFolder, sources: pl.DataFrame) -> np.ndarray:
    """Of each row the number of the addition that its source came with; 0 for those that the run began with."""
    return sources.select(generation_of(run)).to_series().to_numpy()


def generation_of(run: RunFolder) -> pl.Expr:
    """As ``_generation``, of any table with the column ``source``."""
    import polars as pl

    return pl.col("source").cast(pl.String).replace_strict(generations(run), default=0, return_dtype=pl.Int32)


def _removed(run: RunFolder, ids: pl.DataFrame) -> pl.DataFrame:
    """number, stage_from, stage_to of what was taken down, as decided then; the stages are null for what had failed."""
    import polars as pl

    told = pl.DataFrame(removed_rows(run).select(["id", "stage_from", "stage_to"])).unique("id", keep="first")
    rows = ids.filter(pl.col("id").is_in(told["id"].implode())) if len(told) else ids.head(0)
    return rows.join(told, on="id").select(NUMBER, "stage_from", "stage_to").sort(NUMBER)


def _without_removed(table: pl.DataFrame, removed: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(rows that were not removed, removed ones that were kept with the stages that they had)."""
    import polars as pl

    if removed.is_empty():  # a filter would bring all of the table into memory
        return table, table.head(0)
    taken = pl.Series(np.isin(np.arange(len(table)), removed[NUMBER].to_numpy()))
    gone = table.filter(taken).update(removed, on=NUMBER)
    return table.filter(~taken), gone.filter(pl.col("stage_to") > 0)


def _balanced(compacted: Compacted, table: pl.DataFrame, config: PipelineConfig) -> pl.DataFrame:
    """With ``repeats`` of what is kept."""
    import polars as pl

    kept = table.lazy().filter(pl.col("stage_to") > 0)
    numbers, category = kept.select(NUMBER, believed(config.decide.best)).collect()
    rows = numbers.to_numpy()
    cells = cells_of(kept.select(OF_CELLS).collect())
    found = np.full(len(table), np.nan, np.float32)
    found[np.searchsorted(table[NUMBER].to_numpy(), rows)] = repeats_of(
        cells, category, lambda: _texts(compacted, rows), config.balance
    ).to_numpy()
    return table.with_columns(repeats=pl.Series(found, nan_to_null=True))


def _texts(compacted: Compacted, rows: np.ndarray) -> Iterator[pl.Series]:
    """Of ascending ``rows`` the texts, part by part."""
    for frame in take_parts(compacted, rows, ["text"]):
        yield frame["text"]


def write_decisions(run: RunFolder, decisions: Decisions, key: str) -> None:
    """Write decisions/decisions.parquet in one step, replacing what was decided before."""
    arrow = schema.arrow(["id", *schema.DECIDED])
    table = decisions.table.select(arrow.names).to_arrow().cast(arrow)
    replace_table(run.decisions / "decisions.parquet", table.replace_schema_metadata({"glyphmill.key": key}))


def decisions_key(
    run: RunFolder,
    config: PipelineConfig,
    compacted: Compacted | None = None,
    evaluation: Evaluation | None = None,
) -> str:
    """Identity of what ``decide_run`` would give: the decision fields, fragments, what is known of their rows, and the
    annotators that scored them with their versions."""
    plain = to_plain(config)
    compacted = compacted or Compacted(run)
    fragments = [fragment for part in compacted.parts for fragment in compacted.fragments(part)]
    facts: dict[str, Any] = {"decisions": {name: plain[name] for name in _DECISION_FIELDS}, "fragments": fragments}
    facts |= {"annotators": compacted.versions(), "schema": schema.SCHEMA_VERSION}
    facts["rows"] = [compacted.digests(part) for part in compacted.parts]
    if is_asked(config):
        facts["about_captions"] = recipe(config, evaluation or Evaluation(config.decontaminate))
    if later := generations(run):
        facts["added"] = later
    if found := retrievals(run):
        facts["retrieved"] = found
    if removed := read_removals(run).ids:
        facts["removed"] = sorted(removed)
    return digest(facts)


def places(frame: pl.DataFrame) -> list[tuple[str, int]]:
    """(fragment, row in samples/) of every row of ``frame``."""
    return list(zip(frame[FRAGMENT].to_list(), frame[FRAGMENT_ROW].to_list(), strict=True))
