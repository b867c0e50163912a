"""From committed scores to decisions/: dedup, decide, judge captions, balance. Seconds, and no pixels.

sample_table ─> watermark, subset, retrieved ─> find_duplicates ─> decide ─> balance ─> decisions/decisions.parquet
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from configs import digest, to_plain
from configs.storage.spans import each
from pipeline import schema
from pipeline.decide.about_captions import about_captions, is_asked, recipe
from pipeline.decide.balance import balance
from pipeline.decide.best import believed
from pipeline.decide.captions import CaptionJudge, flat
from pipeline.decide.contamination import Evaluation
from pipeline.decide.dedup import ThumbnailReader, find_duplicates
from pipeline.decide.rules import decide
from pipeline.decide.subset import subset
from pipeline.decide.watermark import REGIONS, is_judged, none_repeated, repeated_texts, with_watermarks
from pipeline.parquet import read_metadata, read_schema
from pipeline.store.additions import generations
from pipeline.store.commit import replace_table
from pipeline.store.removed import read_removals, removed_rows
from pipeline.store.retrieved import retrievals, with_retrieved
from pipeline.store.run_folder import RunFolder
from pipeline.store.table import FRAGMENT, FRAGMENT_ROW, fragment_names, sample_table, sample_tables, scored_by
from pipeline.store.thumbnails import Thumbnails

if TYPE_CHECKING:
    import polars as pl

    from pipeline.config import PipelineConfig

_DECISION_FIELDS = ("dedup", "captions", "decontaminate", "decide", "balance", "pack")
"""Fields of the config that are expressions over stored scores: they may change at any time."""


@dataclass(frozen=True)
class Decisions:
    """``table``: scalar columns, decided columns and the place in samples/ of every row that did not fail and was not
    removed. ``gone``: the same of removed rows that were kept: what shards would hold, too."""

    table: pl.DataFrame
    gone: pl.DataFrame

    @property
    def kept(self) -> pl.DataFrame:
        import polars as pl

        return self.table.filter(pl.col("stage_to") > 0)


def decide_run(run: RunFolder, config: PipelineConfig) -> Decisions:
    """Decide from the committed files of ``run``; writes nothing. Raises UserError for a wrong rule."""
    import polars as pl

    table = sample_table(run, extra=["captions", *(["watermarks"] if _lists_watermarks(run) else [])])
    evaluation = Evaluation(config.decontaminate)
    about = pl.DataFrame(about_captions(table["captions"], table["text"], table["phash"], config, evaluation))
    table = _with_judged_captions(table.hstack(about), CaptionJudge(config.captions))
    table = _with_sorted(table, run, config)
    removed = _removed(run)
    thumbnails = Thumbnails(run).read
    decided = _decide_in_turn(table.with_columns(generation=generation_of(run)), removed, config, thumbnails)
    table = table.join(decided, on="id", how="left", maintain_order="left")
    is_gone = pl.col("id").is_in(removed["id"].implode())
    gone = table.filter(is_gone & (pl.col("stage_to") > 0))
    table = table.filter(~is_gone)
    kept = table.filter(pl.col("stage_to") > 0).with_columns(category=believed(config.decide.best))
    repeats = balance(kept, config.balance)
    return Decisions(table.join(repeats, on="id", how="left", maintain_order="left"), gone)


def _with_sorted(table: pl.DataFrame, run: RunFolder, config: PipelineConfig) -> pl.DataFrame:
    """With the columns that rules use and that are decided before them: watermark, subset, retrieved."""
    import polars as pl

    marks = none_repeated()
    if is_judged(table, config.decide.watermark):
        regions = (pl.DataFrame(part) for part in sample_tables(run, REGIONS))
        marks = repeated_texts(regions, config.decide.watermark)
    table = with_retrieved(with_watermarks(table, marks), run)
    return table.with_columns(subset=subset(config.decide.subsets, table.schema))


def _lists_watermarks(run: RunFolder) -> bool:
    """Whether an annotator, a captioner, has listed the watermarks that it saw."""
    return any("watermarks" in read_schema(file).names for file in _first_scores(run))


def _first_scores(run: RunFolder) -> Iterator[Path]:
    for annotator in scored_by(run):
        yield from sorted(run.scores(annotator, "x").parent.glob("*.parquet"))[:1]


def generation_of(run: RunFolder) -> pl.Expr:
    """Of a row the number of the addition that its source came with; 0 for those that the run began with."""
    import polars as pl

    return pl.col("source").replace_strict(generations(run), default=0, return_dtype=pl.Int32)


def _removed(run: RunFolder) -> pl.DataFrame:
    """id, stage_from, stage_to of what was taken down, as decided then; the stages are null for what had failed."""
    import polars as pl

    return pl.DataFrame(removed_rows(run).select(["id", "stage_from", "stage_to"])).unique("id", keep="first")


def _decide_in_turn(
    table: pl.DataFrame, removed: pl.DataFrame, config: PipelineConfig, thumbnails: ThumbnailReader
) -> pl.DataFrame:
    """What ``decide`` gives. Rows that came later (column ``generation``) are judged beside those before them, of which
    the kept ones come first where pictures are the same: what was kept stays.

    Removed rows are judged, too, though they end with the stages that they had: a copy of one stays a copy.
    """
    import polars as pl

    kept: list[str] = []
    for number in sorted(set(table["generation"])):
        part = table.filter(pl.col("generation") <= number).drop("generation")
        decided = decide(part, find_duplicates(part, config.dedup, kept, thumbnails), config.decide)
        decided = decided.update(removed, on="id").with_columns(pl.col("stage_from", "stage_to").cast(pl.Int8))
        kept = decided.filter(pl.col("stage_to") > 0)["id"].to_list()
    return decided


def write_decisions(run: RunFolder, decisions: Decisions, key: str) -> None:
    """Write decisions/decisions.parquet in one step, replacing what was decided before."""
    arrow = schema.arrow(["id", *schema.DECIDED])
    table = decisions.table.select(arrow.names).to_arrow().cast(arrow)
    replace_table(run.decisions / "decisions.parquet", table.replace_schema_metadata({"glyphmill.key": key}))


def decisions_key(run: RunFolder, config: PipelineConfig) -> str:
    """Identity of what ``decide_run`` would give: the decision fields, fragments and the annotators that scored them."""
    plain = to_plain(config)
    names = fragment_names(run)
    fragments = list(
        zip(names, each(lambda name: read_metadata(run.samples(name)).num_rows, names, run.path), strict=True)
    )
    facts: dict[str, Any] = {"decisions": {name: plain[name] for name in _DECISION_FIELDS}, "fragments": fragments}
    facts |= {"annotators": scored_by(run), "schema": schema.SCHEMA_VERSION}
    if is_asked(config):
        facts["about_captions"] = recipe(config, Evaluation(config.decontaminate))
    if later := generations(run):
        facts["added"] = later
    if found := retrievals(run):
        facts["retrieved"] = found
    if removed := read_removals(run).ids:
        facts["removed"] = sorted(removed)
    return digest(facts)


def _with_judged_captions(table: pl.DataFrame, judge: CaptionJudge) -> pl.DataFrame:
    import polars as pl

    counted = [flat(judge.judge(captions)) for captions in table["captions"].to_list()]
    return table.drop("captions").with_columns(
        n_captions=pl.Series([n for n, _ in counted], dtype=pl.Int32),
        caption_languages=pl.Series([languages for _, languages in counted], dtype=pl.String),
    )


def places(frame: pl.DataFrame) -> list[tuple[str, int]]:
    """(fragment, row in samples/) of every row of ``frame``."""
    return list(zip(frame[FRAGMENT].to_list(), frame[FRAGMENT_ROW].to_list(), strict=True))
