"""Prompts and pictures of an evaluation, in the files that its authors published."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from configs.errors import UserError

_NAMED = re.compile(r"prompt|caption|text|sentence", re.IGNORECASE)
"""Names of values that hold prompts or what they ask for: LongText-Bench, CVTG-2K, GenEval, DPG, OneIG; chosen."""

_PICTURES = (".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff")


def prompts_of(path: Path) -> list[tuple[str, str]]:
    """("file:number", prompt); numbers are those of lines or of a file's objects, from 1. Raises UserError."""
    if path.suffix not in (".txt", ".json", ".jsonl"):
        raise UserError(f"field 'decontaminate.prompts': expected .txt, .json or .jsonl, found '{path}'")
    try:
        text = path.read_text(encoding="utf-8-sig")
        found = list(_lines(text) if path.suffix == ".txt" else _named(_parsed(text, path.suffix)))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise UserError(f"field 'decontaminate.prompts': '{path}' cannot be read: {error}") from None
    if not found:
        raise UserError(
            f"field 'decontaminate.prompts': '{path}' holds no prompts: JSON names them prompt, caption, text or sentence"
        )
    return [(f"{path.name}:{number}", prompt) for number, prompt in found]


def pictures_of(paths: Sequence[str]) -> list[Path]:
    """The files, and those below the folders. Raises UserError for a folder without any."""
    found: list[Path] = []
    for path in map(Path, paths):
        inside = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.suffix.lower() in _PICTURES)
        if not inside:
            raise UserError(f"field 'decontaminate.pictures': no pictures below '{path}'")
        found += inside
    return found


def _lines(text: str) -> Iterator[tuple[int, str]]:
    yield from ((number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip())


def _parsed(text: str, suffix: str) -> list[Any]:
    """The objects of a file: its lines, or what its lists hold."""
    if suffix == ".jsonl":
        return [json.loads(line) if line.strip() else None for line in text.split("\n")]
    tree: Any = json.loads(text)
    if not isinstance(tree, dict):
        return tree if isinstance(tree, list) else []
    inside = [item for value in tree.values() if isinstance(value, list) for item in value if isinstance(item, dict)]
    return inside or [tree]


def _named(objects: Sequence[Any]) -> Iterator[tuple[int, str]]:
    for number, item in enumerate(objects, 1):
        given = _under(item) if isinstance(item, dict) else iter([item])
        yield from ((number, text) for text in given if isinstance(text, str))


def _under(item: dict[str, Any]) -> Iterator[Any]:
    """Values of prompts' names, in lists and objects too."""
    for name, value in item.items():
        if isinstance(value, dict):
            yield from _under(value)
        elif _NAMED.search(name):
            yield from value if isinstance(value, list) else [value]
