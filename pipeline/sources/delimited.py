"""Lines of .csv and .tsv files, read strictly: every row is a row, whatever its quotes say.

Raises UserError naming the line for text that is not of the encoding, or quotes that do not balance.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from configs.errors import UserError
from pipeline.sources.caption_text import strict_name

_LINE_LIMIT = 1 << 24
"""Characters of a line or of a quoted field; what is longer is no table of texts; chosen."""

_ROW = re.compile(r"[^,\"]+\.(jpe?g|png|webp|gif|bmp|tiff?|avif|jp2|ppm|heic|jxl),", re.IGNORECASE)
"""How a row begins. A line that does so inside of quotes was swallowed by a quote that nobody closed."""

_UNDECODED = re.compile("[\ud800-\udfff]")
"""What the file's error handler puts in the place of bytes that are not of the encoding."""


def delimited_rows(path: Path, where: str, encoding: str = "utf-8") -> Iterator[tuple[int, list[str]]]:
    """(number of its first line, fields) of every row that is not empty. ``where`` names the file in errors."""
    try:
        with path.open(encoding=strict_name(encoding), errors="surrogateescape", newline="") as file:
            lines = _lines(file, where, encoding)
            rows = _csv_rows(lines, where) if path.suffix.lower() == ".csv" else _tsv_rows(lines)
            yield from ((number, row) for number, row in rows if any(row))
    except (OSError, UnicodeError) as error:
        raise UserError(f"{where} cannot be read: {error}") from None


def _lines(file: TextIO, where: str, encoding: str) -> Iterator[str]:
    """The lines with their ends. Raises UserError for the first that is no text."""
    number = 0
    while line := file.readline(_LINE_LIMIT):
        number += 1
        if "\0" in line:
            raise UserError(f"{where} row {number} holds NUL characters: no text, or another encoding than {encoding}")
        if _UNDECODED.search(line):
            raise UserError(f"{where} row {number} is not {encoding}: 'encoding' names another one, or mend the row")
        if len(line) == _LINE_LIMIT:
            raise UserError(f"{where} row {number} is longer than {_LINE_LIMIT:,} characters: no table of texts")
        yield line


def _tsv_rows(lines: Iterator[str]) -> Iterator[tuple[int, list[str]]]:
    for number, line in enumerate(lines, start=1):
        yield number, line.rstrip("\r\n").split("\t")


def _csv_rows(lines: Iterator[str], where: str) -> Iterator[tuple[int, list[str]]]:
    """A quote that is not closed must not swallow the rows after it."""
    csv.field_size_limit(_LINE_LIMIT)
    reader = csv.reader(lines, strict=True)
    begin = 1
    try:
        for row in reader:
            if reader.line_num > begin and any(_ROW.match(part) for field in row for part in field.splitlines()[1:]):
                raise csv.Error("a quoted text goes on over lines that are rows themselves")
            yield begin, row
            begin = reader.line_num + 1
    except csv.Error as error:
        raise UserError(f"{where} row {begin}: quotes do not balance: {error}; a quote inside is doubled") from None
