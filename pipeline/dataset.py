"""Reading a dataset: its manifest as a table, its rows by number. Imports pyarrow and NumPy only.

    dataset.json            schema version, digest, names of files; written last, so it says: complete
    manifest/*.parquet  ─>  Dataset.manifest(): one row per sample, in canonical order
    data/*.parquet      ─>  Dataset.read(rows): samples by their number in that order

Canonical order is shard by shard, as packed; the trainer's order is made of row numbers in it.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from configs.errors import UserError
from pipeline.parquet import opened, read_row_group, read_schema, read_table
from pipeline.predicate import parse
from pipeline.schema import RENAMED, check_version

if TYPE_CHECKING:
    import polars as pl

INDEX = "dataset.json"


@dataclass(frozen=True)
class Dataset:
    """A packed dataset on disk. ``about`` is the content of dataset.json."""

    path: Path
    about: dict[str, Any]

    @classmethod
    def open(cls, path: str | Path) -> Dataset:
        """Raises UserError where there is no complete dataset, or one of a newer major schema version."""
        dataset = cls.read_index(Path(path))
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
        for name, size in self.about.get("files", {}).items():
            path = self.path / name
            if name.startswith(part) and not path.exists():
                return f"{name} is missing"
            if name.startswith(part) and path.stat().st_size != size:
                return f"{name} has {path.stat().st_size:,} bytes, {size:,} were written"
        return None

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
        return read_schema(self.manifest_files[0])

    def manifest(self, columns: Sequence[str] | None = None, where: str | None = None) -> pa.Table:
        """The manifest in canonical order, only ``columns`` if given, only rows for which ``where`` is true.

        Raises UserError for an unknown column or a wrong expression.
        """
        schema = self.manifest_schema
        unknown = sorted(set(columns or ()) - set(schema.names))
        if unknown:
            raise UserError(f"dataset {self.path}: the manifest has no column {', '.join(unknown)}")
        predicate = parse(where, "where") if where else None
        needed = None if columns is None else [*dict.fromkeys([*columns, *(predicate.columns if predicate else ())])]
        table = pa.concat_tables([read_table(f, columns=needed) for f in self.manifest_files])
        if predicate is not None:
            table = table.filter(predicate.evaluate(table), null_selection_behavior="drop")
        return table if columns is None else table.select(list(columns))

    def read(self, rows: Sequence[int] | np.ndarray, columns: Sequence[str] | None = None) -> list[dict[str, Any]]:
        """The samples with these numbers, in the order asked for; every row group is read once.

        Shard columns only; decisions are in the manifest. Raises IndexError for a number out of range.
        """
        numbers = np.asarray(rows, dtype=np.int64)
        if numbers.size and (numbers.min() < 0 or numbers.max() >= self.rows):
            raise IndexError(
                f"dataset {self.path}: rows are 0..{self.rows - 1}, asked for {numbers.min()}..{numbers.max()}"
            )
        result: list[dict[str, Any] | None] = [None] * len(numbers)
        for shard, group, slots, inside in self._by_row_group(numbers):
            with opened(self.path / "data" / shard) as file:
                samples = read_row_group(file, group, columns).take(pa.array(inside)).to_pylist()
            for slot, sample in zip(slots, samples, strict=True):
                result[slot] = sample
        return result  # type: ignore[return-value]

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


def scan(path: str | Path) -> pl.LazyFrame:
    """A Polars LazyFrame over the manifest of the dataset at ``path``. Raises UserError as ``Dataset.open``."""
    import polars as pl

    dataset = Dataset.open(path)
    if not dataset.manifest_files:
        raise UserError(f"dataset {dataset.path}: it holds no samples")
    return pl.scan_parquet(dataset.manifest_files).rename(RENAMED, strict=False)
