"""What a manifest takes from shards: from notes beside them.

    shard while it is a local file ──noted──> dataset/notes/<shard>.note: ids, places, spans; sha256, version in the store
    notes of neighboring shards ──Notes.join──> dataset/notes/<first of them>.notes (joint_notes.py)

So other decisions over the same shards read none of them, and few files. A note counts for the version of the shard that
it names; without one the shard is read whole, and noted.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Collection, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs.files import local_copy, remove_files, replaced
from configs.portions import portions
from configs.storage.spans import each
from pipeline import schema
from pipeline.pack.joint_notes import ENDING, JointNotes, Noted, write_joint
from pipeline.pack.spans import file_spans
from pipeline.parquet import opened
from pipeline.trainable import shard_columns

_FROM_SHARDS = ("id", *schema.CAPTION_FLAT, *schema.TRAINABLE, "ref_sizes")
"""What the manifest repeats of the shards. Captions count as they are judged there: that is what will be trained on."""
_COLUMNS = (*_FROM_SHARDS, "shard", "row_group", "row", *schema.SPANS)
_SHA256, _VERSION = b"glyphmill.sha256", b"glyphmill.version"
_DAMAGED = (OSError, ValueError, KeyError, TypeError)
"""What reading a note raises that is gone or damaged; pyarrow's errors are ValueErrors."""
_KEPT_ROWS = 1 << 19
"""Rows of shards with notes of their own that are kept while a manifest is written; chosen: about 0.1 GB."""
_digests: dict[tuple[Path, str], str] = {}
"""sha256 by shard and version, of those whose notes this process has read."""


class Notes:
    """Of the shards under ``data`` as they are now. ``shards``: their files in canonical order."""

    def __init__(self, data: Path) -> None:
        self.shards = sorted(data.glob("*.parquet"))
        self._folder = _folder(data.parent)
        self._joint = {joint.path: joint for path in self._joint_files() if (joint := _joint_at(path))}
        self._rows: dict[Path, int] = {}
        self._kept: dict[Path, pa.Table] = {}
        joint_of = {
            (name, told.version): joint for joint in self._joint.values() for name, told in joint.shards.items()
        }
        found = ((shard, joint_of.get((shard.name, _version(shard)))) for shard in self.shards)
        self._joint_of = {shard: joint for shard, joint in found if joint}
        for shard, joint in self._joint_of.items():
            _digests[shard, _version(shard)] = joint.shards[shard.name].sha256

    def rows(self, shard: Path) -> int:
        """How many it holds."""
        if joint := self._joint_of.get(shard):
            return joint.shards[shard.name].rows
        return self._rows[shard] if shard in self._rows else len(self._describe(shard))

    def read(self, columns: Sequence[str] | None = None, shards: Sequence[Path] | None = None) -> pa.Table:
        """What the manifest takes from the shards (or these of them), in canonical order: _FROM_SHARDS, and where a row and
        its pictures lie; or ``columns`` of that."""
        names = list(columns or _COLUMNS)
        wanted = self.shards if shards is None else shards
        runs = [(joint, list(run)) for joint, run in itertools.groupby(wanted, self._joint_of.get)]
        empty = pa.schema([pa.field(name, schema.COLUMNS[name].type) for name in names]).empty_table()
        return pa.concat_tables([table for run in runs for table in self._read_run(*run, names)] or [empty])

    def portions(self, rows: int) -> list[list[Path]]:
        """Neighboring shards that together hold at most so many, more only where one alone does."""
        list(each(self.rows, self.shards, self._folder))  # several at the same time
        return portions(self.shards, self.rows, rows)

    def join(self, shards: Sequence[Path], notes: pa.Table) -> None:
        """Keep ``notes``, all columns of neighboring ``shards``, in one file."""
        counts = [self.rows(shard) for shard in shards]
        told = zip(shards, counts, strict=True)
        about = {shard.name: Noted(_version(shard), sha256_of(shard), count) for shard, count in told}
        if not any(joint.shards == about for joint in self._joint.values()):
            path = write_joint(self._folder, about, notes)
            self._joint[path] = JointNotes(path)

    def remove_joined(self, files: Sequence[Sequence[Path]]) -> None:
        """Remove what is not wanted beside the files of these shards, each written by ``join``: older ones of other
        shards, and notes of single shards."""
        stay = {f"{shards[0].stem}{ENDING}" for shards in files}
        joined = {_note(self._folder.parent, shard.name).name for shards in files for shard in shards}
        notes = self._folder.glob("[!.]*")
        remove_files([p for p in notes if p.name in joined or (p.suffix == ENDING and p.name not in stay)])

    def _joint_files(self) -> list[Path]:
        return sorted(self._folder.glob(f"[!.]*{ENDING}"))

    def _read_run(self, joint: JointNotes | None, shards: Sequence[Path], names: Sequence[str]) -> list[pa.Table]:
        if joint is not None:
            try:
                return [joint.read([shard.name for shard in shards], names).replace_schema_metadata(None)]
            except _DAMAGED:
                self._joint.pop(joint.path, None)
                for shard in shards:
                    del self._joint_of[shard]
        described = each(self._describe, shards, self._folder)
        return [note.select(names).replace_schema_metadata(None) for note in described]

    def _describe(self, shard: Path) -> pa.Table:
        if shard in self._kept:
            return self._kept[shard]
        found = describe(shard)
        self._rows[shard] = len(found)
        if sum(map(len, self._kept.values())) + len(found) <= _KEPT_ROWS:
            self._kept[shard] = found
        return found


