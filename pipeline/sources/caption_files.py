"""Captions that lie beside pictures: one table for a folder, or a text file for each picture.

photos.tsv:  cat.png <TAB> A cat <TAB> 一只猫        cat.png + cat.txt: one caption a line
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator
from pathlib import Path

from configs.errors import UserError
from pipeline.sources.base import Refused
from pipeline.sources.files import path_of, read_file, uri_of
from pipeline.store.spill import temporary_database

_TEXT_LIMIT = 1 << 20
"""Bytes of a text file beside a picture; a larger one is no caption; chosen."""


class CaptionTable:
    """A .tsv or .csv file without header: path within the folder, then one or more captions; paths may repeat.

    Raises UserError for another ending, text that is not UTF-8, or a line without a caption.
    """

    def __init__(self, path: Path, where: str) -> None:
        self._path = os.path.realpath(os.fsencode(path))
        self._texts = temporary_database()
        self._texts.execute("CREATE TABLE captions (uri TEXT, text TEXT)")
        self._texts.executemany("INSERT INTO captions VALUES (?, ?)", _read_table(path, where))
        self._texts.execute("CREATE INDEX by_uri ON captions (uri)")

    def take(self, uri: str) -> list[str] | None:
        """The captions of a file in the order of the table; None where it has none. Each can be taken once."""
        found = self._texts.execute("SELECT text FROM captions WHERE uri = ? ORDER BY rowid", (uri,)).fetchall()
        if not found:
            return None
        self._texts.execute("DELETE FROM captions WHERE uri = ?", (uri,))
        return [text for (text,) in found]

    def left(self) -> tuple[int, str | None]:
        """How many files of the table were never asked for, and the first of them by name."""
        return self._texts.execute("SELECT count(DISTINCT uri), min(uri) FROM captions").fetchone()

    def is_at(self, path: bytes, link: bool) -> bool:
        """Whether the file at ``path`` is this table, which is no input of the folder it may lie in."""
        # Asking the file system about every input is slow: a file of another name is the table only through a link.
        named_so = link or os.path.basename(path) == os.path.basename(self._path)
        return named_so and os.path.realpath(path) == self._path


def text_file_of(path: bytes) -> bytes:
    """``cat.txt`` for ``cat.png``: where the captions of a picture would lie."""
    return os.path.splitext(path)[0] + b".txt"


def read_lines(path: bytes) -> list[str]:
    """The captions in a text file, one a line; none where it is empty or cannot be read."""
    try:
        text = read_file(path, _TEXT_LIMIT).decode("utf-8-sig", "replace")
    except Refused:
        return []
    return [line.strip() for line in text.splitlines() if line.strip()]


def _read_table(path: Path, where: str) -> Iterator[tuple[str, str]]:
    """(uri, caption) of every caption."""
    if path.suffix not in (".tsv", ".csv"):
        raise UserError(f"{where}: a .tsv or .csv file or '.txt', found '{path}'")
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file) if path.suffix == ".csv" else (line.rstrip("\r\n").split("\t") for line in file)
            for number, row in enumerate(rows, start=1):
                if not any(row):
                    continue
                good = [text.strip() for text in row[1:] if text.strip()]
                if not good:
                    raise UserError(f"{where}: '{path}' row {number} has no caption: {row[0][:60]!r}")
                uri = _uri(row[0])
                yield from ((uri, text) for text in good)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{where}: '{path}' cannot be read: {error}") from None


def _uri(name: str) -> str:
    return uri_of(path_of(name) if "%" in name else name.encode())
