"""Pack: the rows that decisions keep, moved once into shards whose row groups hold one stratum each.

    kept rows ──plan_shards──> shards = row groups of (fragment, row) ──ShardWriter on Ray──> data/*.parquet

A stratum is (task, real or synthetic, text level, stages, aspect): a phase of training that draws from few of
them reads few row groups.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from configs.files import created_once
from configs.portions import portions
from pipeline import schema
from pipeline.decide.captions import CaptionConfig, CaptionJudge, flat
from pipeline.pack.notes import noted, write_note
from pipeline.pack.spans import BY_OFFSET
from pipeline.pack.stored import Place, StoredRows
from pipeline.store.commit import codecs
from pipeline.store.compact import Compacted
from pipeline.store.run_folder import RunFolder
from pipeline.store.table import FRAGMENT, FRAGMENT_ROW
from pipeline.tokens import count_tokens
from pipeline.trainable import trainable

if TYPE_CHECKING:
    import polars as pl

ASPECTS = ((1, 1), (2, 3), (3, 2), (3, 4), (4, 3), (9, 16), (16, 9), (1, 3), (3, 1))
"""Aspect ratios of the report's S1, width to height."""
_ROWS, _BYTES = 1 << 12, 1 << 26
"""Rows and bytes of pictures that a worker reads at once, more only where a row group has more; chosen: it holds them two
or three times."""
_STRATUM = ("task", "synthetic", "text_level", "stage_from", "stage_to", "aspect")


@dataclass(frozen=True)
class PackConfig:
    """``rows``: of a row group at most, 32 to 128; a stratum's last group may hold fewer.
    ``megabytes`` (10^6): of a shard file, at most about; ``group_megabytes``: of a row group."""

    rows: int = 64
    megabytes: int = 256
    group_megabytes: int = 64

    def __post_init__(self) -> None:
        if not 32 <= self.rows <= 128:
            raise ValueError(f"field 'rows': must be between 32 and 128, found {self.rows}")
        if not 1 <= self.megabytes <= 512:
            raise ValueError(f"field 'megabytes': must be between 1 and 512, found {self.megabytes}")
        if not 1 <= self.group_megabytes <= self.megabytes:
            found = self.group_megabytes
            raise ValueError(f"field 'group_megabytes': must be between 1 and megabytes, found {found}")


@dataclass(frozen=True)
class Shard:
    """A file to write: its name and the rows of each row group."""

    name: str
    groups: tuple[tuple[Place, ...], ...]

    def without(self, gone: Collection[Place]) -> Shard:
        """The shard that lacks these rows."""
        groups = (tuple(place for place in group if place not in gone) for group in self.groups)
        return Shard(self.name, tuple(group for group in groups if group))


def _aspect_of(width: int, height: int) -> str:
    """The nearest of ASPECTS by the logarithm of width / height, as ``3:2``."""
    ratio = np.log(width / height)
    nearest = min(ASPECTS, key=lambda a: abs(np.log(a[0] / a[1]) - ratio))
    return f"{nearest[0]}:{nearest[1]}"


def plan_shards(kept: pl.DataFrame, config: PackConfig, first: int = 0) -> list[Shard]:
    """Shards for the rows of ``kept`` (scalars, decisions, fragment, fragment_row), strata in sorted order, names from
    number ``first`` on.

    Within a stratum rows keep ledger order, so that a shard reads few fragments.
    """
    import polars as pl

    sizes = kept.select("width", "height").unique(maintain_order=True)
    sizes = sizes.with_columns(
        aspect=pl.Series([_aspect_of(w, h) for w, h in sizes.iter_rows()], dtype=pl.String),
    )
    strata = kept.join(sizes, on=["width", "height"], how="left", maintain_order="left").with_columns(
        synthetic=pl.col("recipe").is_not_null(), text_level=pl.col("text_level").fill_null(-1)
    )
    shards: list[list[tuple[Place, ...]]] = [[]]
    filled = 0
    for group, size in _row_groups(strata, config):
        if shards[-1] and filled + size > config.megabytes * 10**6:
            shards.append([])
            filled = 0
        shards[-1].append(group)
        filled += size
    return [Shard(f"{i:05d}.parquet", tuple(groups)) for i, groups in enumerate(shards, first) if groups]


def _row_groups(strata: pl.DataFrame, config: PackConfig) -> Iterator[tuple[tuple[Place, ...], int]]:
    for stratum in strata.sort(_STRATUM, maintain_order=True).partition_by(*_STRATUM, maintain_order=True):
        rows: list[Place] = []
        size = 0
        for fragment, row, length in stratum.select(FRAGMENT, FRAGMENT_ROW, "bytes_len").iter_rows():
            if rows and (len(rows) == config.rows or size + length > config.group_megabytes * 10**6):
                yield tuple(rows), size
                rows, size = [], 0
            rows.append((fragment, row))
            size += length
        if rows:
            yield tuple(rows), size


