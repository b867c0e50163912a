"""A list of URLs: text with one a line, or a table with named columns.

    list: pictures.csv     url | alt | license          ──>  fetched once for each canonical URL, in downloads/F.parquet
    url: url                                                  how each ended; the bytes in samples/F like any other
    captions: [alt]

How politely and carefully is the field ``downloads`` of the config (pipeline/downloads/).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from configs.errors import UserError
from configs.pictures import DecodeError, decode
from pipeline.downloads.canonical import canonical
from pipeline.downloads.reasons import Stopped
from pipeline.sources.base import Reader, Refused, Remark, picture_row, refuse_listed
from pipeline.sources.columns import ListedSource, described, verify
from pipeline.sources.fetched import body_of, name_of
from pipeline.sources.repeats import Listed, merged
from pipeline.sources.tables import TableRow, check_table, location_of, table_rows
from pipeline.store.ledger import Entry

if TYPE_CHECKING:
    from configs.pictures import Limits

_LINE_LIMIT = 1 << 16
"""Bytes of a line of a list in text; chosen: no URL is as long."""
_REFERENCES = 3
"""As many as training takes (model/condition.py)."""


@dataclass(frozen=True, kw_only=True)
class UrlsSource(ListedSource):
    """``list``: .txt with a URL a line, or .csv, .tsv, .jsonl, .parquet. ``url``: its column of URLs. ``references``:
    columns with the URLs of pictures that go with it, one to three; such rows have task i2i."""

    kind: Literal["urls"]
    list: str
    url: str = "url"
    references: tuple[str, ...] = ()

    paths = ("list",)
    downloads = True

    def check(self, where: str) -> None:
        """Raise UserError naming the field when the list or a column is not there."""
        if not self._is_text():
            check_table(self.list, self.all_columns(), f"{where}.list")
        elif not location_of(self.list, f"{where}.list").is_file():
            raise UserError(f"field '{where}.list': '{self.list}' is no file")
        elif named := [*self.references, *self.columns()]:
            raise UserError(f"field '{where}.list': a .txt has no columns, '{named[0]}' neither; expected a table")

    def entries(self, where: str, remark: Remark) -> Iterator[Entry]:
        """Row by row; the uri is the canonical URL, the ordinal the row."""
        for row in merged(self._listed(row) for row in self._rows(where)):
            place = None
            if row.key is not None:
                kept = {"values": row.values, "joined": row.joined}
                place = json.dumps(kept, ensure_ascii=True, default=str)
            yield Entry(row.uri, refused=row.refused, reason=row.reason, place=place, ordinal=row.number)

    def reader(self) -> Reader:
        return _UrlsReader(self)

    def urls(self, entry: Mapping[str, Any]) -> Sequence[str]:
        """The picture's URL and those of its references; none of a row that listing refused."""
        if entry["refused"]:
            return []
        return [entry["uri"], *self._references(json.loads(entry["place"])["values"])]

    def all_columns(self) -> tuple[str, ...]:
        """Every column that is read, without repeats."""
        return tuple(dict.fromkeys((self.url, *self.references, *self.columns())))

    def _is_text(self) -> bool:
        return Path(self.list).suffix.lower() == ".txt"

    def _rows(self, where: str) -> Iterator[TableRow]:
        if not self._is_text():
            return table_rows(self.list, self.all_columns(), f"{where}.list")
        return _lines(location_of(self.list, f"{where}.list"), self.url, f"field '{where}.list': '{self.list}'")

    def _listed(self, row: TableRow) -> Listed:
        if row.refused:
            return Listed(row.number, f"row {row.number}", refused=row.refused, reason="unreadable")
        text = row.values.get(self.url)
        if not isinstance(text, str) or not text.strip():
            why = f"row {row.number} of the list has no URL in its column '{self.url}'"
            return Listed(row.number, f"row {row.number}", refused=why, reason="incomplete")
        try:
            url = str(canonical(text))
            count = len(self._references(row.values))
        except Stopped as stopped:
            uri = text.strip()[:1000].encode("utf-8", "backslashreplace").decode()
            return Listed(row.number, uri, refused=str(stopped), reason=stopped.reason)
        if count > _REFERENCES or (self.references and not count):
            why = f"{count} references; from 1 to {_REFERENCES} are taken"
            return Listed(row.number, url, refused=why, reason="incomplete")
        return Listed(row.number, url, url, row.values)

    def _references(self, values: Mapping[str, Any]) -> Sequence[str]:
        """Canonical URLs. Raises Stopped."""
        cells = (values.get(name) for name in self.references)
        texts = (text for cell in cells for text in (cell if isinstance(cell, list) else [cell]))
        return [str(canonical(str(text))) for text in texts if text not in (None, "")]


def _lines(file: Path, column: str, name: str) -> Iterator[TableRow]:
    """A row for each line that is not empty. Raises UserError where the file cannot be read."""
    try:
        with file.open("rb") as lines:
            number = 0
            while line := lines.readline(_LINE_LIMIT):
                text = line.decode("utf-8-sig", "backslashreplace").strip()
                if text:
                    yield TableRow(number, {column: text})
                    number += 1
    except OSError as error:
        raise UserError(f"{name} cannot be read: {error.strerror}") from None


class _UrlsReader(Reader):
    """Makes samples of what was downloaded. References are decoded, because nothing looks at their pixels before
    training."""

    def __init__(self, source: UrlsSource) -> None:
        self._source = source

    def read(self, entry: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
        refuse_listed(entry)
        place = json.loads(entry["place"])
        picture, *references = entry["downloads"]
        row = picture_row(body_of(picture), limits)
        row["image"]["path"] = name_of(entry["uri"])
        verify(self._source, place["values"], row["sha256"])
        row |= described(self._source, place["values"]) | {"origin": "urls"}
        row["captions"] += self._further_captions(row["captions"], place["joined"])
        return row | self._references(references, limits)

    def _further_captions(self, there: list[dict[str, Any]], joined: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """Captions of the rows that repeat this one, without those that it has."""
        known, found = {caption["text"] for caption in there}, []
        for values in joined:
            for caption in described(self._source, values)["captions"]:
                if caption["text"] not in known:
                    known.add(caption["text"])
                    found.append(caption)
        return found

    def _references(self, downloads: list[Mapping[str, Any]], limits: Limits) -> dict[str, Any]:
        rows = [_reference(download, limits) for download in downloads]
        if not rows:
            return {}
        sizes = [edge for row in rows for edge in (row["width"], row["height"])]
        return {"task": "i2i", "references": [row["image"] for row in rows], "ref_sizes": sizes}


def _reference(download: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
    try:
        data = body_of(download)
        row = picture_row(data, limits)
        decode(data, limits)
    except (Refused, DecodeError) as error:
        reason = error.reason if isinstance(error, Refused) else "undecodable"
        raise Refused(f"its reference {download['url'][-200:]}: {error}", reason) from None
    row["image"]["path"] = name_of(download["url"])
    return row
