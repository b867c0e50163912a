"""What a manifest takes from a shard: from a note beside the dataset's.

    shard while it is a local file ──describe──> dataset/notes/<shard>.note: ids, places, spans; sha256, version in the store

So other decisions over the same shards read none of them. A note counts for the version of the shard that it names;
without one the shard is read whole, and noted.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Sequence
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
_KEPT = 1 << 26
"""Bytes of notes that this process keeps, at most; chosen: of a million rows."""
_notes: dict[tuple[Path, str], bytes] = {}
"""By shard and version, those of an object store."""
_digests: dict[tuple[Path, str], str] = {}
"""sha256 by shard and version, of those whose notes this process has read."""


def describe(shard: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """Of every row of a shard FROM_SHARDS, and where it and its pictures lie; or ``columns`` of that."""
    note = _read_note(shard, columns)
    if note is not None:
        return note
    with local_copy(shard) as copy:
        note = noted(copy, shard.name)
    if shard.parent.name == "data":
        write_note(shard.parent.parent, shard, note)
    return note if columns is None else note.select(list(columns))


def sha256_of(file: Path) -> str:
    """Hex digest of a file of the dataset."""
    known = _digests.get((file, _version(file)))
    if known:
        return known
    note = _read_note(file, ["id"])
    if note is not None:
        return (note.schema.metadata or {})[_SHA256].decode()
    with local_copy(file) as copy:
        return _digest(copy)


def noted(copy: Path, name: str) -> pa.Table:
    """What is noted of the shard ``name`` while it is the local file ``copy``."""
    with opened(copy) as file:
        lengths = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    table, spans = shard_columns(copy, FROM_SHARDS), file_spans(copy)
    columns = {name: table[name] for name in FROM_SHARDS}
    columns["shard"] = pa.array([name] * len(table), pa.string())
    columns["row_group"] = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    columns["row"] = np.concatenate([np.arange(n, dtype=np.int32) for n in lengths])
    whole = pa.table(columns | {name: spans[name] for name in spans.column_names})
    return whole.replace_schema_metadata({_SHA256: _digest(copy)})


def _digest(copy: Path) -> str:
    with copy.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_note(dataset: Path, shard: Path, note: pa.Table) -> None:
    """Keep ``note`` of ``shard``, which is there and is, or will be, one of ``dataset``."""
    about = (note.schema.metadata or {}) | {_VERSION: _version(shard)}
    _notes.pop((shard, _version(shard)), None)
    with replaced(_note(dataset, shard.name), durable=False) as file:
        pq.write_table(note.replace_schema_metadata(about), file, compression="zstd", write_page_checksum=True)


def remove_notes(dataset: Path, stay: Collection[str]) -> None:
    """Remove the notes of shards that are no more; ``stay``: names of shards."""
    names = {_note(dataset, name).name for name in stay}
    for path in list(_note(dataset, "x").parent.glob("[!.]*")):
        if path.name not in names:
            path.unlink()


def _note(dataset: Path, shard: str) -> Path:
    return (
        dataset / "notes" / f"{Path(shard).stem}.note"
    )  # another ending, so that nobody takes it for a part of the data


def _read_note(shard: Path, columns: Sequence[str] | None) -> pa.Table | None:
    """The note of a shard in data/ of a dataset; None where there is none of this version, or a damaged one."""
    if shard.parent.name != "data":
        return None
    version = _version(shard)
    try:
        whole = pa.BufferReader(_bytes_of_note(shard, version))
        with pq.ParquetFile(whole, page_checksum_verification=True) as file:
            note = file.read(list(columns) if columns is not None else None, use_threads=False)
    except (OSError, pa.ArrowInvalid):
        return None
    about = note.schema.metadata or {}
    if about.get(_VERSION) != version.encode():
        return None
    _digests[shard, version] = about[_SHA256].decode()
    return note


def _bytes_of_note(shard: Path, version: str) -> bytes:
    """Of an object a request, and one alone: a decision looks at a note three times."""
    if (shard, version) in _notes:
        return _notes[shard, version]
    found = _note(shard.parent.parent, shard.name).read_bytes()
    if isinstance(shard, ObjectPath) and sum(map(len, _notes.values())) + len(found) <= _KEPT:
        _notes[shard, version] = found
    return found


def _version(shard: Path) -> str:
    """What changes with a shard's content: the store's, or size and time."""
    about = shard.stat()
    return str(getattr(about, "e_tag", None) or f"{about.st_size} {about.st_mtime_ns}")
