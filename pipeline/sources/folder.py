"""A folder of pictures, with everything that a folder may hold.

Every file is an input, whatever its name ends with, but for the configured globs and caption files.
What cannot be opened is listed with the reason and ends in failures/. Paths are bytes throughout:
a name need not be UTF-8. The uri is the path within the folder, percent-encoded where it is not
plain text, so that it does not depend on where the folder lies.
"""

from __future__ import annotations

import errno
import os
import stat
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from configs.errors import UserError
from pipeline.sources.base import Reader, Refused
from pipeline.sources.captions import Captions, beside, read_captions
from pipeline.store.ledger import Entry

if TYPE_CHECKING:
    from pipeline.decode import Limits

IGNORED = (".*", "Thumbs.db", "desktop.ini", "__MACOSX")


@dataclass(frozen=True)
class FolderSource:
    """``path``: the folder. ``captions``: a .tsv or .csv file (path within the folder, caption, caption ...), or
    ``.txt`` for a text file of the same name beside each picture, one caption a line. ``ignore``: globs on the names
    of files and folders that are no inputs. ``follow_links``: also read what links lead to outside the folder.
    ``domain``: nature, design, people; null when unknown."""

    kind: Literal["folder"]
    name: str
    path: str
    captions: str | None = None
    license: str = "unknown"
    domain: Literal["nature", "design", "people"] | None = None
    ignore: tuple[str, ...] = IGNORED
    follow_links: bool = False

    def check(self, where: str) -> None:
        """Raise UserError naming the field when the folder or the captions are not there."""
        if not os.path.isdir(self.path):
            found = "is a file" if os.path.exists(self.path) else "does not exist"
            raise UserError(f"field '{where}.path': a folder of pictures is wanted; '{self.path}' {found}")
        if self.captions and self.captions != ".txt" and not os.path.isfile(self.captions):
            raise UserError(f"field '{where}.captions': a .tsv or .csv file or '.txt'; '{self.captions}' is no file")

    def holds(self, path: Path) -> bool:
        """Whether files of ``path`` would be inputs: it lies inside the folder, under no ignored name."""
        root, inside = os.path.realpath(self.path), os.path.realpath(path)
        if not _inside(os.fsencode(inside), os.fsencode(root)):
            return False
        names = Path(os.path.relpath(inside, root)).parts
        return not any(fnmatchcase(name, glob) for name in names for glob in self.ignore)

    def entries(self, where: str) -> tuple[list[Entry], list[str]]:
        """All inputs in canonical order (bytes of the path), and remarks for the user. Raises UserError."""
        walk = _Walk(self)
        files = sorted(walk.files())
        captions, remarks = self._captions(where, [name for name, _, _ in files])
        entries = [
            Entry(uri_of(name), size, captions.get(uri_of(name)), refused)
            for name, size, refused in files
            if not captions.owns(name, self.path)
        ]
        if not entries:
            raise UserError(f"field '{where}.path': there are no files in '{self.path}'")
        return entries, walk.remarks() + remarks

    def _captions(self, where: str, names: list[bytes]) -> tuple[Captions, list[str]]:
        if self.captions is None:
            return Captions({}), []
        if self.captions == ".txt":
            return beside(self.path, names), []
        captions = read_captions(Path(self.captions), f"field '{where}.captions'")
        unused = sorted(set(captions.texts) - {uri_of(name) for name in names})
        if not unused:
            return captions, []
        many = "1 caption belongs" if len(unused) == 1 else f"{len(unused)} captions belong"
        return captions, [f"{many} to no file, the first to '{unused[0]}'"]

    def reader(self) -> Reader:
        return FolderReader(self)


