"""``ObjectPath``: an object, or what begins with its name, as a Path.

It is a ``pathlib.Path`` so that code which names, lists and reads files need not know where they lie. Whatever would hand
its name to the operating system is refused in one line (``__fspath__``): a URL never becomes a local file by accident.
universal_pathlib has such paths, too; they know no conditional writes, are no Paths, and ask the store more often.
"""

from __future__ import annotations

import datetime
import fnmatch
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path, PosixPath
from typing import IO, TYPE_CHECKING, Any, NamedTuple

from configs.errors import RunFailed, UserError
from configs.storage.client import asking, bucket_of
from configs.storage.config import StorageConfig, storage_in_use, use_storage
from configs.storage.fence import check_fence
from configs.storage.ranges import RangeFile

if TYPE_CHECKING:
    from obstore import ObjectMeta, PutResult, UpdateVersion
    from obstore.store import ObjectStore

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)", re.DOTALL)
_BUFFER = 1 << 20
"""Bytes that a file which is read from its beginning asks for at once; chosen."""
_SCHEMES = ("s3", "gs", "az")


class ObjectStat(NamedTuple):
    """What a store tells about an object: bytes, seconds since 1970, and what changes with its content."""

    st_size: int
    st_mtime: float
    e_tag: str | None
    update: UpdateVersion
    """What replaces just this version."""


def location(path: str | Path) -> Path:
    """A path on a disk, or in an object store where ``path`` is a URL. Raises UserError for a URL of another kind.

    A Path has made one slash of the two of a URL; both are read.
    """
    if isinstance(path, ObjectPath):
        return path
    found = _URL.fullmatch(str(path))
    if not found:
        return Path(path)
    scheme, rest = found[1].lower(), found[2].strip("/")
    if scheme not in _SCHEMES:
        kinds = ", ".join(f"{known}://" for known in _SCHEMES)
        raise UserError(f"'{scheme}://{rest}': expected a local path, or a URL that begins with {kinds}")
    if not rest or {"", ".", ".."} & set(rest.split("/")):
        raise UserError(f"'{scheme}://{rest}': expected {scheme}://BUCKET/NAME, without empty parts, '.' and '..'")
    return ObjectPath(f"{scheme}:/{rest}")


def is_url(path: str | Path) -> bool:
    """Whether ``path`` names something elsewhere, of whatever scheme."""
    return isinstance(path, ObjectPath) or _URL.fullmatch(str(path)) is not None


