"""One table of captions for a folder: path within the folder, then one or more captions; paths may repeat.

photos.tsv:  cat.png <TAB> A cat <TAB> 一只猫          photos.csv:  cat.png,"A cat, asleep"
"""

from __future__ import annotations

import os
import unicodedata
import urllib.parse
from collections.abc import Iterator
from pathlib import Path

from configs.errors import UserError
from pipeline.sources.caption_text import is_misread, is_utf8
from pipeline.sources.delimited import delimited_rows
from pipeline.sources.files import uri_of
from pipeline.store.spill import temporary_database


class CaptionTable:
    """A .tsv or .csv file without header, in ``encoding``, of the captions of the files under ``folder``.

    A name is taken as it stands; where no such file is, with %XX decoded or its letters composed otherwise.
    Raises UserError naming the line for another ending, text that is not of the encoding, quotes that do not
    balance, or a row without a caption.
    """

    def __init__(self, path: Path, where: str, folder: bytes, encoding: str = "utf-8") -> None:
        self._path = os.path.realpath(os.fsencode(path))
        self._folder = folder
        self._texts = temporary_database()
        self._texts.execute("CREATE TABLE captions (uri TEXT, text TEXT)")
        rows = ((self._uri(name), text) for name, texts in _read_table(path, where, encoding) for text in texts)
        self._texts.executemany("INSERT INTO captions VALUES (?, ?)", rows)
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

    def _uri(self, name: str) -> str:
        names = _spellings(name)
        there = (n for n in names if os.path.lexists(os.path.join(self._folder, n)))
        return uri_of(next(there, names[0]) if len(names) > 1 else names[0])


def _spellings(name: str) -> list[bytes]:
    """The names of files that ``name`` may mean, as it stands first; one for nearly all names."""
    literal = name.encode()
    decoded = urllib.parse.unquote_to_bytes(name) if "%" in name else literal
    texts = [n.decode("utf-8", "surrogateescape") for n in (literal, decoded)]
    composed = [unicodedata.normalize(form, text) for form in ("NFC", "NFD") for text in texts if not text.isascii()]
    found = dict.fromkeys((literal, decoded, *(c.encode("utf-8", "surrogateescape") for c in composed)))
    return [n for n in found if b"\0" not in n]


def _read_table(path: Path, where: str, encoding: str) -> Iterator[tuple[str, list[str]]]:
    """(name, captions) of every row."""
    if path.suffix not in (".tsv", ".csv"):
        raise UserError(f"{where}: a .tsv or .csv file or '.txt', found '{path}'")
    for number, row in delimited_rows(path, f"{where}: '{path}'", encoding):
        texts = [text.strip() for text in row[1:] if text.strip()]
        if not texts or not row[0]:
            lacks = "caption" if row[0] else "name of a file"
            raise UserError(
                f"{where}: '{path}' row {number} has no {lacks}: {(row[0] or ' '.join(row).strip())[:60]!r}"
            )
        if is_utf8(encoding) and any(map(is_misread, texts)):
            why = "is UTF-8 by chance only and reads as GB18030: 'encoding: gb18030' reads it"
            raise UserError(f"{where}: '{path}' row {number} {why}")
        yield row[0], texts
