"""Reading a dataset: its manifest as a table, its rows by number. Imports pyarrow and NumPy only.

    dataset.json            schema version, digest, names of files; written last, so it says: complete
    manifest/*.parquet  ─>  Dataset.manifest(): one row per sample, in canonical order
    data/*.parquet      ─>  Dataset.read(rows): samples by their number in that order
                        ─>  Dataset.read_pictures(rows), read_texts(rows): their bytes in the file, nothing beside them

Canonical order is shard by shard, as packed; the trainer's order is made of row numbers in it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import pyarrow as pa

from configs.errors import RunFailed, UserError
from configs.storage import ObjectPath, location
from configs.storage.client import before_work, polars_options
from configs.storage.spans import read_spans
from pipeline.parquet import opened, read_row_group, read_schema, read_table
from pipeline.predicate import parse
from pipeline.schema import COLUMNS, RENAMED, SPANS, TRAINABLE, check_version
from pipeline.trainable import shard_columns

if TYPE_CHECKING:
    import polars as pl

INDEX = "dataset.json"
_COMPUTED = (*TRAINABLE, "ref_sizes")
"""Columns that the manifest got with version 1.3 and that follow from the shards."""
_LATER = (*_COMPUTED, *SPANS)


class Pictures(NamedTuple):
    """Encoded pictures of a sample."""

    image: bytes
    references: tuple[bytes, ...]


class Texts(NamedTuple):
    """Valid texts of a sample."""

    captions: tuple[str, ...]
    instructions: tuple[str, ...]


@dataclass(frozen=True)
class Dataset:
    """A packed dataset on disk. ``about`` is the content of dataset.json."""

    path: Path
    about: dict[str, Any]
    remarks = ()
    """Lines on what is left out: a packed dataset's rows are all there."""

    @classmethod
    def open(cls, path: str | Path) -> Dataset:
        """Raises UserError where there is no complete dataset, or one of a newer major schema version."""
        dataset = cls.read_index(location(path))._pinned()
        damage = dataset.damage()
        if damage:
            raise UserError(f"dataset {path}: {damage}; run the command that made it again")
        return dataset

    @classmethod
    def read_index(cls, path: Path) -> Dataset:
        """As ``open``, but the files themselves may be gone or damaged."""
        try:
            about = json.loads((path / INDEX).read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            found = "an unfinished one: run the command that makes it again" if path.is_dir() else "nothing there"
            raise UserError(f"dataset {path}: expected a folder with {INDEX}, found {found}") from None
        except ValueError as error:
            raise UserError(f"dataset {path}: {INDEX} is damaged ({error}); pack the dataset again") from None
        check_version(str(about.get("schema_version")), f"dataset {path}")
        return cls(path, about)

    def damage(self, part: str = "") -> str | None:
        """What is wrong with the files (those of ``part``/): one that is missing or has another size, or None."""
        there = self._files() if self.about.get("files") else {}
        versions = self.about.get("versions_in_store", {})
        for name, size in self.about.get("files", {}).items():
            if not name.startswith(part):
                continue
            if name not in there:
                return f"{name} is missing"
            found = there[name].stat()
            if found.st_size != size:
                return f"{name} has {found.st_size:,} bytes, {size:,} were written"
            if name in versions and versions[name] != getattr(found, "e_tag", None):
                return f"{name} was replaced by another one"
        return None

    def _files(self) -> dict[str, Path]:
        """The files that are there, by their names in dataset.json."""
        folders = {"data": self.data, "manifest": self.path / "manifest"}
        return {f"{name}/{path.name}": path for name, folder in folders.items() for path in folder.glob("*.parquet")}

    def _pinned(self) -> Dataset:
        """With the versions that the shards have now in an object store, so that no others are ever read for them."""
        if not isinstance(self.data, ObjectPath) or "versions_in_store" in self.about:
            return self
        files = {name: path.stat() for name, path in self._files().items() if name.startswith("data/")}
        versions = {name: getattr(stat, "e_tag", None) for name, stat in files.items()}
        return Dataset(self.path, self.about | {"versions_in_store": versions})

    def _version(self, shard: str) -> str | None:
        """Of a shard in an object store, the one that belongs to this dataset."""
        return self.about.get("versions_in_store", {}).get(f"data/{shard}")

    @property
    def data(self) -> Path:
        """The folder of the shards; elsewhere for what a training keeps of a dataset in an object store."""
        return location(self.about["data_in_store"]) if "data_in_store" in self.about else self.path / "data"

    @property
    def digest(self) -> str:
        """sha256 over the sorted sha256 of shard and manifest files: equal for equal datasets."""
        return str(self.about["digest"])

    @property
    def rows(self) -> int:
        """Number of samples."""
        return int(self.about["rows"])

    @property
    def manifest_files(self) -> list[Path]:
        return sorted((self.path / "manifest").glob("*.parquet"))

    @property
    def manifest_schema(self) -> pa.Schema:
        """Raises UserError for a dataset without any rows, which has no files."""
        if not self.manifest_files:
            raise UserError(f"dataset {self.path}: it holds no samples")
        schema = read_schema(self.manifest_files[0])
        for name in (n for n in _LATER if n not in schema.names):
            schema = schema.append(pa.field(name, COLUMNS[name].type))
        return schema

    def manifest(self, columns: Sequence[str] | None = None, where: str | None = None) -> pa.Table:
        """The manifest in canonical order, only ``columns`` if given, only rows for which ``where`` is true.

        Raises UserError for an unknown column or a wrong expression.
        """
        schema = self.manifest_schema
        unknown = sorted(set(columns or ()) - set(schema.names))
        if unknown:
            raise UserError(f"dataset {self.path}: the manifest has no column {', '.join(unknown)}")
        predicate = parse(where, "where") if where else None
        if predicate is not None:
            predicate.arrow(schema)  # says which column is unknown before any is read
        wanted = schema.names if columns is None else list(columns)
        needed = list(dict.fromkeys([*wanted, *(predicate.columns if predicate else ())]))
        table = pa.concat_tables(list(self.manifest_parts(needed)))
        if predicate is not None:
            table = table.filter(predicate.evaluate(table), null_selection_behavior="drop")
        return table.select(wanted)

    def manifest_parts(self, columns: Sequence[str]) -> Iterator[pa.Table]:
        """Columns of the manifest, a table for each of its files in turn: less memory than all at once."""
        for path in self.manifest_files:
            yield self._manifest_file(path, list(columns))

    def _manifest_file(self, path: Path, columns: list[str]) -> pa.Table:
        """Columns of one file; what an older one lacks is computed from its shard."""
        lacking = [n for n in _COMPUTED if n in columns and n not in read_schema(path).names]
        if not lacking:
            return read_table(path, columns=columns)
        shard = self.data / path.name
        place = ["row_group", "row"]
        table = read_table(path, columns=list(dict.fromkeys([*(c for c in columns if c not in lacking), *place])))
        with opened(shard) as file:
            starts = np.cumsum([0, *(file.metadata.row_group(g).num_rows for g in range(file.num_row_groups))])
        rows = starts[table["row_group"].to_numpy()] + table["row"].to_numpy()
        computed = shard_columns(shard, lacking).take(rows)
        for name in lacking:
            table = table.append_column(name, computed[name])
        return table.select(columns)

    def read(self, rows: Sequence[int] | np.ndarray, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """The samples with these numbers, in the order asked for; every row group is read once.

        Shard columns only; decisions are in the manifest. Raises IndexError for a number out of range.
        """
        numbers = self._checked(rows)
        result: list[dict[str, Any] | None] = [None] * len(numbers)
        for shard, group, slots, inside in self._by_row_group(numbers):
            with opened(self.data / shard, self._version(shard)) as file:
                samples = read_row_group(file, group, columns).take(pa.array(inside)).to_pylist()
            for slot, sample in zip(slots, samples, strict=True):
                result[slot] = sample
        return result  # type: ignore[return-value]

    def read_pictures(
        self, rows: Sequence[int] | np.ndarray, references: Sequence[bool] | np.ndarray | None = None
    ) -> list[Pictures]:
        """The pictures of these samples, in the order asked for: one read of the file each, of nothing but its bytes.

        ``references``: of which samples the references are wanted, None: of all. Where a shard was packed before
        offsets were noted, its row groups are read. Raises IndexError as ``read``, RunFailed for a shard that
        does not hold a picture where the manifest says.
        """

        def spans(place: dict[str, Any]) -> list[int] | None:
            if place["image_offset"] is None or (place["ref_sizes"] and not place["ref_spans"]):
                return None
            return [place["image_offset"], place["bytes_len"], *(place["ref_spans"] or ())]

        numbers = self._checked(rows)
        wanted = np.ones(len(numbers), dtype=bool) if references is None else np.asarray(references, dtype=bool)
        places = self._spans("image_offset", "bytes_len", "ref_spans", "ref_sizes").take(numbers).to_pylist()
        found = self._read_spans(
            numbers, [(s if w else s[:2]) if (s := spans(p)) else None for p, w in zip(places, wanted, strict=True)]
        )
        rest = [slot for slot, parts in enumerate(found) if parts is None]
        for slot, sample in zip(rest, self.read(numbers[rest], ["image", "references"]), strict=True):
            more = [r["bytes"] for r in sample["references"] or ()] if wanted[slot] else []
            found[slot] = [sample["image"]["bytes"], *more]
        return [Pictures(parts[0], tuple(parts[1:])) for parts in found if parts is not None]

    def read_texts(self, rows: Sequence[int] | np.ndarray) -> list[Texts]:
        """The valid captions and instructions of these samples, in the order asked for, read as ``read_pictures`` does."""
        numbers = self._checked(rows)
        places = self._spans("text_spans", "n_captions").take(numbers).to_pylist()
        found = self._read_spans(numbers, [p["text_spans"] for p in places])
        result = []
        for place, parts in zip(places, found, strict=True):
            texts = [part.decode() for part in parts or ()]
            result.append(Texts(tuple(texts[: place["n_captions"]]), tuple(texts[place["n_captions"] :])))
        rest = [slot for slot, parts in enumerate(found) if parts is None]
        for slot, sample in zip(rest, self.read(numbers[rest], ["captions", "instructions"]), strict=True):
            captions, instructions = (
                tuple(t["text"] for t in sample[name] or () if not t["invalid"])
                for name in ("captions", "instructions")
            )
            result[slot] = Texts(captions, instructions)
        return result

    def reading_costs(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Of every manifest row: bytes of its picture, references and texts, as far as the manifest tells; a number that
        rows of one row group share; whether its bytes can be read by themselves."""
        table = self._spans("bytes_len", "ref_spans", "text_spans", "image_offset")
        own = table["bytes_len"].to_numpy().astype(np.int64)
        for name in ("ref_spans", "text_spans"):
            own += _listed_lengths(table[name].combine_chunks())
        groups = self._shard_codes().astype(np.int64) * 2**32 + self.places()["row_group"].to_numpy()
        told = np.asarray(table["image_offset"].is_valid()) & np.asarray(table["text_spans"].is_valid())
        return own, groups, told

    def _read_spans(self, numbers: np.ndarray, spans: Sequence[list[int] | None]) -> list[list[bytes] | None]:
        """The bytes at offset, length in turn of each sample's shard; every shard is opened once."""
        result: list[list[bytes] | None] = [[] if pairs == [] else None for pairs in spans]
        by_shard: dict[int, list[int]] = {}
        for slot, code in enumerate(self._shard_codes()[numbers].tolist()):
            if spans[slot]:
                by_shard.setdefault(code, []).append(slot)
        for code, slots in by_shard.items():
            name = self._shard(code)
            found = _values_at(self.data / name, [spans[slot] or () for slot in slots], self._version(name))
            for slot, values in zip(slots, found, strict=True):
                result[slot] = values
        return result

    def _spans(self, *columns: str) -> pa.Table:
        """Columns of every manifest row; read once."""
        cached = self.__dict__.setdefault("_columns", {})  # a cache, not a part of what the dataset is
        if columns not in cached:
            cached[columns] = self.manifest(columns).combine_chunks()
        return cached[columns]

    def _checked(self, rows: Sequence[int] | np.ndarray) -> np.ndarray:
        numbers = np.asarray(rows, dtype=np.int64)
        if numbers.size and (numbers.min() < 0 or numbers.max() >= self.rows):
            raise IndexError(
                f"dataset {self.path}: rows are 0..{self.rows - 1}, asked for {numbers.min()}..{numbers.max()}"
            )
        return numbers

    def _shard(self, code: int) -> str:
        """File name of a shard by its code in ``places``."""
        return self.places()["shard"].chunk(0).dictionary[code].as_py()

    def _shard_codes(self) -> np.ndarray:
        return self.places()["shard"].chunk(0).indices.to_numpy()

    def places(self) -> pa.Table:
        """shard (dictionary), row_group, row of every manifest row; read once."""
        cached = self.__dict__.get("_places")
        if cached is None:
            table = self.manifest(["shard", "row_group", "row"])
            table = table.set_column(0, "shard", table["shard"].combine_chunks().dictionary_encode())
            object.__setattr__(self, "_places", table)  # a cache, not a part of what the dataset is
            cached = table
        return cached

    def _by_row_group(self, numbers: np.ndarray) -> Iterator[tuple[str, int, np.ndarray, np.ndarray]]:
        """(shard, row group, positions in ``numbers``, rows inside the group) for every group touched."""
        if not numbers.size:
            return
        places = self.places()
        shards = places["shard"].combine_chunks()
        codes = np.asarray(shards.indices)[numbers]
        groups = places["row_group"].to_numpy()[numbers]
        inside = places["row"].to_numpy()[numbers]
        order = np.lexsort((inside, groups, codes))
        changes = np.flatnonzero(np.diff(codes[order]) | np.diff(groups[order])) + 1
        for part in np.split(order, changes):
            yield shards.dictionary[int(codes[part[0]])].as_py(), int(groups[part[0]]), part, inside[part]


def _values_at(path: Path, spans: Sequence[Sequence[int]], version: str | None) -> list[list[bytes]]:
    """Of each list of offset, length in turn the values there. Each stands behind its own length, which says that it is
    there."""
    pairs = [(offset - 4, length + 4) for s in spans for offset, length in zip(s[0::2], s[1::2], strict=True)]
    if isinstance(path, ObjectPath):
        read = iter(read_spans(path, pairs, version))
    else:
        with path.open("rb") as file:
            read = iter([os.pread(file.fileno(), length, offset) for offset, length in pairs])
    return [[_value(next(read), path, *span) for span in zip(s[0::2], s[1::2], strict=True)] for s in spans]


def _value(read: bytes, path: Path, offset: int, length: int) -> bytes:
    if len(read) != length + 4 or int.from_bytes(read[:4], "little") != length:
        raise RunFailed(f"{path}: no value of {length:,} bytes at byte {offset:,}; pack the dataset again")
    return read[4:]


def _listed_lengths(spans: pa.Array) -> np.ndarray:
    """(rows,) sum of the lengths in lists of offset, length; 0 for a null."""
    spans = spans.chunk(0) if isinstance(spans, pa.ChunkedArray) else spans
    values = np.concatenate([[0], np.cumsum(spans.values.to_numpy()[1::2])])
    ends = spans.offsets.to_numpy() // 2
    return np.where(np.asarray(spans.is_valid()), values[ends[1:]] - values[ends[:-1]], 0)


def find_dataset(path: Path) -> Dataset:
    """The dataset at ``path``, or that of the run there. Raises UserError as ``Dataset.open``, and for a store that
    cannot be reached."""
    inside = path / "dataset"
    with before_work("dataset"):
        return Dataset.open(inside if not (path / INDEX).exists() and (inside / INDEX).exists() else path)


def scan(path: str | Path) -> pl.LazyFrame:
    """A Polars LazyFrame over the manifest of the dataset at ``path``. Raises UserError as ``Dataset.open``."""
    import polars as pl

    dataset = Dataset.open(path)
    if not dataset.manifest_files:
        raise UserError(f"dataset {dataset.path}: it holds no samples")
    if not isinstance(dataset.path, ObjectPath):
        return pl.scan_parquet(dataset.manifest_files).rename(RENAMED, strict=False)
    files = [str(file) for file in dataset.manifest_files]
    return pl.scan_parquet(files, storage_options=polars_options()).rename(RENAMED, strict=False)
