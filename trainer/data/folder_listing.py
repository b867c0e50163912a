"""metadata.jsonl of a plain folder, read strictly: a line that would be trained as something else is refused.

    {"file_name": "cat.png", "text": "A cat.", "license": "mine"}

As in Hugging Face's imagefolder a line may hold columns of its own, which are told and not read. What looks like a
misspelt field, another trainer's name of one or a further picture (``mask_file_name``) is refused: without its
references an edit would be learnt as a picture from nothing.
"""

from __future__ import annotations

import difflib
import json
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath, PureWindowsPath
from typing import Any

from configs.errors import UserError
from pipeline.sources.base import Refused
from pipeline.sources.files import read_file
from trainer.data.folder_item import MOST_REPEATS, Item, repeats_of, uri_in

METADATA = "metadata.jsonl"
_FIELDS = ("file_name", "text", "caption", "instruction", "references", "mask", "repeats")
_ELSEWHERE = {
    "image_path": "file_name",
    "control_path": "references",
    "control_image": "references",
    "conditioning_image": "references",
    "mask_path": "mask",
    "num_repeats": "repeats",
}
"""Names of the same things in musubi-tuner, kohya's scripts and diffusers."""
_NEAR = 0.85
"""Likeness (difflib) of a column to a field from which on it is taken for a slip (chosen: 'texts' is, 'caption_en' is not)."""
_MOST_BYTES = 1 << 30  # of the file; chosen


class _Wrong(ValueError):
    """What is wrong with a line, without its number."""


@dataclass
class Listing:
    """``items``: in the order of the lines. ``unread``: columns that are no field -> in how many lines."""

    items: list[Item] = field(default_factory=list)
    unread: Counter[str] = field(default_factory=Counter)


def read_listing(folder: Path) -> Listing:
    """The lines of ``folder``'s metadata.jsonl. Raises UserError naming line, field and remedy."""
    path, listing, seen = folder / METADATA, Listing(), dict[str, int]()
    for number, text in _lines(path):
        try:
            line = _parsed(text)
            item = _item(folder, line)
            if item.uri in seen:
                raise _Wrong(f"field 'file_name': '{item.uri}' is listed twice, in line {seen[item.uri]} too; one goes")
        except (_Wrong, UserError) as error:
            raise UserError(f"{path}: line {number}: {error}") from None
        seen[item.uri] = number
        listing.items.append(item)
        listing.unread.update(name for name in line if name not in _FIELDS)
    return listing


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """(number, text) of the lines that are not blank; only a newline ends one, U+2028 may stand within."""
    try:
        data = read_file(os.fsencode(path), _MOST_BYTES)
    except Refused as error:
        raise UserError(f"{path}: {error}; mend it, or remove it to take texts from .txt files") from None
    for number, raw in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            text = raw.decode("utf-8").strip()
        except UnicodeDecodeError:
            raise UserError(f"{path}: line {number}: is not UTF-8; save the file as UTF-8") from None
        if text:
            yield number, text


def _parsed(text: str) -> dict[str, Any]:
    try:
        line = json.loads(text, object_pairs_hook=_once)
    except _Wrong:
        raise
    except (ValueError, RecursionError) as error:
        raise _Wrong(f"is no JSON ({error}); one object a line is expected") from None
    if not isinstance(line, dict):
        raise _Wrong(f"a JSON object is expected, found {type(line).__name__}")
    for name in line:
        if name not in _FIELDS:
            _check_unread(name)
    return line


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    twice = next((name for name, n in Counter(name for name, _ in pairs).items() if n > 1), None)
    if twice is not None:
        raise _Wrong(f"field '{twice}': stands twice in the line; one goes")
    return dict(pairs)


def _check_unread(name: str) -> None:
    """Raise _Wrong for a column that somebody means as a field."""
    base = name.casefold().rstrip("_0123456789")
    near = difflib.get_close_matches(name.casefold(), _FIELDS, 1, _NEAR)
    meant = _ELSEWHERE.get(base) or (near[0] if near else None)
    if meant:
        raise _Wrong(f"unknown field '{name}'; did you mean '{meant}'? if not, give the column a name unlike it")
    if base.endswith(("file_name", "file_names")):
        raise _Wrong(
            f"field '{name}': names a file that would not be read; call it 'references' or 'mask', or remove it"
        )


def _item(folder: Path, line: dict[str, Any]) -> Item:
    if "file_name" not in line:
        raise _Wrong("field 'file_name': is missing; the picture's path within the folder is expected")
    path = _file(folder, line["file_name"], "file_name")
    names = line.get("references")
    names = names if isinstance(names, list) else [] if names is None else [names]
    references = tuple(_file(folder, name, f"references.{i}") for i, name in enumerate(names))
    mask = None if line.get("mask") is None else _file(folder, line["mask"], "mask")
    captions, instructions = _texts(line, "text") + _texts(line, "caption"), _texts(line, "instruction")
    if instructions and not references:
        raise _Wrong("field 'instruction': there are no 'references' that it could edit; name them, or call it 'text'")
    uri = uri_in(folder, path)
    return Item(
        uri,
        path,
        (instructions or captions) if references else captions,
        references,
        mask,
        repeats=_repeats(line.get("repeats", 1)) * repeats_of(uri)[0],
        problem=None if os.path.exists(path) else f"is listed in {METADATA} and is not there",
    )


def _file(folder: Path, name: Any, where: str) -> Path:
    """A file within the folder. What is a link there is the affair of whoever made it (HF's cache is made of them)."""
    if not isinstance(name, str) or not name.strip():
        raise _Wrong(f"field '{where}': the path of a file within the folder is expected, found {_short(name)}")
    _check_text(name, where)
    if "\\" in name:
        raise _Wrong(f"field '{where}': {_short(name)} has a backslash; write / between folders")
    if name.startswith("/") or PureWindowsPath(name).drive or ".." in PurePosixPath(name).parts:
        raise _Wrong(f"field '{where}': {_short(name)} leads out of the folder; copy or link the file into it")
    if not PurePosixPath(name).name:
        raise _Wrong(f"field '{where}': {_short(name)} is the folder itself; a file within it is expected")
    return folder / PurePosixPath(name)


def _texts(line: dict[str, Any], where: str) -> tuple[str, ...]:
    """The value as texts without empty ones: one, a list, or null."""
    value = line.get(where)
    values = value if isinstance(value, list) else [] if value is None else [value]
    for text in values:
        if not isinstance(text, str):
            raise _Wrong(f"field '{where}': a text or a list of texts is expected, found {_short(text)}")
        _check_text(text, where)
    return tuple(text.strip() for text in values if text.strip())


def _check_text(text: str, where: str) -> None:
    if "\0" in text or any("\ud800" <= c <= "\udfff" for c in text):
        raise _Wrong(f"field '{where}': {_short(text)} holds a character that no text has (NUL or half a pair)")


def _repeats(value: Any) -> float:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not 0 < value <= MOST_REPEATS:
        raise _Wrong(
            f"field 'repeats': a number above 0 and at most {MOST_REPEATS:,.0f} is expected, found {_short(value)}"
        )
    return float(value)


def _short(value: Any) -> str:
    text = ascii(value) if isinstance(value, str) and not value.isprintable() else repr(value)
    return text if len(text) <= 80 else text[:77] + "..."
