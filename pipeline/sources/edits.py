"""Pairs for editing: a list whose rows name the pictures before, what is asked for, and the picture after.

    table: edits.jsonl    {"before": "in/1.png", "ask": "Make it snow", "after": "out/1.png"}
    sources: [before]     the references, one to three
    instructions: [ask]
    target: after         the picture that is an input of the run; its row has task ti2i

Paths are relative to ``root``, the folder of the table unless the config says otherwise, and never lead out of it.
http and https URLs may stand in their place, also beside them in one row; they are downloaded as those of ``urls`` are.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from configs.errors import UserError
from configs.pictures import DecodeError, decode
from pipeline.downloads.canonical import canonical
from pipeline.downloads.reasons import Stopped
from pipeline.sources.base import Reader, Refused, Remark, picture_row, refuse_listed
from pipeline.sources.columns import CaptionColumn, ListedSource, described, texts_in, verify, with_sources
from pipeline.sources.fetched import body_of, name_of
from pipeline.sources.files import is_inside, read_file, uri_of
from pipeline.sources.tables import TableRow, check_table, table_rows
from pipeline.store.ledger import Entry
from pipeline.tokens import finish_captions

if TYPE_CHECKING:
    from configs.pictures import Limits

_REFERENCES = 3
"""As many as training takes (model/condition.py)."""


@dataclass(frozen=True, kw_only=True)
class EditsSource(ListedSource):
    """``table``: .csv, .tsv, .jsonl or Parquet. ``sources``: columns with a path or URL, or a list of them, of the pictures
    before the edit. ``instructions``: columns of texts. ``target``: column with the path or URL of the picture after it.
    ``root``: folder of the paths; null: that of the table."""

    kind: Literal["edits"]
    table: str
    sources: tuple[str, ...]
    instructions: tuple[str | CaptionColumn, ...]
    target: str
    root: str | None = None

    paths = ("table", "root")
    downloads = "some"

    def __post_init__(self) -> None:
        for name in ("sources", "instructions"):
            if not getattr(self, name):
                raise ValueError(f"field '{name}': expected at least one column")

    def check(self, where: str) -> None:
        """Raise UserError naming the field when the table, a column or the folder is not there."""
        if "://" in self.table:
            raise UserError(f"field '{where}.table': expected a local file, found '{self.table}'")
        check_table(self.table, self.all_columns(), f"{where}.table")
        if self.root and not os.path.isdir(self.root):
            raise UserError(f"field '{where}.root': expected a folder; '{self.root}' is none")

    def entries(self, where: str, remark: Remark) -> Iterator[Entry]:
        """Row by row; the uri is the target's path as the table has it, or its canonical URL, the ordinal the row."""
        folder = self.folder()
        for row in table_rows(self.table, self.all_columns(), f"{where}.table"):
            yield self._entry(row, folder)

    def reader(self) -> Reader:
        return _EditsReader(self)

    def urls(self, entry: Mapping[str, Any]) -> Sequence[str]:
        """Those among the pictures of a row; none of a row that listing refused."""
        if entry["refused"]:
            return []
        place = json.loads(entry["place"])
        return [path for path in (place["target"], *place["before"]) if _is_url(path)]

    def instruction_columns(self) -> tuple[CaptionColumn, ...]:
        """``instructions``, each with its source."""
        return with_sources(self.instructions)

    def all_columns(self) -> tuple[str, ...]:
        """Every column that is read, without repeats."""
        asked = (column.column for column in self.instruction_columns())
        return tuple(dict.fromkeys((self.target, *self.sources, *asked, *self.columns())))

    def folder(self) -> bytes:
        """What paths are relative to, without links."""
        return os.path.realpath(os.fsencode(self.root or os.path.dirname(self.table) or "."))

    def _entry(self, row: TableRow, folder: bytes) -> Entry:
        if row.refused:
            return Entry(f"row {row.number}", refused=row.refused, reason="unreadable", ordinal=row.number)
        try:
            target, before = self._pictures(row)
        except Refused as refused:
            uri = row.values.get(self.target)
            uri = uri_of(uri.encode("utf-8", "surrogatepass")) if isinstance(uri, str) and uri else f"row {row.number}"
            return Entry(uri, refused=str(refused), reason=refused.reason, ordinal=row.number)
        local = [path for path in (target, *before) if not _is_url(path)]
        sizes = [_size(os.path.join(folder, os.fsencode(path))) for path in local]
        place = json.dumps({"before": before, "target": target, "values": row.values}, ensure_ascii=True, default=str)
        uri = target if _is_url(target) else uri_of(os.fsencode(target))
        return Entry(uri, sum(sizes), place=place, ordinal=row.number)

    def _pictures(self, row: TableRow) -> tuple[str, list[str]]:
        """(target, references) as the row names them. Raises Refused."""
        (target, *more) = _paths(row.values.get(self.target), self.target) or [""]
        if not target or more:
            raise Refused(
                f"the column '{self.target}' names {'several pictures' if more else 'no picture'}", "incomplete"
            )
        before = [path for column in self.sources for path in _paths(row.values.get(column), column)]
        if not 1 <= len(before) <= _REFERENCES:
            raise Refused(f"{len(before)} pictures before the edit; from 1 to {_REFERENCES} are taken", "incomplete")
        return target, before


