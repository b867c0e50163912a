"""Parquet files of pictures, as the Hugging Face hub and image data sets have them: a row is an input.

    data/*.parquet:  image {bytes, path} or bytes | caption | license    ──>  train-00000.parquet/17 ...

Listing reads footers. A file whose image column is missing or of another type has its rows listed as refused: files
of one pattern may drift. Reading goes through a row group a few rows at a time, so that no row group is ever whole
in memory.
"""

from __future__ import annotations

import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pyarrow as pa
import pyarrow.parquet as pq

from configs.errors import UserError, one_line
from pipeline.parquet import source_of
from pipeline.sources import globs
from pipeline.sources.base import Reader, Refused, Remark, picture_row, refuse_listed
from pipeline.sources.cells import cell
from pipeline.sources.columns import ListedSource, described, verify
from pipeline.sources.files import Root, path_of, size_of, uri_of, within
from pipeline.store.ledger import Entry

if TYPE_CHECKING:
    from configs.pictures import Limits

_BATCH = 16
"""Rows that are decoded at once; chosen."""


@dataclass(frozen=True, kw_only=True)
class ParquetSource(ListedSource):
    """``files``: a glob of Parquet files, local or in an object store. ``image``: a column of bytes, or of Hugging Face's images, whose
    pictures are embedded. ``captions``, ``license``, ``keep``, ``sha256``: further columns."""

    kind: Literal["parquet"]
    files: str
    image: str = "image"

    paths = ("files",)

    def check(self, where: str) -> None:
        """Raise UserError naming the field when there are no files, or none has such a column."""
        globs.check_files(self.files, f"{where}.files", "Parquet files")

    def holds(self, path: Path) -> bool:
        return globs.may_match(self.files, path)

    def entries(self, where: str, remark: Remark) -> Iterator[Entry]:
        """Row by row, files by the bytes of their names."""
        listing = _Listing(self)
        for name in globs.names_of(self.files):
            yield from listing.file(name)
        listing.check(where)
        for line in listing.remarks():
            remark(line)

    def reader(self) -> Reader:
        return _ParquetReader(self)


class _Listing:
    """One pass over the footers; notes which files lack which columns."""

    def __init__(self, source: ParquetSource) -> None:
        self._source = source
        self._root = globs.root_of(source.files)
        self._files = 0
        self._columns: set[str] = set()
        self._lacking: dict[str, list[bytes]] = {}

    def file(self, name: bytes) -> Iterator[Entry]:
        uri = uri_of(name)
        try:
            footer, arrow = _footer(within(self._root, name))
        except (pa.ArrowException, OSError, ValueError) as error:
            yield Entry(uri, refused=f"no Parquet file, or a damaged one: {_line(error)}", reason="unreadable")
            return
        self._files += 1
        self._columns |= set(arrow.names)
        for column in self._source.columns():
            if column not in arrow.names:
                self._lacking.setdefault(column, []).append(name)
        refused = _refusal(arrow, self._source.image)
        size = _bytes_of_row(footer, arrow, self._source.image)
        for row in range(footer.num_rows):
            yield Entry(f"{uri}/{row}", size, refused=refused, reason="incomplete" if refused else None, ordinal=0)

    def check(self, where: str) -> None:
        """Raise UserError for a column that no file has."""
        for column in (self._source.image, *self._lacking) if self._files else ():
            if column not in self._columns:
                there = ", ".join(sorted(self._columns))
                raise UserError(f"field '{where}': no file has a column '{column}'; there are: {there}")

    def remarks(self) -> Iterator[str]:
        for column, names in self._lacking.items():
            yield f"the column '{column}' is missing in {next(globs.show(names))}"


def _footer(path: Root) -> tuple[pq.FileMetaData, pa.Schema]:
    """Raises ValueError for a footer that claims more rows than the file has bytes: no picture takes less."""
    footer = pq.read_metadata(source_of(path))
    size = size_of(path)
    if not 0 <= footer.num_rows <= size:
        raise ValueError(f"its footer claims {footer.num_rows:,} rows in {size:,} bytes")
    return footer, footer.schema.to_arrow_schema()


