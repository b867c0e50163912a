"""The members of a tar archive from its headers alone: nothing is unpacked, no name of a member is ever a path.

    header | data | header | data | ... | two blocks of zeros

Python's tarfile parses each header; the walk is ours, because tarfile reads extended headers of any length into
memory and follows links. Formats: ustar, GNU, pax.
"""

from __future__ import annotations

import os
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from pipeline.sources.files import Root, opened

_BLOCK = tarfile.BLOCKSIZE
_HEADER_LIMIT = 1 << 20
"""Bytes of an extended header, which holds names and numbers; chosen."""
_WITH_DATA = (tarfile.REGTYPE, tarfile.AREGTYPE, tarfile.CONTTYPE)
_WITHOUT_DATA = {
    **dict.fromkeys((tarfile.LNKTYPE, tarfile.SYMTYPE), "a link inside the archive is not followed"),
    **dict.fromkeys((tarfile.CHRTYPE, tarfile.BLKTYPE), "not a regular file: a device"),
    tarfile.FIFOTYPE: "not a regular file: a pipe",
}
_COMPRESSED = (b"\x1f\x8b", b"BZh", b"\xfd7zXZ", b"\x28\xb5\x2f\xfd")
"""How gzip, bzip2, xz and Zstandard begin: members of such an archive cannot be read one by one."""
_CUT = "the archive is cut: it ends before this member does"
_SPARSE = "a sparse file inside an archive is not read"


class DamagedTar(Exception):
    """The archive cannot be read on from here; the message is the short reason."""


@dataclass(frozen=True)
class Member:
    """A file in an archive. ``offset``, ``size``: of its data, in bytes. ``refused``: why it cannot be read."""

    name: bytes
    offset: int
    size: int
    refused: str | None = None

    @property
    def reason(self) -> str:
        """Of ``refused``, from REASONS in store/failures.py."""
        return "unreadable" if self.refused == _CUT else "forbidden"


def members(path: Root) -> Iterator[Member]:
    """Every file in the archive at ``path``, in its order; folders are left out. Raises DamagedTar, OSError."""
    with opened(path) as file:
        walk = _Walk(file)
        while walk.at < walk.end or not walk.at:
            block = walk.block()
            if not any(block):
                return
            if member := walk.member(block):
                yield member
        raise DamagedTar(f"cut: there is no closing block at its end, byte {walk.end}")


@dataclass
class _Names:
    """What extended headers say about the member after them."""

    name: bytes | None = None
    size: int | None = None
    sparse: bool = False


class _Walk:
    """``at``: where the next header begins. ``end``: of the file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._next = _Names()
        self.at = 0
        self.end = file.seek(0, os.SEEK_END)

    def block(self) -> bytes:
        """The next block of a header."""
        self._file.seek(self.at)
        block = self._file.read(_BLOCK)
        if len(block) < _BLOCK:
            raise DamagedTar(_what(block, f"cut at byte {self.at}") if self.end else "the file is empty")
        return block

    def member(self, block: bytes) -> Member | None:
        """The member whose header this is; None for a folder or an extended header. Moves on behind its data."""
        info, start = self._parse(block), self.at
        self.at += _BLOCK
        if info.type in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE, tarfile.XGLTYPE, b"L", b"K"):
            self._extend(info, self._body(info.size, start))
            return None
        said, self._next = self._next, _Names()
        if info.type == tarfile.GNUTYPE_SPARSE:
            self._skip_sparse_map(block)
            said.sparse = True
        name = said.name or info.name.encode("utf-8", "surrogateescape")
        if info.type in _WITHOUT_DATA:
            return Member(name, self.at, 0, _WITHOUT_DATA[info.type])
        if info.type == tarfile.DIRTYPE:
            return None
        size = info.size if said.size is None else said.size
        return self._file_member(name.lstrip(b"/"), size, said.sparse)

    def _file_member(self, name: bytes, size: int, sparse: bool) -> Member:
        offset = self.at
        self.at += -(-size // _BLOCK) * _BLOCK
        refused = _SPARSE if sparse else None
        if offset + size > self.end:
            refused = _CUT
        elif b".." in name.split(b"/"):
            refused = "its name leads out of the archive"
        return Member(name, offset, size, refused)

    def _parse(self, block: bytes) -> tarfile.TarInfo:
        try:
            info = tarfile.TarInfo.frombuf(block, "utf-8", "surrogateescape")
        except (tarfile.HeaderError, ValueError) as error:
            raise DamagedTar(_what(block, f"damaged at byte {self.at}: {error}")) from None
        if info.size < 0:
            raise DamagedTar(f"damaged at byte {self.at}: a size of {info.size}")
        return info

    def _body(self, size: int, start: int) -> bytes:
        """The content of an extended header."""
        if size > _HEADER_LIMIT:
            raise DamagedTar(f"damaged at byte {start}: a header of {size:,} bytes")
        self._file.seek(self.at)
        body = self._file.read(size)
        if len(body) < size:
            raise DamagedTar(f"cut in the header at byte {start}")
        self.at += -(-size // _BLOCK) * _BLOCK
        return body

    def _extend(self, info: tarfile.TarInfo, body: bytes) -> None:
        if info.type == b"L":
            self._next.name = body.partition(b"\0")[0]
        elif info.type in (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE):
            try:
                self._records(dict(_pax_records(body)))
            except ValueError:
                raise DamagedTar(f"damaged at byte {self.at}: an extended header that cannot be read") from None

    def _records(self, records: dict[bytes, bytes]) -> None:
        self._next.sparse |= any(key.startswith(b"GNU.sparse.") for key in records)
        self._next.name = records.get(b"GNU.sparse.name") or records.get(b"path") or self._next.name
        if b"size" in records:
            self._next.size = _number(records[b"size"])

    def _skip_sparse_map(self, block: bytes) -> None:
        """The map of an old GNU sparse file goes on in blocks of its own."""
        more = block[482]
        while more:
            more = self.block()[504]
            self.at += _BLOCK


def _what(block: bytes, otherwise: str) -> str:
    """The reason why a block is no header."""
    return "compressed: unpack it first" if block.startswith(_COMPRESSED) else otherwise


def _pax_records(body: bytes) -> Iterator[tuple[bytes, bytes]]:
    """``27 path=shards/000.jpg\\n`` ...: the length counts itself. Raises ValueError."""
    at = 0
    while at < len(body) and body[at]:
        space = body.index(b" ", at, at + 21)
        end = at + _number(body[at:space])
        if end <= space or end > len(body) or body[end - 1 : end] != b"\n":
            raise ValueError("a record of another length")
        key, _, value = body[space + 1 : end - 1].partition(b"=")
        yield key, value
        at = end


def _number(digits: bytes) -> int:
    if not digits.isdigit() or len(digits) > 20:
        raise ValueError("no number")
    return int(digits)