class ObjectPath(PosixPath):
    """``s3://bucket/key``. There are no folders in a store: one is there while something lies in it."""

    def __str__(self) -> str:
        if not self.parts or not self.parts[0].endswith(":"):  # relative to another one: a name within it
            return "/".join(self.parts)
        return f"{self.parts[0]}//{'/'.join(self.parts[1:])}"

    def __repr__(self) -> str:
        return f"ObjectPath('{self}')"

    def __fspath__(self) -> str:
        raise UserError(f"'{self}': expected a local path, found a URL; this cannot lie in an object store")

    def __reduce__(self) -> Any:
        return _restored, (str(self), storage_in_use())

    @property
    def store(self) -> ObjectStore:
        return bucket_of(self.parts[0].rstrip(":"), self.parts[1])

    @property
    def key(self) -> str:
        """The name within the bucket."""
        return "/".join(self.parts[2:])

    def absolute(self) -> ObjectPath:
        return self

    def resolve(self, strict: bool = False) -> ObjectPath:
        return self

    def is_absolute(self) -> bool:
        return True

    def stat(self, *, follow_symlinks: bool = True) -> ObjectStat:  # type: ignore[override]
        """Raises FileNotFoundError."""
        listed = self.__dict__.get("_listed")
        return listed if listed is not None else self.stat_now()

    def stat_now(self) -> ObjectStat:
        """As ``stat``, asked anew of a path that came from a listing."""
        with asking(str(self)):
            return _stat(self.store.head(self.key))

    @property
    def is_listed_file(self) -> bool:
        """Of a path from a listing, whether it is an object and not the beginning of others' names."""
        return "_listed" in self.__dict__

    def is_file(self) -> bool:
        try:
            self.stat()
        except FileNotFoundError:
            return False
        return True

    def is_dir(self) -> bool:
        if "_is_folder" in self.__dict__:  # a listing said so
            return True
        with asking(str(self)):
            return next(iter(self.store.list(self.key or None, chunk_size=1)), None) is not None

    def exists(self) -> bool:
        return (bool(self.key) and self.is_file()) or self.is_dir()

    def is_symlink(self) -> bool:
        return False

    def read_bytes(self) -> bytes:
        """Raises FileNotFoundError."""
        with asking(str(self)):
            return bytes(self.store.get(self.key).bytes())

    def read_version(self) -> tuple[bytes, UpdateVersion]:
        """The content, and what replaces just this version of it (``writing.put_if``). Raises FileNotFoundError."""
        with asking(str(self)):
            found = self.store.get(self.key)
            return bytes(found.bytes()), version_of(found.meta)

    def read_text(self, encoding: str | None = None, errors: str | None = None) -> str:  # type: ignore[override]
        return self.read_bytes().decode(encoding or "utf-8", errors or "strict")

    def download(self, to: Path) -> None:
        """Write the content to a file of this disk. Raises FileNotFoundError."""
        with asking(str(self)), to.open("wb") as file:
            for chunk in self.store.get(self.key).stream():
                file.write(chunk)

    def ranges(self, e_tag: str | None = None) -> RangeFile:
        """For reading parts. ``e_tag``: the version that is meant. Raises FileNotFoundError, RunFailed for another one."""
        file = RangeFile(self.store, self.key, str(self))
        if e_tag is not None and file.e_tag != e_tag:
            raise RunFailed(f"{self}: was replaced by another one; put it back, or begin anew with what is there now")
        return file

    def open(self, mode: str = "r", *args: Any, **kwargs: Any) -> IO[Any]:  # type: ignore[override]
        """For reading, by requests of ``_BUFFER`` bytes; objects are written by ``configs.files``."""
        if mode not in ("r", "rb"):
            self.__fspath__()
        buffered = io.BufferedReader(self.ranges(), _BUFFER)
        return buffered if mode == "rb" else io.TextIOWrapper(buffered, **{"encoding": "utf-8"} | kwargs)

    def iterdir(self) -> Iterator[ObjectPath]:  # type: ignore[override]
        """What lies here, by one listing; sizes come with it."""
        with asking(str(self)):
            found = self.store.list_with_delimiter(self.key or None)
        for prefix in found["common_prefixes"]:
            folder = self / prefix.rstrip("/").rpartition("/")[2]
            folder.__dict__["_is_folder"] = True
            yield folder
        yield from (self._within(meta) for meta in found["objects"])

    def glob(self, pattern: str, **kwargs: Any) -> Iterator[ObjectPath]:  # type: ignore[override]
        """By one listing, of everything below where the pattern has several parts."""
        parts = pattern.split("/")
        if len(parts) == 1:
            yield from (path for path in self.iterdir() if fnmatch.fnmatchcase(path.name, pattern))
            return
        for path in self._below():
            names = path.parts[len(self.parts) :]
            if len(names) == len(parts) and all(map(fnmatch.fnmatchcase, names, parts)):
                yield path

    def rglob(self, pattern: str, **kwargs: Any) -> Iterator[ObjectPath]:  # type: ignore[override]
        """Objects, not folders, whose last name matches."""
        yield from (path for path in self._below() if fnmatch.fnmatchcase(path.name, pattern))

    def mkdir(self, mode: int = 0o777, parents: bool = False, exist_ok: bool = False) -> None:
        """Nothing to do: a folder is there once something lies in it."""

    def unlink(self, missing_ok: bool = False) -> None:
        check_fence(self)
        with asking(str(self)):
            self.store.delete(self.key)

    def rename(self, target: ObjectPath) -> ObjectPath:  # type: ignore[override]
        """Copied within the store, then removed: ``target`` appears whole."""
        check_fence(self)
        with asking(str(target)):
            self.store.copy(self.key, target.key)
            self.store.delete(self.key)
        return target

    def remove_below(self) -> None:
        """Remove everything that lies here."""
        remove_objects(list(self._below()))

    def _below(self) -> Iterator[ObjectPath]:
        with asking(str(self)):
            for metas in self.store.list(self.key or None, chunk_size=1000):
                yield from (self._within(meta) for meta in metas)

    def _within(self, meta: ObjectMeta) -> ObjectPath:
        path = ObjectPath(*self.parts[:2], meta["path"])
        path.__dict__["_listed"] = _stat(meta)
        return path


def remove_objects(paths: Sequence[ObjectPath]) -> None:
    """Remove objects of one bucket, all of them inside the same fence."""
    if paths:
        check_fence(paths[0])
        with asking(str(paths[0].parent)):
            paths[0].store.delete([path.key for path in paths])


def _restored(url: str, config: StorageConfig) -> Path:
    """Of a pickled path. The process that reads it reaches the store as the one that wrote it did."""
    use_storage(config)
    return location(url)


def _stat(meta: ObjectMeta) -> ObjectStat:
    modified: datetime.datetime = meta["last_modified"]
    return ObjectStat(meta["size"], modified.timestamp(), meta["e_tag"], version_of(meta))


def version_of(told: ObjectMeta | PutResult) -> UpdateVersion:
    """What names just this version of an object in a condition: stores have one of the two, or both."""
    found: UpdateVersion = {}
    if told["e_tag"] is not None:
        found["e_tag"] = told["e_tag"]
    if told["version"] is not None:
        found["version"] = told["version"]
    return found
