"""Reading parts of an object: a file that asks for what is read of it."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

from configs.storage.client import asking

if TYPE_CHECKING:
    from obstore.store import ObjectStore

_TAIL = 1 << 18
"""Bytes at the end of an object that are read first: the footer of a Parquet file, and all of a small one. Chosen: that
of a part of a ledger is 0.2 MB."""


class RangeFile(io.RawIOBase):
    """A binary file over an object. Opening it is one request, which brings its end; each further read is one, too.

    Raises FileNotFoundError where there is no object. All reads are of the version that was there when it was opened.
    """

    def __init__(self, store: ObjectStore, key: str, name: str) -> None:
        self._store, self._key, self.name = store, key, name
        with asking(name):
            found = store.get(key, options={"range": {"suffix": _TAIL}})
            self._tail = found.bytes().to_bytes()
        self.size, self.e_tag = found.meta["size"], found.meta["e_tag"]
        self._start, self._at = self.size - len(self._tail), 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self.size}[whence]
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        end = self.size if size is None or size < 0 else min(self._at + size, self.size)
        data = self._between(self._at, end) if end > self._at else b""
        self._at += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        data = self.read(len(buffer))
        buffer[: len(data)] = data
        return len(data)

    def _between(self, start: int, end: int) -> bytes:
        if start >= self._start:
            return self._tail[start - self._start : end - self._start]
        with asking(self.name):
            found = self._store.get(
                self._key, options={"range": (start, min(end, self._start)), "if_match": self.e_tag}
            )
            return found.bytes().to_bytes() + (self._tail[: end - self._start] if end > self._start else b"")
