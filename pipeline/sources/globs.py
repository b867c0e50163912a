"""A source of many files that one pattern names: ``/data/shards/*.tar``, ``/data/**/*.parquet``."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from pathlib import Path

from configs.errors import UserError
from configs.storage import ObjectPath, location
from pipeline.sources.files import Root, is_inside

_WILD = frozenset("*?[")


def root_of(pattern: str) -> Root:
    """The folder that holds all files of the pattern, whatever it matches: names are given within it."""
    if isinstance(whole := location(pattern), ObjectPath):
        fixed = next((i for i, part in enumerate(whole.parts) if _WILD & set(part)), len(whole.parts) - 1)
        return ObjectPath(*whole.parts[: max(fixed, 2)])
    parts = Path(pattern).parts
    fixed = next((i for i, part in enumerate(parts) if _WILD & set(part)), len(parts) - 1)
    return os.fsencode(Path(*parts[:fixed])) if fixed else b"."


def names_of(pattern: str) -> list[bytes]:
    """The files of the pattern, as paths within ``root_of``, in the order of their bytes."""
    root = root_of(pattern)
    if isinstance(root, ObjectPath):
        return sorted(os.fsencode(name) for name in _objects(root, location(pattern).parts[len(root.parts) :]))
    found = (path for path in glob.iglob(pattern, recursive=True) if os.path.isfile(path))
    return sorted({os.path.relpath(os.fsencode(path), root) for path in found})


def check_files(pattern: str, field: str, what: str) -> None:
    """Raise UserError naming ``field`` where no file matches; ``what``: of files one looks for."""
    try:
        distant = isinstance(root_of(pattern), ObjectPath)
    except UserError as error:
        raise UserError(f"field '{field}': {error}") from None
    if not (names_of(pattern) if distant else _any_file(pattern)):
        raise UserError(f"field '{field}': expected {what}; no file matches '{pattern}'")


def may_match(pattern: str, path: Path) -> bool:
    """Whether files somewhere below ``path`` could match."""
    try:
        where = root_of(pattern)
    except UserError:  # ``check_files`` tells
        return False
    if isinstance(path, ObjectPath) or isinstance(where, ObjectPath):
        return "**" in pattern and isinstance(where, ObjectPath) and (where == path or where in path.parents)
    root = os.path.realpath(where)
    return "**" in pattern and is_inside(os.fsencode(os.path.realpath(path)), root)


def _any_file(pattern: str) -> bool:
    return any(os.path.isfile(path) for path in glob.iglob(pattern, recursive=True))


def _objects(root: ObjectPath, parts: Sequence[str]) -> Iterator[str]:
    """Names within ``root`` that match, by one listing of it."""
    found = root.iterdir() if len(parts) == 1 else root.rglob("*")
    for path in found:
        names = path.parts[len(root.parts) :]
        if _matches(names, parts) and path.is_listed_file:
            yield "/".join(names)


def _matches(names: Sequence[str], parts: Sequence[str]) -> bool:
    """As glob does: ``**`` is any number of folders, and a name that begins with a dot is meant only by one that does."""
    if not parts or not names:
        return not parts and not names
    if parts[0] == "**":
        return any(_matches(names[i:], parts[1:]) for i in range(len(names)))
    hidden = names[0].startswith(".") and not parts[0].startswith(".")
    return not hidden and fnmatchcase(names[0], parts[0]) and _matches(names[1:], parts[1:])


def show(names: list[bytes]) -> Iterator[str]:
    """Names as text for a remark: how many, and the first."""
    first = os.fsdecode(names[0])
    yield f"'{first}'" if len(names) == 1 else f"{len(names)} files, the first '{first}'"
