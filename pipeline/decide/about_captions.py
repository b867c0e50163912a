"""What decisions want to know of captions and text beside each other, before the rules: schema.ABOUT_CAPTIONS.

A pure function of a few columns and of ``recipe``: it may be kept as long as both are the same.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa

from configs import to_plain
from pipeline import schema
from pipeline.decide.captions import CaptionJudge
from pipeline.decide.contamination import Evaluation, contaminated_by
from pipeline.decide.quoted import quoted_read
from pipeline.decide.rules import columns_of

if TYPE_CHECKING:
    import polars as pl

    from pipeline.config import PipelineConfig


def about_captions(
    captions: pl.Series, text: pl.Series, hashes: pl.Series, config: PipelineConfig, evaluation: Evaluation
) -> pa.Table:
    """The columns of schema.ABOUT_CAPTIONS. ``captions``: not judged yet; ``text``, ``hashes``: the columns text and phash.
    ``evaluation``: of ``config.decontaminate``, the same for all parts of a run, because it reads files."""
    import polars as pl

    names = contaminated_by(captions, text, hashes, evaluation)
    shares: list[float | None] = [None] * len(text)
    if _quotes_count(config):
        judge = CaptionJudge(config.captions)
        rows = zip(captions.to_list(), text.to_list(), strict=True)
        shares = [quoted_read(judge.judge(row) or (), read) for row, read in rows]
    columns = {"contaminated_by": names, "quoted_read": pl.Series(shares, dtype=pl.Float32)}
    return pl.DataFrame(columns).to_arrow().cast(schema.arrow(schema.ABOUT_CAPTIONS))


def recipe(config: PipelineConfig, evaluation: Evaluation) -> str:
    """What the columns follow from beside those that are given."""
    facts = {"evaluation": evaluation.digest, "quoted": _quotes_count(config)}
    return json.dumps(facts | {"captions": to_plain(config.captions)}, sort_keys=True)


def is_asked(config: PipelineConfig) -> bool:
    """Whether any of the columns can be other than null."""
    return bool(config.decontaminate.prompts or config.decontaminate.pictures) or _quotes_count(config)


def _quotes_count(config: PipelineConfig) -> bool:
    """Whether somebody looks at ``quoted_read``: it takes longer than all other decisions."""
    return "quoted_read" in columns_of(config.decide)
