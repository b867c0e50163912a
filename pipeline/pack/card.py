"""The data card of a dataset, README.md in the form that the Hugging Face hub reads, and the counts in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pipeline import schema

if TYPE_CHECKING:
    import polars as pl


def counts(kept: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Rows by kind, task, language and text level; keys sorted."""
    import polars as pl

    kinds = kept.select(pl.when(pl.col("recipe").is_null()).then(pl.lit("real")).otherwise(pl.lit("synthetic")))
    columns = {"kind": kinds.to_series(), **{name: kept[name] for name in ("task", "text_language", "text_level")}}
    return {name: _counted(column) for name, column in columns.items()}


def _counted(column: pl.Series) -> dict[str, int]:
    """Rows by value as text, ``unknown`` for null; sorted."""
    import polars as pl

    found = column.cast(pl.String).fill_null("unknown").value_counts()
    return dict(sorted(found.iter_rows()))


def card(about: dict[str, Any], kept: pl.DataFrame) -> str:
    """README.md of the dataset: front matter that the Hugging Face hub reads, and what a person wants to know."""
    languages = [v for v in _counted(kept["text_language"]) if v in ("zh", "en")]
    front = ["---", "license: other", "task_categories:", "- text-to-image"]
    front += ["language:", *(f"- {v}" for v in languages)] if languages else []
    front += [
        "configs:",
        "- config_name: default",
        "  data_files:",
        "  - split: train",
        "    path: data/*.parquet",
        "---",
    ]
    lines = [
        "",
        "# A Glyphmill dataset",
        "",
        f"{about['rows']:,} pictures with text, captions and scores. Schema version {about['schema_version']}, "
        f"digest `{about['digest']}`.",
        "",
        "`data/` holds the samples, `manifest/` one row per sample with scores and decisions: for which stages of the "
        "curriculum it is good (`stage_from`..`stage_to`), how often to draw it (`repeats`), and where it lies.",
        "",
        *_table("Kind", about["counts"]["kind"]),
        *_table("Text level", _levels(about["counts"]["text_level"])),
        *_table("Language of visible text", about["counts"]["text_language"]),
        *_table("License of the picture", _counted(kept["license"])),
        "```python",
        "import polars as pl",
        'pl.scan_parquet("manifest/*.parquet").group_by("text_language").len().collect()',
        "",
        "from datasets import load_dataset",
        'load_dataset("parquet", data_files="data/*.parquet", split="train")[0]["image"]',
        "```",
        "",
    ]
    return "\n".join(front + lines)


def _levels(found: dict[str, int]) -> dict[str, int]:
    return {schema.TEXT_LEVELS[int(k)] if k.isdigit() else k: n for k, n in found.items()}


def _table(title: str, rows: dict[str, int]) -> list[str]:
    return [f"| {title} | rows |", "|---|---|", *(f"| {name} | {n:,} |" for name, n in rows.items()), ""]
