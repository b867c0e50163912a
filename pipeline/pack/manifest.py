"""The index of a dataset: manifest files, each of neighboring shards, dataset.json with its digest, and the data card.

    decisions + where shards hold which id ──> manifest/*.parquet ──> dataset.json (last) + README.md

A new manifest over the same shards is all that new thresholds need.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs.files import created_once, flush_all, replace_text
from configs.portions import portions
from configs.storage.spans import each
from pipeline import schema
from pipeline.dataset import INDEX
from pipeline.pack.card import card, counts
from pipeline.pack.notes import Notes, sha256_of

if TYPE_CHECKING:
    import polars as pl


_UNLIKE = ("id", "uri", "sha256", "pixel_sha256", "phash", "text")
"""Columns whose values hardly repeat: a dictionary of them takes time and saves nothing."""
_ROWS = 1 << 17
"""Rows of a manifest file, more only where one shard has more; chosen: hundreds of shards of photographs are few objects
of a store, and a reader can still take files at the same time."""
_WRITERS = 4
"""Manifests that are written at the same time; chosen: most of it is waiting for the disk or the store."""


def packed_rows(data: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """What the manifest takes from the shards under ``data``, in canonical order (``Notes.read``)."""
    return Notes(data).read(columns)


def write_manifests(
    folder: Path, kept: pl.DataFrame, places: pa.Table, annotators: Iterable[str], own: Sequence[schema.Column]
) -> dict[str, str]:
    """Write the rows of ``kept`` to files in ``folder``, each for neighboring shards and named after the first of them;
    the order is that of ``places``.

    ``own``: columns that ``annotators`` declare themselves. Returns the sha256 of each file that was written, by name.
    """
    import polars as pl

    arrow = schema.arrow([*schema.MANIFEST, *(c for c in own if not c.nested)], annotators)
    where = pl.from_arrow(places)
    assert isinstance(where, pl.DataFrame)
    decided = kept.drop([n for n in where.columns if n != "id"], strict=False)
    rows = where.join(decided, on="id", how="inner", maintain_order="left")
    begins = np.flatnonzero(rows["shard"].ne_missing(rows["shard"].shift()).to_numpy())  # rows of a shard are neighbors
    shards = [range(a, b) for a, b in itertools.pairwise([*begins.tolist(), len(rows)])]
    table = rows.select(arrow.names).to_arrow().cast(arrow).replace_schema_metadata(arrow.metadata)
    parts = [table.slice(of[0][0], of[-1][-1] + 1 - of[0][0]) for of in portions(shards, len, _ROWS)]

    def write(part: pa.Table) -> tuple[str, str]:
        name = part["shard"][0].as_py()
        with created_once(folder / name, durable=False) as temporary:
            pq.write_table(part, temporary, compression="snappy", use_dictionary=repeated, write_page_index=True)
            return name, sha256_of(temporary)

    repeated = [f.name for f in arrow if f.name not in _UNLIKE and not pa.types.is_floating(f.type)]
    with ThreadPoolExecutor(_WRITERS) as pool:
        digests = dict(pool.map(write, parts))
    flush_all(folder)
    return digests


def finish(
    dataset: Path, about: dict[str, Any], kept: pl.DataFrame, manifests: Mapping[str, str] = MappingProxyType({})
) -> dict[str, Any]:
    """Write the card, then dataset.json: from then on the dataset is complete. Returns dataset.json's content.

    ``manifests``: sha256 of files in manifest/ by name, as far as they are known.
    """
    files = [p for part in ("data", "manifest") for p in sorted((dataset / part).glob("*.parquet"))]
    about = {
        "schema_version": schema.SCHEMA_VERSION,
        "digest": _dataset_digest(files, manifests),
        "rows": len(kept),
        "files": {str(p.relative_to(dataset)): p.stat().st_size for p in files},
        **about,
        "counts": counts(kept),
        "versions": {name: version(name) for name in ("pyarrow", "polars", "pillow")},
    }
    replace_text(dataset / "README.md", card(about, kept))
    replace_text(dataset / INDEX, json.dumps(about, indent=2, ensure_ascii=False) + "\n")
    return about


def _dataset_digest(files: Sequence[Path], manifests: Mapping[str, str]) -> str:
    """sha256 over the sorted sha256 of the shard and manifest files."""

    def digest(file: Path) -> str:
        known = manifests.get(file.name) if file.parent.name == "manifest" else None
        return known or sha256_of(file)

    digests = each(digest, files, files[0]) if files else ()
    return hashlib.sha256("\n".join(sorted(digests)).encode()).hexdigest()