def _paths(value: Any, column: str) -> list[str]:
    """The paths and canonical URLs in a cell: one, a list, or none. Raises Refused."""
    found = [path for path in (value if isinstance(value, list) else [value]) if path not in (None, "")]
    for path in found:
        if not isinstance(path, str) or "\0" in path or not _is_name(path):
            raise Refused(f"the column '{column}' holds no path: {str(path)[:60]!r}", "incomplete")
    return [_canonical(path, column) if _is_url(path) else path for path in found]


def _is_url(path: str) -> bool:
    return "://" in path


def _canonical(url: str, column: str) -> str:
    try:
        return str(canonical(url))
    except Stopped as stopped:
        raise Refused(f"the column '{column}' holds {url[:60]!r}: {stopped}", stopped.reason) from None


def _is_name(path: str) -> bool:
    try:
        os.fsencode(path)
    except UnicodeEncodeError:
        return False
    return True


def _size(path: bytes) -> int:
    try:
        return os.stat(path).st_size
    except (OSError, ValueError):
        return 0


def _name(path: str) -> str:
    return name_of(path) if _is_url(path) else os.path.basename(uri_of(os.fsencode(path)))


class _EditsReader(Reader):
    """Reads the pictures of a row. References are decoded, because nothing looks at their pixels before training."""

    def __init__(self, source: EditsSource) -> None:
        self._source = source
        self._folder = b""

    def setup(self) -> None:
        self._folder = self._source.folder()

    def read(self, entry: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
        refuse_listed(entry)
        place = json.loads(entry["place"])
        values, came = place["values"], iter(entry.get("downloads") or ())
        row = picture_row(self._read(place["target"], came, limits), limits)
        verify(self._source, values, row["sha256"])
        row["image"]["path"] = _name(place["target"])
        references = [self._reference(path, came, limits) for path in place["before"]]
        return (
            row
            | described(self._source, values)
            | {
                "origin": "edits",
                "task": "ti2i",
                "references": [reference["image"] for reference in references],
                "ref_sizes": [edge for reference in references for edge in (reference["width"], reference["height"])],
                "instructions": self._instructions(values),
            }
        )

    def _reference(self, path: str, came: Iterator[Mapping[str, Any]], limits: Limits) -> dict[str, Any]:
        try:
            data = self._read(path, came, limits)
            row = picture_row(data, limits)
            decode(data, limits)
        except (Refused, DecodeError) as error:
            reason = error.reason if isinstance(error, Refused) else "undecodable"
            raise Refused(f"the picture before the edit, '{path[-80:]}': {error}", reason) from None
        row["image"]["path"] = _name(path)
        return row

    def _read(self, path: str, came: Iterator[Mapping[str, Any]], limits: Limits) -> bytes:
        """``came``: the downloads of the row, in the order of its URLs."""
        if _is_url(path):
            return body_of(next(came))
        real = os.path.realpath(os.path.join(self._folder, os.fsencode(path)))
        if not is_inside(real, self._folder):
            raise Refused("it lies outside of the folder of the paths; 'root' names another one", "forbidden")
        return read_file(real, limits.max_bytes)

    def _instructions(self, values: Mapping[str, Any]) -> list[dict[str, Any]]:
        found = texts_in(self._source.instruction_columns(), values)
        if not any(instruction["text"] for instruction in found):
            raise Refused("the row has no instruction", "incomplete")
        return finish_captions(found)["captions"]
