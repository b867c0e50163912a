"""A source of many files that one pattern names: ``/data/shards/*.tar``, ``/data/**/*.parquet``."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from pathlib import Path

from configs.errors import UserError
from pipeline.sources.files import is_inside

_WILD = frozenset("*?[")


def root_of(pattern: str) -> bytes:
    """The folder that holds all files of the pattern, whatever it matches: names are given within it."""
    parts = Path(pattern).parts
    fixed = next((i for i, part in enumerate(parts) if _WILD & set(part)), len(parts) - 1)
    return os.fsencode(Path(*parts[:fixed])) if fixed else b"."


def names_of(pattern: str) -> list[bytes]:
    """The files of the pattern, as paths within ``root_of``, in the order of their bytes."""
    root = root_of(pattern)
    found = (path for path in glob.iglob(pattern, recursive=True) if os.path.isfile(path))
    return sorted({os.path.relpath(os.fsencode(path), root) for path in found})


def check_files(pattern: str, field: str, what: str) -> None:
    """Raise UserError naming ``field`` where no file matches; ``what``: of files one looks for."""
    if "://" in pattern:
        raise UserError(f"field '{field}': expected local files, found '{pattern}'")
    if not any(os.path.isfile(path) for path in glob.iglob(pattern, recursive=True)):
        raise UserError(f"field '{field}': expected {what}; no file matches '{pattern}'")


def may_match(pattern: str, path: Path) -> bool:
    """Whether files somewhere below ``path`` could match."""
    root = os.path.realpath(root_of(pattern))
    return "**" in pattern and is_inside(os.fsencode(os.path.realpath(path)), root)


def show(names: list[bytes]) -> Iterator[str]:
    """Names as text for a remark: how many, and the first."""
    first = os.fsdecode(names[0])
    yield f"'{first}'" if len(names) == 1 else f"{len(names)} files, the first '{first}'"