def shard_schema(compacted: Compacted) -> pa.Schema:
    """Arrow schema of data/*.parquet of a run; its metadata say to ``datasets`` which columns hold pictures."""
    arrow = schema.arrow([*schema.STORED, *compacted.own], compacted.annotators)
    index = arrow.get_field_index("image")
    # `datasets` cannot read a picture column that is not nullable
    arrow = arrow.set(index, arrow.field(index).with_nullable(True))
    return arrow.with_metadata({**arrow.metadata, b"huggingface": schema.HUGGINGFACE})


class ShardWriter:
    """A worker: writes a shard of ``columns`` from the samples and scores it is made of."""

    def __init__(self, run: RunFolder, folder: Path, captions: CaptionConfig, columns: Sequence[str]) -> None:
        self._run, self._folder, self._columns = run, folder, columns
        self._judge = CaptionJudge(captions)
        self._stored: StoredRows | None = None

    def __call__(self, shard: Shard) -> Shard:
        path = self._folder / shard.name
        if not path.exists():
            if self._stored is None:  # once it is where it works
                self._stored = StoredRows(self._run, self._columns)
                whole = shard_schema(self._stored.compacted)
                self._arrow = pa.schema([whole.field(name) for name in self._columns], whole.metadata)
            groups = _read_groups(self._stored, shard, self._arrow, self._judge)
            with created_once(path) as temporary:
                write_shard(temporary, groups)
                note = noted(temporary, shard.name)
            write_note(self._run.dataset, path, note)
        return shard


def _read_groups(stored: StoredRows, shard: Shard, arrow: pa.Schema, judge: CaptionJudge) -> Iterator[pa.Table]:
    """The tables of the shard's row groups, few of which are in memory at the same time."""
    for groups in _together(stored, shard):
        part = _judged(stored.read([place for group in groups for place in group]), judge)
        part = part.select(arrow.names).cast(arrow)
        start = 0
        for group in groups:
            yield part.slice(start, len(group))
            start += len(group)


def _together(stored: StoredRows, shard: Shard) -> Iterator[list[tuple[Place, ...]]]:
    """Row groups that are read at once: a fragment is opened for the rows of all of them."""
    for groups in portions(shard.groups, len, _ROWS):
        sizes = {group: sum(stored.lengths(group)) for group in groups}
        yield from portions(groups, sizes.__getitem__, _BYTES)


def write_shard(path: Path, groups: Iterable[pa.Table]) -> None:
    """Write row groups, of which there is at least one, as one file.

    Pictures are compressed already and texts are short: both are stored as they are, so that they can be read by offset.
    """
    following = iter(groups)
    first = next(following)
    arrow = first.schema
    # zstd takes half of the time of packing small pictures, and what it saves of them is nothing beside large ones
    fast = {leaf: "snappy" if codec == "zstd" else codec for leaf, codec in codecs(arrow).items()}
    numbers = [f.name for f in arrow if pa.types.is_primitive(f.type)]
    compression = fast | dict.fromkeys([*BY_OFFSET, *numbers], "none")
    named = [leaf for leaf in compression if leaf not in BY_OFFSET]
    options: dict[str, Any] = {"compression": compression, "use_dictionary": named}
    with pq.ParquetWriter(path, arrow, write_page_index=True, store_schema=True, **options) as writer:
        for group in itertools.chain([first], following):
            writer.write_table(group, row_group_size=len(group))


def _judged(table: pa.Table, judge: CaptionJudge) -> pa.Table:
    """With a verdict on every caption and instruction, and what follows from them."""
    captions = [judge.judge(c) for c in table["captions"].to_pylist()]
    instructions = [judge.judge(_counted(i)) for i in table["instructions"].to_pylist()]
    counts = [flat(c) for c in captions]
    columns = {
        "captions": captions,
        "instructions": instructions,
        "n_captions": [n for n, _ in counts],
        "caption_languages": [languages for _, languages in counts],
    }
    for name, values in columns.items():
        table = _with(table, name, pa.array(values, schema.COLUMNS[name].type))
    answers = trainable(table)
    for name in answers.column_names:
        table = _with(table, name, answers[name])
    return table


def _counted(texts: Sequence[dict[str, Any]] | None) -> list[dict[str, Any]] | None:
    """With their tokens: sources leave them out of instructions."""
    if texts is None:
        return None
    return [t | {"tokens": n} for t, n in zip(texts, count_tokens([t["text"] for t in texts]), strict=True)]


def _with(table: pa.Table, name: str, values: pa.Array | pa.ChunkedArray) -> pa.Table:
    return table.set_column(table.schema.get_field_index(name), name, values)
