"""The seven filtering stages of the Qwen-Image report, and which rows are good for one."""

from __future__ import annotations

import polars as pl

STAGES = {
    1: ("S1", "initial curation", "256p"),
    2: ("S2", "image quality", "256p"),
    3: ("S3", "image-text alignment", "256p"),
    4: ("S4", "text rendering", "256p"),
    5: ("S5", "high resolution", "640p"),
    6: ("S6", "category balance, portraits", "640p"),
    7: ("S7", "balanced multi-scale", "640p + 1328p"),
}
"""Short name, name and resolution of each filtering stage (Qwen-Image report, section on data filtering)."""

KEPT = pl.col("stage_to") >= pl.col("stage_from")
"""Whether a row is good for at least one stage."""


def within(stage: int) -> pl.Expr:
    """Whether a row is good for ``stage``."""
    return (pl.col("stage_from") <= stage) & (pl.col("stage_to") >= stage)
