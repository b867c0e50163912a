"""A folder of pictures, with everything that a folder may hold.

Every file is an input, whatever its name ends with, but for the configured globs and caption files.
What cannot be opened is listed with the reason and ends in failures/. Paths are bytes throughout:
a name need not be UTF-8. The uri is the path within the folder, percent-encoded where it is not
plain text, so that it does not depend on where the folder lies.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from configs.errors import UserError
from configs.files import refuse_url
from configs.storage.paths import is_url
from pipeline.sources.base import Reader, Refused, Remark, Source, picture_row, refuse_listed
from pipeline.sources.caption_files import CaptionReader, texts_beside
from pipeline.sources.caption_table import CaptionTable
from pipeline.sources.caption_text import captions_of, check_encoding
from pipeline.sources.files import is_folder, is_inside, kind_of, path_of, read_file, reason_of, refused_by, uri_of
from pipeline.store.ledger import Entry

if TYPE_CHECKING:
    from configs.pictures import Limits

_OUTSIDE = "a link that leads outside the folder; 'follow_links: true' reads it"
_IGNORED = (".*", "Thumbs.db", "desktop.ini", "__MACOSX")


@dataclass(frozen=True)
class FolderSource(Source):
    """``path``: the folder. ``captions``: a .tsv or .csv file (path within the folder, caption, caption ...), or
    ``.txt`` for text files of the same name beside each picture, one caption a line. ``encoding``: of the captions.
    ``ignore``: globs on the names of files and folders that are no inputs. ``follow_links``: also read what links lead
    to outside the folder. ``domain``: nature, design, people; null when unknown."""

    kind: Literal["folder"]
    path: str
    captions: str | None = None
    license: str = "unknown"
    domain: Literal["nature", "design", "people"] | None = None
    ignore: tuple[str, ...] = _IGNORED
    follow_links: bool = False
    encoding: str = "utf-8"

    paths = ("path",)
    looks_again = True

    def __post_init__(self) -> None:
        check_encoding(self.encoding)

    def check(self, where: str) -> None:
        """Raise UserError naming the field when the folder or the captions are not there."""
        refuse_url(self.path, f"field '{where}.path':")
        if not os.path.isdir(self.path):
            found = "is a file" if os.path.exists(self.path) else "does not exist"
            raise UserError(f"field '{where}.path': expected a folder of pictures; '{self.path}' {found}")
        if self.captions and self.captions != ".txt" and not os.path.isfile(self.captions):
            raise UserError(f"field '{where}.captions': a .tsv or .csv file or '.txt'; '{self.captions}' is no file")

    def holds(self, path: Path) -> bool:
        """Whether ``path`` lies inside the folder, under no ignored name."""
        if is_url(path):
            return False
        root, inside = os.path.realpath(self.path), os.path.realpath(path)
        if not is_inside(os.fsencode(inside), os.fsencode(root)):
            return False
        names = Path(os.path.relpath(inside, root)).parts
        return not any(fnmatchcase(name, glob) for name in names for glob in self.ignore)

    def entries(self, where: str, remark: Remark) -> Iterator[Entry]:
        """All inputs by the bytes of their path; at most the names of one folder at each level are in memory."""
        walk, count = _Walk(self), 0
        table, texts = None, CaptionReader(self.encoding)
        if self.captions not in (None, ".txt"):
            table = CaptionTable(Path(self.captions), f"field '{where}.captions'", walk.root, self.encoding)
        for file in walk.files():
            uri, path = uri_of(file.path), os.path.join(walk.root, file.path)
            if table and table.is_at(path, file.link):
                continue
            count += 1
            size, refused = walk.look(path, file.link)
            captions, faults = walk.captions(file, texts)
            taken = table.take(uri) if table else captions or None
            error, reason = (str(refused), refused.reason) if refused else (None, None)
            yield Entry(uri, size, taken, error, reason, refused_captions=faults or None)
        if not count:
            raise UserError(f"field '{where}.path': there are no files in '{self.path}'")
        for line in (*walk.remarks(), *texts.remarks(), *(_unused(table) if table else ())):
            remark(line)

    def reader(self) -> Reader:
        return _FolderReader(self)


class _FolderReader(Reader):
    """Reads one file of the folder and the header of its picture."""

    def __init__(self, source: FolderSource) -> None:
        self.source = source
        self._root = os.path.realpath(os.fsencode(source.path))

    def read(self, entry: Mapping[str, Any], limits: Limits) -> dict[str, Any]:
        refuse_listed(entry)
        path = os.path.join(self._root, path_of(entry["uri"]))
        if not self.source.follow_links and not is_inside(os.path.realpath(path), self._root):
            raise Refused(_OUTSIDE, "forbidden")
        row = picture_row(read_file(path, limits.max_bytes), limits)
        row.update(origin="folder", license=self.source.license, domain=self.source.domain)
        row["image"]["path"] = entry["uri"].rsplit("/", 1)[-1]
        row["captions"] = captions_of(entry["captions"] or (), entry.get("refused_captions") or ())
        return row


def _unused(table: CaptionTable) -> Iterator[str]:
    count, first = table.left()
    if count:
        many = "1 caption belongs" if count == 1 else f"{count} captions belong"
        yield f"{many} to no file, the first to '{first}'"


class _Node(NamedTuple):
    """What a folder holds. ``path`` is relative to the root and ends with ``/`` where it is a folder."""

    path: bytes
    above: tuple[bytes, ...] | None = None
    """Of a folder: where the links that led to it point, the root first."""
    link: bool = False
    texts: tuple[_Node, ...] = ()
    """The text files beside it that hold its captions."""


class _Walk:
    """One pass over the folder; counts what it leaves out."""

    def __init__(self, source: FolderSource) -> None:
        self.source = source
        self.root = os.path.realpath(os.fsencode(source.path))
        self._ignored = 0
        self._links = 0
        self._closed: list[str] = []

    def files(self) -> Iterator[_Node]:
        """Every input, in the order of the bytes of the paths.

        A folder takes its place among its siblings as ``name/``: ``a.png`` sorts before what is in ``a``.
        """
        pending = [_Node(b"", (self.root,))]
        while pending:
            node = pending.pop()
            if node.above is None:
                yield node
            else:
                pending += sorted(self._children(node.path, node.above), reverse=True)

    def look(self, path: bytes, link: bool) -> tuple[int | None, Refused | None]:
        """(bytes, why it cannot be read) of a file."""
        try:
            info = os.stat(path)
        except OSError as error:
            return None, refused_by(error)
        if link and not self.source.follow_links and not is_inside(os.path.realpath(path), self.root):
            return None, Refused(_OUTSIDE, "forbidden")
        if not stat.S_ISREG(info.st_mode):
            return None, Refused(f"not a regular file: {kind_of(info.st_mode)}", "forbidden")
        return info.st_size, None

    def captions(self, file: _Node, reader: CaptionReader) -> tuple[list[str], list[str]]:
        """(captions, codes of faults) of the text files beside a file."""
        captions: list[str] = []
        faults: list[str] = []
        for text in file.texts:
            path = os.path.join(self.root, text.path)
            refused = self.look(path, text.link)[1]
            lines, fault = reader.read(path, text.path, str(refused) if refused else None)
            captions += lines
            faults += [fault] if fault else []
        return captions, faults

    def remarks(self) -> Iterator[str]:
        """What was left out, for the user."""
        yield from (f"the folder '{name}' cannot be opened" for name in self._closed)
        if self._ignored:
            yield f"{self._ignored} files or folders match 'ignore' and are no inputs"
        if self._links == 1:
            yield "1 link to a folder is not followed: it leads outside or in a circle"
        elif self._links:
            yield f"{self._links} links to folders are not followed: they lead outside or in a circle"

    def _children(self, folder: bytes, above: tuple[bytes, ...]) -> list[_Node]:
        try:
            with os.scandir(os.path.join(self.root, folder)) as entries:
                nodes = [node for entry in entries if (node := self._node(folder + entry.name, entry, above))]
        except OSError as error:
            self._closed.append(f"{uri_of(folder.rstrip(b'/')) or '.'}: {reason_of(error)}")
            return []
        return _with_texts(nodes) if self.source.captions == ".txt" else nodes

    def _node(self, path: bytes, entry: os.DirEntry[bytes], above: tuple[bytes, ...]) -> _Node | None:
        """None where the entry is left out."""
        if any(fnmatchcase(os.fsdecode(entry.name), glob) for glob in self.source.ignore):
            self._ignored += 1
            return None
        if entry.is_dir(follow_symlinks=False):
            return _Node(path + b"/", above)
        link = entry.is_symlink()
        if not (link and is_folder(entry)):
            return _Node(path, link=link)
        target = os.path.realpath(entry.path)
        if self.source.follow_links and not any(is_inside(up, target) for up in above):
            return _Node(path + b"/", (*above, target))
        self._links += 1
        return None


def _with_texts(nodes: list[_Node]) -> list[_Node]:
    """The nodes of a folder without the text files that hold captions of the files beside them, which have them."""
    files = {node.path: node for node in nodes if node.above is None}
    beside = texts_beside(files)
    texts = {text for found in beside.values() for text in found}
    return [
        node._replace(texts=tuple(files[t] for t in beside.get(node.path, ())))
        for node in nodes
        if node.path not in texts
    ]