class FolderReader(Reader):
    """Reads one file of the folder and the header of its picture."""

    def __init__(self, source: FolderSource) -> None:
        self.source = source

    def read(self, entry: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
        if entry["refused"]:
            raise Refused(entry["refused"])
        path = os.path.join(os.fsencode(self.source.path), path_of(entry["uri"]))
        row = picture_row(read_file(path, limits.max_bytes), limits)
        row.update(origin="folder", license=self.source.license, domain=self.source.domain)
        row["image"]["path"] = entry["uri"].rsplit("/", 1)[-1]
        row["captions"] = [{"text": text, "source": "raw"} for text in entry["captions"] or ()]
        return row


def picture_row(data: bytes, limits: Limits) -> dict[str, Any]:
    """The columns that the bytes of a picture tell by themselves. Raises Refused or DecodeError."""
    import hashlib

    from pipeline.decode import probe

    header = probe(data, limits)
    return {
        "image": {"bytes": data, "path": None},
        "width": header.width,
        "height": header.height,
        "orientation": header.orientation,
        "format": header.format,
        "bytes_len": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "task": "t2i",
    }


def uri_of(path: bytes) -> str:
    """A relative path as text: UTF-8 stays readable; other bytes, control characters and % become %XX."""
    text = path.decode("utf-8", "surrogateescape")
    return "".join(c if c.isprintable() and c != "%" else urllib.parse.quote(_bytes(c), safe="") for c in text)


def path_of(uri: str) -> bytes:
    """The inverse of ``uri_of``."""
    return urllib.parse.unquote_to_bytes(uri)


def read_file(path: bytes, max_bytes: int) -> bytes:
    """The content of a regular file of at most ``max_bytes``; never waits for a pipe. Raises Refused."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise Refused(_why(error)) from None
    with os.fdopen(descriptor, "rb") as file:
        mode = os.fstat(descriptor).st_mode
        if not stat.S_ISREG(mode):
            raise Refused(f"not a regular file: {_kind(mode)}")
        try:
            data = file.read(max_bytes + 1)  # one more than allowed tells an endless file from a full one
        except OSError as error:
            raise Refused(_why(error)) from None
    if not data:
        raise Refused("the file is empty")
    if len(data) > max_bytes:
        raise Refused(f"larger than limits.max_bytes = {max_bytes}")
    return data


class _Walk:
    """One pass over the folder; counts what it leaves out."""

    def __init__(self, source: FolderSource) -> None:
        self.source = source
        self.root = os.path.realpath(os.fsencode(source.path))
        self.ignored = 0
        self.links = 0
        self.closed: list[str] = []

    def files(self) -> list[tuple[bytes, int | None, str | None]]:
        """(relative path, bytes, why it cannot be read) of every input, in no order."""
        found: list[tuple[bytes, int | None, str | None]] = []
        pending: list[tuple[bytes, tuple[bytes, ...]]] = [(b"", (self.root,))]
        while pending:
            folder, above = pending.pop()
            for entry in self._scan(folder):
                name = os.path.join(folder, entry.name)
                if any(fnmatchcase(os.fsdecode(entry.name), glob) for glob in self.source.ignore):
                    self.ignored += 1
                elif entry.is_dir(follow_symlinks=False):
                    pending.append((name, above))
                elif entry.is_symlink() and _is_folder(entry):
                    target = os.path.realpath(entry.path)
                    if self.source.follow_links and not any(_inside(up, target) for up in above):
                        pending.append((name, (*above, target)))
                    else:
                        self.links += 1
                else:
                    found.append((name, *self._look(entry)))
        return found

    def remarks(self) -> list[str]:
        """What was left out, for the user."""
        lines = [f"the folder '{name}' cannot be opened" for name in self.closed]
        if self.ignored:
            lines.append(f"{self.ignored} files or folders match 'ignore' and are no inputs")
        if self.links == 1:
            lines.append("1 link to a folder is not followed: it leads outside or in a circle")
        elif self.links:
            lines.append(f"{self.links} links to folders are not followed: they lead outside or in a circle")
        return lines

    def _scan(self, folder: bytes) -> list[os.DirEntry[bytes]]:
        try:
            with os.scandir(os.path.join(self.root, folder)) as entries:
                return list(entries)
        except OSError as error:
            self.closed.append(f"{uri_of(folder) or '.'}: {_why(error)}")
            return []

    def _look(self, entry: os.DirEntry[bytes]) -> tuple[int | None, str | None]:
        try:
            info = entry.stat()
        except OSError as error:
            return None, _why(error)
        if entry.is_symlink() and not self.source.follow_links and not _inside(os.path.realpath(entry.path), self.root):
            return None, "a link that leads outside the folder; 'follow_links: true' reads it"
        if not stat.S_ISREG(info.st_mode):
            return None, f"not a regular file: {_kind(info.st_mode)}"
        return info.st_size, None


def _is_folder(entry: os.DirEntry[bytes]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False


def _inside(path: bytes, folder: bytes) -> bool:
    return path == folder or path.startswith(folder.rstrip(b"/") + b"/")


def _bytes(character: str) -> bytes:
    return character.encode("utf-8", "surrogateescape")


def _why(error: OSError) -> str:
    if error.errno == errno.ENOENT:
        return "there is nothing: a dangling link, or the file is gone"
    return f"cannot be read: {(error.strerror or str(error)).lower()}"


def _kind(mode: int) -> str:
    kinds = {stat.S_IFIFO: "a pipe", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}
    return kinds.get(stat.S_IFMT(mode), "a folder" if stat.S_ISDIR(mode) else "something else")
