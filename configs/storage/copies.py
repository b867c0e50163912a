"""Objects that a command reads several times, each asked for once and kept on this disk until the command ends."""

from __future__ import annotations

import tempfile
from pathlib import Path

from configs.storage.paths import ObjectPath

_BYTES = 1 << 32
"""On this disk, of all objects together; chosen: what decisions read of ten million rows."""


class LocalCopies:
    """Those of one reader, gone with it. ``most``: bytes; what goes beyond is asked for each time."""

    def __init__(self, most: int = _BYTES) -> None:
        self._left, self._count, self._there = most, 0, dict[ObjectPath, Path]()
        self._folder: tempfile.TemporaryDirectory[str] | None = None

    def read(self, path: ObjectPath) -> Path | bytes:
        """A file with the content of an object, or the content. Raises FileNotFoundError."""
        if path in self._there:
            return self._there[path]
        data = path.read_bytes()
        if len(data) > self._left:
            return data
        self._left -= len(data)
        self._folder = self._folder or tempfile.TemporaryDirectory(prefix="glyphmill-")
        self._count += 1
        copy = Path(self._folder.name) / f"{self._count}"
        copy.write_bytes(data)
        self._there[path] = copy
        return copy

    def forget(self, path: Path) -> None:
        """``path`` is another object now."""
        if isinstance(path, ObjectPath) and (copy := self._there.pop(path, None)):
            self._left += copy.stat().st_size
            copy.unlink()
