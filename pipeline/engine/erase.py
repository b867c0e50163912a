"""The bytes of what was taken down go: from samples/, where rows are blanked, and from shards, which lose the rows.

    tombstones without a receipt ──> samples/F with empty pictures and texts ──> shards without the rows ──> receipt

The one rewrite of committed files that is allowed. ``run``, ``add``, ``pack`` and ``remove`` all begin with what is left.
"""

from __future__ import annotations

import datetime
from collections.abc import Collection
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from configs.files import replaced
from pipeline.config import PipelineConfig
from pipeline.pack.publish import publish
from pipeline.parquet import read_table
from pipeline.store.commit import rewrite_table
from pipeline.store.removed import removed_rows, without_receipt, write_receipt
from pipeline.store.run_folder import RunFolder

_BLANKED = ("captions", "instructions", "extra")
"""Columns of a sample that are emptied beside its pictures: what others wrote about it."""


def finish_removals(run: RunFolder, config: PipelineConfig) -> None:
    """Bring every takedown that has no receipt to its end; does nothing where there is none."""
    left = without_receipt(run)
    if not left:
        return
    _blank_samples(run)
    dataset = publish(run, config)
    for path in left:
        rows = read_table(path)
        direct = rows.filter(pc.invert(rows["followed"]))
        receipt: dict[str, Any] = {
            "removed_at": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
            "rows": len(rows),
            "named": len(direct),
            "made_of_them": len(rows) - len(direct),
            "bytes": pc.sum(rows["bytes"]).as_py() or 0,
            "samples": sorted(set(rows["fragment"].drop_null().to_pylist())),
            "shards": sorted(set(rows["shard"].drop_null().to_pylist())),
            "ids": rows["id"].to_pylist(),
            "digest": dataset.digest,
        }
        told = write_receipt(path, receipt)
        print(f"removed {len(direct):,} rows and {receipt['made_of_them']:,} made of them; receipt: {told}", flush=True)


def _blank_samples(run: RunFolder) -> None:
    """Empty the pictures and texts of removed rows in samples/; a file that is done stays as it is."""
    rows = removed_rows(run)
    for fragment in sorted(set(rows["fragment"].drop_null().to_pylist())):
        path = run.samples(fragment)
        ids = rows.filter(pc.equal(rows["fragment"], fragment))["id"]
        table = read_table(path)
        gone = pc.is_in(table["id"], ids.combine_chunks()).to_pylist()
        if any(g and row["bytes"] for g, row in zip(gone, table["image"].to_pylist(), strict=True)):
            with replaced(path) as temporary:
                rewrite_table(path, temporary, partial(_blank, ids=frozenset(ids.to_pylist())))


def _blank(table: pa.Table, ids: Collection[str]) -> pa.Table:
    """The same rows; those with these ids lose their bytes and texts."""
    rows = table.to_pylist()
    for row in rows:
        if row["id"] in ids:
            row["image"] = {"bytes": b"", "path": None}
            row["references"] = row["references"] and [{"bytes": b"", "path": None} for _ in row["references"]]
            row |= dict.fromkeys(_BLANKED)
    return pa.Table.from_pylist(rows, schema=table.schema)
