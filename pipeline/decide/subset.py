"""S6 of the report sorts again what has come so far: general, portrait and text rendering, to be balanced one by one.

    scores ──text──> text   ──portrait──> portrait   ──else──> general

The report does not say by which measure; both conditions are chosen. What is unknown (no reader ran, no faces were
looked for) sorts nothing: such a row is general.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.predicate import Predicate, parse

if TYPE_CHECKING:
    import polars as pl


@dataclass(frozen=True)
class SubsetConfig:
    """Conditions over scores, the first that holds names the subset. A face of an eighth of the edges has 0.016 of the
    area; a text of several lines, or one that fills a twentieth of the picture, is what the picture is about."""

    text: str = "recipe is not null or text_level >= 3 or text_area >= 0.05"
    portrait: str = "face_area >= 0.016"

    def __post_init__(self) -> None:
        self.conditions()

    def conditions(self) -> dict[str, Predicate]:
        return {name: parse(getattr(self, name), f"field 'subsets.{name}'") for name in ("text", "portrait")}


def subset(config: SubsetConfig, schema: Mapping[str, Any]) -> pl.Expr:
    """The subset of each row of a table of ``schema`` (Polars'). Raises UserError for an unknown column."""
    import polars as pl

    named = pl.lit("general")
    for name, condition in reversed(config.conditions().items()):
        named = pl.when(condition.polars(schema)).then(pl.lit(name)).otherwise(named)
    return named
