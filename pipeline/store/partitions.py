"""Records in many files by a number, for what must be brought together and is larger than memory.

add(hash of a record's key) ──> as many files as wanted ──> read one file at a time: equal keys are in the same one
"""

from __future__ import annotations

import pickle
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

_BUFFERED = 50_000
"""Records in memory before they go to their files; chosen."""


class Partitions:
    """Use as a context manager: the files lie in TMPDIR and are gone at the end."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="glyphmill-")
        self._buffers: dict[int, list[Any]] = {}
        self._count = 0
        self._numbers: set[int] = set()

    def __enter__(self) -> Partitions:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._folder.cleanup()

    def add(self, number: int, record: Any) -> None:
        """Put a picklable record into file ``number``."""
        self._buffers.setdefault(number, []).append(record)
        self._count += 1
        if self._count >= _BUFFERED:
            self._flush()

    def numbers(self) -> list[int]:
        """Of the files that have records, in order."""
        return sorted(self._numbers | set(self._buffers))

    def read(self, number: int) -> Iterator[Any]:
        """The records of a file as they were put in."""
        if number in self._numbers:
            with self._path(number).open("rb") as file:
                while True:
                    try:
                        yield from pickle.load(file)
                    except EOFError:
                        break
        yield from self._buffers.get(number, ())

    def _flush(self) -> None:
        for number, records in self._buffers.items():
            with self._path(number).open("ab") as file:
                pickle.dump(records, file, protocol=5)
        self._numbers |= set(self._buffers)
        self._buffers, self._count = {}, 0

    def _path(self, number: int) -> Path:
        return Path(self._folder.name) / str(number)
