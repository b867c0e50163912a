"""The index of a dataset: one manifest file per shard, dataset.json with its digest, and the data card.

    decisions + where shards hold which id ──> manifest/*.parquet ──> dataset.json (last) + README.md

A new manifest over the same shards is all that new thresholds need.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from pipeline import schema
from pipeline.dataset import INDEX
from pipeline.parquet import opened
from pipeline.store.commit import created_once, replace_text

if TYPE_CHECKING:
    import polars as pl


def packed_places(data: Path) -> pa.Table:
    """(id, shard, row_group, row) of everything that the shards under ``data`` hold, in canonical order."""
    parts = []
    for path in sorted(data.glob("*.parquet")):
        with opened(path) as file:
            ids = file.read(columns=["id"])["id"].combine_chunks()
            lengths = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        groups = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
        rows = np.concatenate([np.arange(n, dtype=np.int32) for n in lengths])
        parts.append(pa.table({"id": ids, "shard": [path.name] * len(ids), "row_group": groups, "row": rows}))
    empty = pa.schema([("id", pa.string()), ("shard", pa.string()), ("row_group", pa.int32()), ("row", pa.int32())])
    return pa.concat_tables(parts) if parts else empty.empty_table()


def write_manifests(folder: Path, kept: pl.DataFrame, places: pa.Table, annotators: Iterable[str]) -> None:
    """Write ``folder``/<shard>.parquet for every shard that holds a row of ``kept``; the order is the shard's."""
    import polars as pl

    arrow = schema.arrow(schema.MANIFEST, annotators)
    where = pl.from_arrow(places)
    assert isinstance(where, pl.DataFrame)
    rows = where.join(kept, on="id", how="inner", maintain_order="left")
    for part in rows.partition_by("shard", maintain_order=True):
        table = part.select(arrow.names).to_arrow().cast(arrow).replace_schema_metadata(arrow.metadata)
        with created_once(folder / part["shard"][0]) as temporary:
            pq.write_table(table, temporary, compression="zstd", write_page_index=True)


def finish(dataset: Path, about: dict[str, Any], kept: pl.DataFrame) -> dict[str, Any]:
    """Write the card, then dataset.json: from then on the dataset is complete. Returns dataset.json's content."""
    about = {
        "schema_version": schema.SCHEMA_VERSION,
        "digest": dataset_digest(dataset),
        "rows": len(kept),
        "files": {str(p.relative_to(dataset)): p.stat().st_size for p in dataset_files(dataset)},
        **about,
        "counts": counts(kept),
        "versions": {name: version(name) for name in ("pyarrow", "polars", "pillow")},
    }
    replace_text(dataset / "README.md", card(about, kept))
    replace_text(dataset / INDEX, json.dumps(about, indent=2, ensure_ascii=False) + "\n")
    return about


def dataset_digest(dataset: Path) -> str:
    """sha256 over the sorted sha256 of the shard and manifest files."""
    return hashlib.sha256("\n".join(sorted(map(_sha256, dataset_files(dataset)))).encode()).hexdigest()


def dataset_files(dataset: Path) -> list[Path]:
    """Shards and manifest files, sorted."""
    return [p for part in ("data", "manifest") for p in sorted((dataset / part).glob("*.parquet"))]


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


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
