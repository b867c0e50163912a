"""Files as inputs: their canonical uri, and reading them without leaving the folder."""

from __future__ import annotations

import errno
import os
import re
import stat
import urllib.parse
from typing import BinaryIO, cast

from configs.storage import ObjectPath
from pipeline.sources.base import Refused

_NO_CHARACTERS = "".join(chr(plane << 16 | low) for plane in range(15) for low in (0xFFFE, 0xFFFF))
_ENCODED = re.compile(
    r"[%\x00-\x1f\x7f-\xa0\xad\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u1680\u180e\u2000-\u200f"
    r"\u2028-\u202f\u205f-\u206f\u3000\ud800-\uf8ff\ufdd0-\ufdef\ufeff\ufff9-\ufffb"
    r"\U000110bd\U000110cd\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    r"\U000e0000-\U000e00ff\U000e01f0-\U0010ffff" + _NO_CHARACTERS + "]"
)
"""Characters that a uri spells as %XX: controls, formats, spaces but the common one, private ones, no characters.

Written out, because ids depend on it: ``str.isprintable`` knows other characters in every version of Python.
"""

Root = bytes | ObjectPath
"""A path as the bytes that the system has, or a URL."""
_READ = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC

EMPTY = "the file is empty"
"""Why a file without bytes is refused."""


def uri_of(path: bytes) -> str:
    """A relative path as text: UTF-8 stays readable; other bytes, control characters and % become %XX."""
    text = path.decode("utf-8", "surrogateescape")
    return _ENCODED.sub(lambda found: urllib.parse.quote(_bytes(found[0]), safe=""), text)


def path_of(uri: str) -> bytes:
    """The inverse of ``uri_of``."""
    return urllib.parse.unquote_to_bytes(uri)


def read_file(path: bytes, max_bytes: int) -> bytes:
    """The content of a regular file of at most ``max_bytes``; never waits for a pipe. Raises Refused."""
    try:
        descriptor = os.open(path, _READ)
    except OSError as error:
        raise refused_by(error) from None
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise Refused(f"not a regular file: {kind_of(mode)}", "forbidden")
        try:
            data = file.read(max_bytes + 1)  # one byte more than allowed shows that the file is too large
        except OSError as error:
            raise refused_by(error) from None
    if not data:
        raise Refused(EMPTY, "undecodable")
    if len(data) > max_bytes:
        raise Refused(f"larger than limits.max_bytes = {max_bytes}", "too_large")
    return data


def within(root: Root, name: bytes) -> Root:
    """The file ``name`` in a folder."""
    return root / os.fsdecode(name) if isinstance(root, ObjectPath) else os.path.join(root, name)


def opened(path: Root) -> BinaryIO:
    """A file for reading from its beginning. Raises OSError."""
    return cast(BinaryIO, path.open("rb")) if isinstance(path, ObjectPath) else open(path, "rb")


def size_of(path: Root) -> int:
    """Bytes of a file; 0 where there is none."""
    try:
        return path.stat().st_size if isinstance(path, ObjectPath) else os.stat(path).st_size
    except (OSError, ValueError):
        return 0


class SpanFile:
    """A file of which parts are read; never waits for a pipe. Raises OSError where it cannot be opened."""

    def __init__(self, path: Root) -> None:
        self._object = path.open("rb") if isinstance(path, ObjectPath) else None
        self._descriptor = -1 if isinstance(path, ObjectPath) else os.open(path, _READ)

    def size(self) -> int:
        """Bytes that it has now; of an object, that it had when it was opened."""
        return self._object.seek(0, os.SEEK_END) if self._object else os.fstat(self._descriptor).st_size

    def read_at(self, offset: int, size: int) -> bytes:
        """Raises Refused."""
        try:
            if self._object:
                self._object.seek(offset)
                data = self._object.read(size)
            else:
                data = os.pread(self._descriptor, size, offset)
        except OSError as error:
            raise refused_by(error) from None
        if len(data) < size:
            raise Refused("the archive ends before this member does")
        return data

    def close(self) -> None:
        if self._object:
            self._object.close()
        else:
            os.close(self._descriptor)


def is_folder(entry: os.DirEntry[bytes]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def is_inside(path: bytes, folder: bytes) -> bool:
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")


def _bytes(character: str) -> bytes:
    return character.encode("utf-8", "surrogateescape")


def refused_by(error: OSError) -> Refused:
    """What an error of the file system means for an input."""
    return Refused(reason_of(error), "missing" if error.errno == errno.ENOENT else "unreadable")


def reason_of(error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return "there is nothing: a dangling link, or the file is gone"
    return f"cannot be read: {(error.strerror or str(error)).lower()}"


def kind_of(mode: int) -> str:
    kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    return kinds.get(stat.S_IFMT(mode), "a folder" if stat.S_ISDIR(mode) else "something else")
