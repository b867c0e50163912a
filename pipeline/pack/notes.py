"""What a manifest takes from a shard: read from the shard, or of one in an object store from a note beside the dataset's.

    shard while it is a local file ──describe──> dataset/notes/<shard>.note: ids, places, spans; sha256, version in the store

So other decisions over the same shards read none of them. A note counts for the version of the shard that it names;
without one the shard is read whole. On a disk there are none: there it is read as fast.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs.files import local_copy, replaced
from configs.storage import ObjectPath
from pipeline import schema
from pipeline.pack.spans import file_spans
from pipeline.parquet import opened
from pipeline.trainable import shard_columns

FROM_SHARDS = ("id", *schema.CAPTION_FLAT, *schema.TRAINABLE, "ref_sizes")
"""What the manifest repeats of the shards. Captions count as they are judged there: that is what will be trained on."""
_SHA256, _VERSION = b"glyphmill.sha256", b"glyphmill.version"


def describe(shard: Path) -> pa.Table:
    """Of every row of a shard FROM_SHARDS, and where it and its pictures lie."""
    note = _read_note(shard)
    if note is not None:
        return note
    with local_copy(shard) as copy:
        with opened(copy) as file:
            lengths = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
        table, spans = shard_columns(copy, FROM_SHARDS), file_spans(copy)
    columns = {name: table[name] for name in FROM_SHARDS}
    columns["shard"] = pa.array([shard.name] * len(table), pa.string())
    columns["row_group"] = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    columns["row"] = np.concatenate([np.arange(n, dtype=np.int32) for n in lengths])
    return pa.table(columns | {name: spans[name] for name in spans.column_names})


def sha256_of(file: Path) -> str:
    """Hex digest of a file of the dataset."""
    note = _read_note(file)
    if note is not None:
        return (note.schema.metadata or {})[_SHA256].decode()
    with local_copy(file) as copy, copy.open("rb") as opened_:
        return hashlib.file_digest(opened_, "sha256").hexdigest()


def noted(copy: Path) -> pa.Table:
    """What is noted of a shard while it is a local file."""
    return describe(copy).replace_schema_metadata({_SHA256: sha256_of(copy)})


def write_note(dataset: Path, shard: Path, note: pa.Table) -> None:
    """Keep ``note`` of ``shard``, which was just written to an object store and will be one of ``dataset``."""
    about = (note.schema.metadata or {}) | {_VERSION: _version(shard)}
    with replaced(_note(dataset, shard.name)) as file:
        pq.write_table(note.replace_schema_metadata(about), file, compression="zstd")


def remove_notes(dataset: Path, stay: Collection[str]) -> None:
    """Remove the notes of shards that are no more; ``stay``: names of shards."""
    if isinstance(dataset, ObjectPath):
        names = {_note(dataset, name).name for name in stay}
        for path in list(_note(dataset, "x").parent.iterdir()):
            if path.name not in names:
                path.unlink()


def _note(dataset: Path, shard: str) -> Path:
    return (
        dataset / "notes" / f"{Path(shard).stem}.note"
    )  # another ending, so that nobody takes it for a part of the data


def _read_note(shard: Path) -> pa.Table | None:
    """The note of a shard in data/ of a dataset in an object store; None where there is none of this version."""
    if not isinstance(shard, ObjectPath) or shard.parent.name != "data":
        return None
    try:
        note = pq.read_table(_note(shard.parent.parent, shard.name).open("rb"))
        version = (note.schema.metadata or {}).get(_VERSION)
    except (FileNotFoundError, pa.ArrowInvalid):
        return None
    return note if version == _version(shard).encode() else None


def _version(shard: Path) -> str:
    return str(getattr(shard.stat(), "e_tag", None))
