"""A folder of pictures, with everything that a folder may hold.

Every file is an input, whatever its name ends with, but for the configured globs and caption files.
What cannot be opened is listed with the reason and ends in failures/. Paths are bytes throughout:
a name need not be UTF-8. The uri is the path within the folder, percent-encoded where it is not
plain text, so that it does not depend on where the folder lies.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from configs.errors import UserError
from pipeline.sources.base import Reader, Refused, picture_row
from pipeline.sources.caption_files import Captions, beside, read_captions
from pipeline.sources.files import _inside, _is_folder, _kind, _why, path_of, read_file, uri_of
from pipeline.store.ledger import Entry

if TYPE_CHECKING:
    from configs.pictures import Limits

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
