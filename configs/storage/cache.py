"""A bounded folder of byte ranges that were read from object stores, shared by all processes of a machine.

    FOLDER/ab/ab12...   the bytes, then their CRC-32; named by URL, version and range
    FOLDER/usage        bytes of all of them; whoever adds to it holds its lock

A file appears whole by a rename, one whose checksum is wrong is read anew. When the folder is full, what was used least
lately goes. A cache that cannot be written is done without: that is no reason to stop a training.
"""

from __future__ import annotations

import contextlib
import fcntl
import functools
import hashlib
import os
import tempfile
import time
import uuid
import zlib
from collections.abc import Iterator
from pathlib import Path

_KEPT = 0.9
"""Share of the room that is left in use when room is made; chosen."""
_LARGEST = 0.1
"""Share of the room that one range may take; chosen."""
_ABANDONED = 3600.0
"""Seconds after which a temporary file belongs to a process that was killed; chosen."""


class RangeCache:
    """``room``: bytes of files in ``folder``, at most."""

    def __init__(self, folder: Path, room: int) -> None:
        self.folder, self.room = folder, room
        self._told = False

    def get(self, what: str, length: int) -> bytes | None:
        """The ``length`` bytes that were put as ``what``, or None."""
        path = self._path(what)
        try:
            data = path.read_bytes()
        except OSError:
            return None
        found, check = data[:-4], data[-4:]
        if len(found) != length or zlib.crc32(found).to_bytes(4, "little") != check:
            with contextlib.suppress(OSError):
                path.unlink()
            return None
        with contextlib.suppress(OSError):
            os.utime(path)  # used now
        return found

    def put(self, what: str, data: bytes) -> None:
        """Keep ``data``, unless it is large for this cache or the disk does not take it."""
        if len(data) > _LARGEST * self.room:
            return
        path = self._path(what)
        temporary = path.with_name(f".{path.name}.{uuid.uuid4().hex[:12]}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with self._usage() as usage:
                used = self._make_room(usage.read(), len(data) + 4)
                temporary.write_bytes(data + zlib.crc32(data).to_bytes(4, "little"))
                before = path.stat().st_size if path.exists() else 0
                temporary.replace(path)
                usage.write(used + len(data) + 4 - before)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)
            if not self._told:
                print(
                    f"storage.cache '{self.folder}': cannot be written ({error.strerror}): going on without", flush=True
                )
            self._told = True

    def _make_room(self, used: int | None, size: int) -> int:
        """Bytes in use once ``size`` more fit; ``used``: now, None where nobody knows."""
        if used is not None and used + size <= self.room:
            return used
        files = sorted(self._files())
        used = sum(length for _, length, _ in files)
        for _, length, path in files if used + size > self.room else ():
            if used + size <= _KEPT * self.room:
                break
            path.unlink(missing_ok=True)
            used -= length
        return used

    def _files(self) -> Iterator[tuple[float, int, Path]]:
        """When it was last used, its bytes and path, of every file; what killed processes left is removed."""
        for path in self.folder.glob("??/*"):
            with contextlib.suppress(FileNotFoundError):
                stat = path.stat()
                if path.suffix == ".tmp" and time.time() - stat.st_mtime > _ABANDONED:
                    path.unlink()
                else:
                    yield stat.st_mtime, stat.st_size, path

    @contextlib.contextmanager
    def _usage(self) -> Iterator[_Usage]:
        with (self.folder / "usage").open("a+b") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield _Usage(file.fileno())

    def _path(self, what: str) -> Path:
        name = hashlib.sha256(what.encode()).hexdigest()[:40]
        return self.folder / name[:2] / name


class _Usage:
    """The number in FOLDER/usage, while its lock is held."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self) -> int | None:
        try:
            return int(os.pread(self._descriptor, 32, 0))
        except ValueError:
            return None

    def write(self, used: int) -> None:
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, str(used).encode())  # opened for appending: at the beginning of an empty file


@functools.lru_cache
def range_cache(folder: str | None, gigabytes: float) -> RangeCache | None:
    """The cache of this process; None where there is to be none."""
    return RangeCache(Path(folder) if folder else _default(), int(gigabytes * 10**9)) if gigabytes else None


def _default() -> Path:
    home = Path.home() / ".cache" / "glyphmill" / "objects"
    try:
        home.mkdir(parents=True, exist_ok=True)
        return home
    except OSError:
        return Path(tempfile.gettempdir()) / f"glyphmill-{os.getuid()}" / "objects"