def _joint_at(path: Path) -> JointNotes | None:
    """None where it is damaged, or gone since it was listed."""
    try:
        return JointNotes(path)
    except _DAMAGED:
        return None


def describe(shard: Path) -> pa.Table:
    """Of every row of a shard _FROM_SHARDS, and where it and its pictures lie: from its own note, or from itself."""
    note = _read_note(shard)
    if note is not None:
        return note
    with local_copy(shard) as copy:
        note = noted(copy, shard.name)
    if shard.parent.name == "data":
        write_note(shard.parent.parent, shard, note)
    _digests[shard, _version(shard)] = note.schema.metadata[_SHA256].decode()
    return note


def sha256_of(file: Path) -> str:
    """Hex digest of a file of the dataset."""
    known = _digests.get((file, _version(file)))
    if known:
        return known
    note = _read_note(file)
    if note is not None:
        return (note.schema.metadata or {})[_SHA256].decode()
    with local_copy(file) as copy:
        return _digest(copy)


def noted(copy: Path, name: str) -> pa.Table:
    """What is noted of the shard ``name`` while it is the local file ``copy``."""
    with opened(copy) as file:
        lengths = [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)]
    table, spans = shard_columns(copy, _FROM_SHARDS), file_spans(copy)
    columns = {name: table[name] for name in _FROM_SHARDS}
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
    with replaced(_note(dataset, shard.name), durable=False) as file:
        pq.write_table(note.replace_schema_metadata(about), file, compression="zstd", write_page_checksum=True)


def remove_notes(dataset: Path, stay: Collection[str]) -> None:
    """Remove the notes of shards that are no more; ``stay``: names of shards. Joint ones go when others are written."""
    names = {_note(dataset, name).name for name in stay}
    notes = [path for path in _folder(dataset).glob("[!.]*") if not stay or path.suffix != ENDING]
    remove_files([path for path in notes if path.name not in names])


def _folder(dataset: Path) -> Path:
    return dataset / "notes"


def _note(dataset: Path, shard: str) -> Path:
    return (
        _folder(dataset) / f"{Path(shard).stem}.note"
    )  # another ending, so that nobody takes it for a part of the data


def _read_note(shard: Path) -> pa.Table | None:
    """The note of a shard in data/ of a dataset; None where there is none of this version, or a damaged one."""
    if shard.parent.name != "data":
        return None
    version = _version(shard)
    try:
        whole = pa.BufferReader(_note(shard.parent.parent, shard.name).read_bytes())
        with pq.ParquetFile(whole, page_checksum_verification=True) as file:
            note = file.read(use_threads=False)
    except (OSError, pa.ArrowInvalid):
        return None
    about = note.schema.metadata or {}
    if about.get(_VERSION) != version.encode():
        return None
    _digests[shard, version] = about[_SHA256].decode()
    return note


def _version(shard: Path) -> str:
    """What changes with a shard's content: the store's, or size and time."""
    about = shard.stat()
    return str(getattr(about, "e_tag", None) or f"{about.st_size} {about.st_mtime_ns}")
