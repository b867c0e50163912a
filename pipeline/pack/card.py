"""The data card of a dataset, README.md in the form that the Hugging Face hub reads, and the counts in it."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from pipeline import schema

if TYPE_CHECKING:
    import polars as pl


def counts(kept: pl.DataFrame) -> dict[str, dict[str, int]]:
    """Rows by kind, task, language and text level; keys sorted."""
    kinds = Counter("synthetic" if r is not None else "real" for r in kept["recipe"].to_list())
    found = {"kind": kinds}
    for column in ("task", "text_language", "text_level"):
        found[column] = Counter("unknown" if v is None else str(v) for v in kept[column].to_list())
    return {name: dict(sorted(counter.items())) for name, counter in found.items()}


def card(about: dict[str, Any], kept: pl.DataFrame) -> str:
    """README.md of the dataset: front matter that the Hugging Face hub reads, and what a person wants to know."""
    languages = sorted({v for v in kept["text_language"].drop_nulls().to_list() if v in ("zh", "en")})
    licenses = Counter(kept["license"].to_list())
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
        *_table("License of the picture", dict(sorted(licenses.items()))),
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
