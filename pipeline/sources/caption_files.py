"""Captions that lie beside pictures: one table for a folder, or a text file for each picture.

photos.tsv:  cat.png <TAB> A cat <TAB> 一只猫        cat.png + cat.txt: one caption a line
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from configs.errors import UserError

TEXT_LIMIT = 1 << 20
"""Bytes of a caption file beside a picture; more is no caption (ours)."""


@dataclass(frozen=True)
class Captions:
    """``texts``: uri within the folder -> captions. ``files``: relative paths that hold captions, no pictures."""

    texts: dict[str, list[str]]
    files: frozenset[bytes] = frozenset()
    table: Path | None = None

    def get(self, uri: str) -> list[str] | None:
        return self.texts.get(uri)

    def owns(self, name: bytes, folder: str) -> bool:
        """Whether this file of the folder holds captions and is therefore no input."""
        if name in self.files:
            return True
        return self.table is not None and os.path.realpath(os.path.join(os.fsencode(folder), name)) == os.fsencode(
            self.table
        )


def read_captions(path: Path, where: str) -> Captions:
    """A .tsv or .csv without header: path within the folder, then one or more captions; paths may repeat.

    Raises UserError for another ending, text that is not UTF-8, or a line without a caption.
    """
    if path.suffix not in (".tsv", ".csv"):
        raise UserError(f"{where}: a .tsv or .csv file or '.txt', found '{path}'")
    texts: dict[str, list[str]] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = csv.reader(file) if path.suffix == ".csv" else (line.rstrip("\r\n").split("\t") for line in file)
            for number, row in enumerate(rows, start=1):
                if not any(row):
                    continue
                good = [text.strip() for text in row[1:] if text.strip()]
                if not good:
                    raise UserError(f"{where}: '{path}' row {number} has no caption: {row[0][:60]!r}")
                texts.setdefault(_uri(row[0]), []).extend(good)
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{where}: '{path}' cannot be read: {error}") from None
    return Captions(texts, table=Path(os.path.realpath(path)))


def beside(folder: str, names: Sequence[bytes]) -> Captions:
    """Captions from ``cat.txt`` beside ``cat.png``; a .txt without a picture stays an input of its own."""
    from pipeline.sources.files import uri_of

    known = set(names)
    texts, files = {}, set()
    for name in names:
        text = os.path.splitext(name)[0] + b".txt"
        if text != name and text in known:
            files.add(text)
            texts[uri_of(name)] = _lines(os.path.join(os.fsencode(folder), text))
    return Captions(texts, frozenset(files))


def _lines(path: bytes) -> list[str]:
    from pipeline.sources.base import Refused
    from pipeline.sources.files import read_file

    try:
        text = read_file(path, TEXT_LIMIT).decode("utf-8-sig", "replace")
    except Refused:  # an empty or unreadable text file is a picture without a caption
        return []
    return [line.strip() for line in text.splitlines() if line.strip()]


def _uri(name: str) -> str:
    from pipeline.sources.files import path_of, uri_of

    return uri_of(path_of(name) if "%" in name else name.encode())