def _refusal(arrow: pa.Schema, column: str) -> str | None:
    """Why no row of a file with this schema is a picture; None where its image column is one."""
    if column not in arrow.names:
        return f"its file has no column '{column}'"
    type_ = arrow.field(column).type
    if pa.types.is_struct(type_):
        inner = [type_.field(i) for i in range(type_.num_fields) if type_.field(i).name == "bytes"]
        type_ = inner[0].type if inner else type_
    if pa.types.is_binary(type_) or pa.types.is_large_binary(type_) or pa.types.is_binary_view(type_):
        return None
    return f"the column '{column}' of its file holds no pictures but {type_}"


def _bytes_of_row(footer: pq.FileMetaData, arrow: pa.Schema, column: str) -> int | None:
    """Mean bytes of the image column in a row: fragments are cut by it."""
    total = 0
    for group in range(footer.num_row_groups):
        of_group = footer.row_group(group)
        for i in range(of_group.num_columns):
            if of_group.column(i).path_in_schema.split(".")[0] == column:
                total += max(of_group.column(i).total_uncompressed_size, 0)
    return min(total // footer.num_rows, 1 << 62) if total and footer.num_rows else None


class _ParquetReader(Reader):
    """Reads rows of a file one after the other; going back, or to another file, begins anew."""

    def __init__(self, source: ParquetSource) -> None:
        self._source, self._root = source, globs.root_of(source.files)
        self._name = ""
        self._rows: _Rows | None = None

    def read(self, entry: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
        refuse_listed(entry)
        name, _, row = entry["uri"].rpartition("/")
        values = self._rows_of(name).take(int(row))
        data = values[self._source.image]
        if isinstance(data, dict):
            data = data["bytes"]
        if not data:
            raise Refused("the row has no bytes of a picture", "incomplete")
        found = picture_row(data, limits)
        verify(self._source, values, found["sha256"])
        return found | described(self._source, values) | {"origin": "parquet"}

    def _rows_of(self, name: str) -> _Rows:
        if self._rows is None or self._name != name:
            path = within(self._root, path_of(name))
            try:
                self._rows = _Rows(path, self._source.image, self._source.columns())
            except (pa.ArrowException, OSError) as error:
                raise Refused(f"its file cannot be read: {_line(error)}") from None
            self._name = name
        return self._rows


class _Rows:
    """Rows of one file by number. Raises Arrow's errors where it cannot be opened."""

    def __init__(self, path: Root, image: str, columns: Sequence[str]) -> None:
        # With a buffer, pages are read as they are needed; without, a column of a row group is read whole.
        self._file = pq.ParquetFile(source_of(path), buffer_size=1 << 20)
        footer, arrow = self._file.metadata, self._file.schema_arrow
        self._starts = [0]
        for group in range(footer.num_row_groups):
            self._starts.append(self._starts[-1] + footer.row_group(group).num_rows)
        inner = ".bytes" if pa.types.is_struct(arrow.field(image).type) else ""
        self._columns = [image + inner, *(c for c in columns if c in arrow.names and c != image)]
        self._batches: Iterator[pa.RecordBatch] = iter(())
        self._group, self._first = -1, 0
        self._batch: pa.RecordBatch | None = None
        self._broken: dict[int, tuple[int, str]] = {}

    def take(self, row: int) -> dict[str, Any]:
        """Column -> value or CaptionFault, of a struct the fields that are read. Raises Refused."""
        if not 0 <= row < self._starts[-1]:
            raise Refused("its file has changed since it was listed: the row is gone", "mismatch")
        group = bisect.bisect_right(self._starts, row) - 1
        first, reason = self._broken.get(group, (row + 1, ""))
        if row >= first:
            raise Refused(reason)
        try:
            batch = self._batch_with(group, row)
        except (pa.ArrowException, OSError) as error:
            at = self._first + (len(self._batch) if self._batch else 0)
            self._broken[group] = (at, f"damaged from row {at} of its file: {_line(error)}")
            raise Refused(self._broken[group][1]) from None
        return {name: cell(batch.column(name), row - self._first) for name in batch.schema.names}

    def _batch_with(self, group: int, row: int) -> pa.RecordBatch:
        if group != self._group or row < self._first:
            self._batches = self._file.iter_batches(_BATCH, row_groups=[group], columns=self._columns)
            self._group, self._first, self._batch = group, self._starts[group], None
        while self._batch is None or row >= self._first + len(self._batch):
            self._first += len(self._batch) if self._batch else 0
            self._batch = None
            self._batch = next(self._batches)
        return self._batch


def _line(error: BaseException) -> str:
    return one_line(error)[:200]
