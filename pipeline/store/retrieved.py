"""What ``retrieve`` found: RUN/retrieved/NAME.parquet, which the next decision joins as the column ``retrieved``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from configs.errors import UserError
from pipeline.parquet import read_table
from pipeline.store.commit import replace_table
from pipeline.store.run_folder import RunFolder

if TYPE_CHECKING:
    import polars as pl

_SCHEMA = pa.schema([pa.field("id", pa.string(), False), pa.field("rank", pa.int32()), pa.field("score", pa.float32())])


def check_name(name: str) -> None:
    """Raises UserError for what cannot be the name of a retrieval."""
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", name):
        raise UserError(f"--name '{name}': letters, digits, '_' and '-'; rules find it in the column retrieved")


def write_retrieved(run: RunFolder, name: str, found: list[tuple[str, float]]) -> Path:
    """Write (id, score), best first, in the place of an earlier retrieval of that name."""
    rows = [{"id": id_, "rank": rank, "score": score} for rank, (id_, score) in enumerate(found, 1)]
    path = run.retrieved / f"{name}.parquet"
    replace_table(path, pa.Table.from_pylist(rows, schema=_SCHEMA))
    return path


def retrievals(run: RunFolder) -> dict[str, list[str]]:
    """Name -> ids found, of all retrievals, by name."""
    return {path.stem: read_table(path, ["id"])["id"].to_pylist() for path in sorted(run.retrieved.glob("*.parquet"))}


def retrieved_rows(run: RunFolder) -> pl.DataFrame:
    """id and retrieved: names of the retrievals that found a row, joined with +; rows that none found are not in it."""
    import polars as pl

    names: dict[str, list[str]] = {}
    for name, ids in retrievals(run).items():
        for id_ in ids:
            names.setdefault(id_, []).append(name)
    found = {"id": list(names), "retrieved": ["+".join(n) for n in names.values()]}
    return pl.DataFrame(found, schema={"id": pl.String, "retrieved": pl.String})
