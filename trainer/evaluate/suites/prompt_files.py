"""Prompt files that a user names: read strictly, one clear line for what is missing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from configs import UserError


def named_file(prompts: Mapping[str, str], suite: str, what: str) -> Path:
    """The file or folder that the config or --prompts names for ``suite``. Raises UserError where there is none."""
    if suite not in prompts:
        raise UserError(f"suite {suite}: needs its prompt files by path: --prompts PATH ({what})")
    path = Path(prompts[suite])
    if not path.exists():
        raise UserError(f"suite {suite}: --prompts {path}: does not exist; {what} is needed")
    return path


def files_of(path: Path, suffix: str) -> list[tuple[str, Path]]:
    """(prefix of ids, file): the file itself without a prefix, or the files with ``suffix`` below a folder, each with its
    name. Raises UserError for a folder without any."""
    if path.is_file():
        return [("", path)]
    found = sorted(path.rglob(f"*{suffix}"))
    if not found:
        raise UserError(f"--prompts {path}: holds no file *{suffix}")
    if len(found) == 1:
        return [("", found[0])]
    return [("-".join(f.relative_to(path).with_suffix("").parts) + "-", f) for f in found]


def read_lines(path: Path) -> Iterator[tuple[str, Any]]:
    """(place, object) of every line of a JSONL file. Raises UserError."""
    for number, line in enumerate(_text(path).splitlines(), 1):
        if line.strip():
            where = f"{path}, line {number}"
            yield where, _parsed(line, where)


def read_object(path: Path) -> Any:
    """The content of a JSON file. Raises UserError."""
    return _parsed(_text(path), str(path))


def field(found: Any, name: str, kind: type, where: str) -> Any:
    """``found[name]``, of ``kind``; of a list every entry is text. Raises UserError naming the field."""
    if not isinstance(found, dict):
        raise UserError(f"{where}: an object is expected, found {type(found).__name__}")
    value = found.get(name)
    fits = isinstance(value, kind) and not isinstance(value, bool)
    if not fits or (isinstance(value, list) and not all(isinstance(v, str | dict) for v in value)):
        what = "nothing" if name not in found else repr(value)[:40]
        raise UserError(
            f"{where}: field '{name}': {_KINDS[kind]} is expected, found {what}; is it another suite's file?"
        )
    return value


_KINDS = {str: "text", int: "a whole number", list: "a list"}


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError:
        raise UserError(f"{path}: is not UTF-8 text; a file of prompts is needed") from None


def _parsed(text: str, where: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        raise UserError(f"{where}: is not JSON; is it another suite's file?") from None


def unique(ids: list[str], path: Path) -> None:
    """Raise UserError where two prompts have one id, or an id is no name of a file."""
    seen: set[str] = set()
    for name in ids:
        if name in seen:
            raise UserError(f"{path}: two prompts have the id {name}; pictures are named by it")
        if "/" in name or "\0" in name or name in ("", ".", ".."):
            raise UserError(f"{path}: the id '{name}' cannot name a file")
        seen.add(name)
