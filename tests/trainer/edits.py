"""Datasets of edits for tests: as ``configs/synth/edit.yaml`` renders them, and with captions and more references."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa

from pipeline.dataset import Dataset
from pipeline.pack.manifest import finish, packed_rows, write_manifests
from pipeline.pack.shards import write_shard
from pipeline.parquet import read_table
from pipeline.tokens import finish_captions
from pipeline.trainable import trainable
from tests import forked

CAPTION = "a page with a word"


def render_edits(out: Path, count: int = 40) -> Path:
    """``python -m synth render configs/synth/edit.yaml OUT``: pairs of one reference, and reconstructions."""
    forked.run(["synth", "render", "configs/synth/edit.yaml", out, "--count", str(count)], check=True)
    return out


def mixed_tasks(edits: Path, out: Path) -> Path:
    """The same pictures as a dataset of all tasks: of each four edits one has a caption instead, the others one, two
    and three references; reconstructions stay."""
    (out / "data").mkdir(parents=True)
    (out / "manifest").mkdir()
    for shard in sorted((edits / "data").glob("*.parquet")):
        table = read_table(shard)
        rows = [_changed(number, table.to_pylist()) for number in range(len(table))]
        changed = pa.Table.from_pylist(rows, schema=table.schema)
        for name in ("n_instructions", "text_tokens", "quoted_box"):
            column = trainable(changed)[name].cast(table.schema.field(name).type)
            changed = changed.set_column(changed.schema.get_field_index(name), table.schema.field(name), column)
        write_shard(out / "data" / shard.name, [changed])
    kept = pl.from_arrow(Dataset.open(edits).manifest())
    assert isinstance(kept, pl.DataFrame)
    tasks = pl.concat([pl.read_parquet(p, columns=["id", "task"]) for p in sorted((out / "data").glob("*.parquet"))])
    kept = kept.drop("task").join(tasks, on="id")
    write_manifests(out / "manifest", kept, packed_rows(out / "data"), ["measure"], [])
    finish(out, {}, kept)
    return out


def _changed(number: int, rows: list[dict[str, Any]]) -> dict[str, Any]:
    row, kind = rows[number], number % 4
    if row["task"] == "i2i" or kind == 1:
        return row
    if kind == 0:
        texts = finish_captions([{"text": f"{CAPTION} number {number}", "source": "raw", "invalid": None}])
        return {**row, "task": "t2i", **texts, "instructions": [], "references": [], "ref_sizes": []}
    more = [rows[(number + n) % len(rows)] for n in range(1, kind)]
    sizes = [side for other in more for side in (other["width"], other["height"])]
    return {
        **row,
        "references": [*row["references"], *(other["image"] for other in more)],
        "ref_sizes": [*row["ref_sizes"], *sizes],
    }


def copy(dataset: Path, out: Path) -> Path:
    """To be damaged by a test."""
    return Path(shutil.copytree(dataset, out))
