"""What lies in a folder of pictures: which file is a target, a text, a reference, a mask. File names only.

    cat.png                    the picture to learn
    cat.txt                    its captions, one a line; where there are references, instructions
    cat.mask.png               white counts in the loss, black does not
    references/cat.png         what the instruction edits; or several, in order: references/cat_1.png, cat_2.png
    metadata.jsonl             instead of all that, a line per picture: file_name and text or caption (one or a list),
                               instruction, references (list of files), mask, repeats
    10_name/                   a subfolder whose pictures are drawn ten times as often; without a text they are "name"

``.txt`` beside the picture, ``10_name`` and white masks are as in kohya's scripts, numbered references as in
musubi-tuner, ``metadata.jsonl`` as in Hugging Face's imagefolder.
"""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from configs.errors import UserError
from pipeline.sources.files import uri_of
from trainer.data.folder_config import FolderConfig

_METADATA = "metadata.jsonl"
_REFERENCES = "references"
_SUFFIXES = {".png", ".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".avif", ".jp2", ".ppm"}
_MASK = ".mask"
_REPEATS = re.compile(r"(\d+)_(.+)")


@dataclass(frozen=True)
class Item:
    """A picture and what belongs to it. ``uri``: its path within the folder, as the pipeline writes it.

    ``problem``: why it cannot be trained on, as far as names and texts tell.
    """

    uri: str
    path: Path
    texts: tuple[str, ...] = ()
    references: tuple[Path, ...] = ()
    mask: Path | None = None
    text: Path | None = None
    repeats: float = 1.0
    problem: str | None = None

    @property
    def others(self) -> tuple[Path, ...]:
        """References, then the mask."""
        return (*self.references, *([self.mask] if self.mask else []))

    @property
    def files(self) -> tuple[Path, ...]:
        """All that belongs to the picture."""
        return (self.path, *self.others, *([self.text] if self.text else []))


@dataclass(frozen=True)
class Scan:
    """``items``: by uri. ``named``: how many take their caption from the name of a subfolder. ``strays``: uris of files
    that belong to no picture."""

    items: tuple[Item, ...]
    named: int
    strays: tuple[str, ...]


def scan(folder: Path, config: FolderConfig) -> Scan:
    """Everything to train on in ``folder``. Raises UserError for a metadata.jsonl that cannot be read."""
    tree = _tree(folder)
    listing = folder / _METADATA
    found = list(_listed(folder, listing) if listing.is_file() else _paired(folder, tree, config))
    items = [_captioned(item, config) for item in sorted(found, key=lambda item: item.uri)]
    used = {listing, *(path for item in found for path in item.files)}
    strays = [path for where, names in tree.items() for name in names if (path := where / name) not in used]
    return Scan(
        tuple(item for item, _ in items),
        sum(named for _, named in items),
        tuple(sorted(_uri(folder, path) for path in strays)),
    )


def _captioned(item: Item, config: FolderConfig) -> tuple[Item, bool]:
    """The item with the folder's caption, prefix and repeats; and whether a subfolder's name became its caption."""
    name = None
    texts = item.texts
    if not texts and not item.references:
        name = None if config.caption else _repeats(item.uri)[1]
        texts = tuple(text for text in (config.caption or name,) if text)
    missing = None if texts else "has no caption" if not item.references else "has no instruction"
    texts = tuple(config.caption_prefix + text for text in texts)
    repeats = item.repeats * config.repeats
    return replace(item, texts=texts, problem=item.problem or missing, repeats=repeats), name is not None


def _tree(folder: Path) -> dict[Path, list[str]]:
    """Names of the files in every folder, but for hidden ones."""
    tree = {}
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        tree[Path(where)] = sorted(name for name in files if not name.startswith("."))
    return tree


def _paired(folder: Path, tree: dict[Path, list[str]], config: FolderConfig) -> Iterator[Item]:
    for here, names in tree.items():
        if here.name == _REFERENCES and here != folder:
            continue
        pictures = [name for name in names if _is_picture(name)]
        masks = {name.rpartition(_MASK)[0]: here / name for name in pictures if _is_mask(name)}
        targets = [name for name in pictures if not _is_mask(name)]
        references = _references(here / _REFERENCES, tree.get(here / _REFERENCES, []), {Path(n).stem for n in targets})
        for name in targets:
            stem, uri = Path(name).stem, _uri(folder, here / name)
            text = here / f"{stem}.txt" if f"{stem}.txt" in names else None
            texts, problem = _texts(text, config) if text else ((), None)
            more = {"mask": masks.get(stem), "text": text, "repeats": _repeats(uri)[0], "problem": problem}
            yield Item(uri, here / name, texts, references.get(stem, ()), **more)  # type: ignore[arg-type]


def _references(folder: Path, names: Sequence[str], stems: set[str]) -> dict[str, tuple[Path, ...]]:
    """References of each target: the file of the same stem, or the numbered ones in the order of their numbers."""
    found: dict[str, list[tuple[int, Path]]] = defaultdict(list)
    for name in filter(_is_picture, names):
        whole = Path(name).stem
        stem, _, number = whole.rpartition("_")
        if whole in stems:  # a target may itself be called cat_1
            found[whole].append((-1, folder / name))
        elif stem in stems and number.isdigit():
            found[stem].append((int(number), folder / name))
    return {stem: tuple(path for _, path in sorted(paths)) for stem, paths in found.items()}


def _texts(path: Path, config: FolderConfig) -> tuple[tuple[str, ...], str | None]:
    """(texts, problem) of a text file."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        return (), f"has a {path.name} that is not UTF-8"
    parts = [text] if config.captions == "whole" else text.splitlines()
    return tuple(part.strip() for part in parts if part.strip()), None


def _listed(folder: Path, listing: Path) -> Iterator[Item]:
    try:
        lines = listing.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        raise UserError(f"{listing}: is not UTF-8") from None
    seen: set[str] = set()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            item = _of_line(folder, json.loads(line))
        except (ValueError, TypeError, KeyError) as error:
            why = f"'{error.args[0]}' is missing" if isinstance(error, KeyError) else error
            raise UserError(f"{listing}: line {number}: {why}") from None
        if item.uri in seen:
            raise UserError(f"{listing}: line {number}: '{item.uri}' is listed twice")
        seen.add(item.uri)
        yield item


def _of_line(folder: Path, line: Any) -> Item:
    if not isinstance(line, dict):
        raise ValueError(f"a JSON object is expected, found {type(line).__name__}")
    name = line["file_name"]
    references = tuple(folder / r for r in _strings(line, "references"))
    captions = _strings(line, "text") + _strings(line, "caption")
    texts = (_strings(line, "instruction") or captions) if references else captions
    mask, repeats = line.get("mask"), line.get("repeats", 1)
    if not isinstance(repeats, int | float) or isinstance(repeats, bool) or not 0 < repeats < float("inf"):
        raise ValueError(f"'repeats' is {repeats!r}; a number above 0 is expected")
    uri = Path(name).as_posix()
    repeats *= _repeats(uri)[0]
    return Item(uri, folder / name, texts, references, mask=folder / mask if mask else None, repeats=repeats)


def _strings(line: dict[str, Any], key: str) -> tuple[str, ...]:
    """The value as texts without empty ones: one, a list, or null."""
    value = line.get(key)
    values: Sequence[Any] = value if isinstance(value, list) else [] if value is None else [value]
    wrong = next((v for v in values if not isinstance(v, str)), None)
    if wrong is not None:
        raise ValueError(f"'{key}' is {wrong!r}; a text or a list of texts is expected")
    return tuple(v.strip() for v in values if v.strip())


def _uri(folder: Path, path: Path) -> str:
    return uri_of(os.fsencode(path.relative_to(folder).as_posix()))


def _repeats(uri: str) -> tuple[float, str | None]:
    """(repeats, name) by the innermost folder of the form ``10_name``."""
    for part in reversed(uri.split("/")[:-1]):
        match = _REPEATS.fullmatch(part)
        if match and int(match[1]):
            return float(match[1]), match[2].strip() or None
    return 1.0, None


def _is_picture(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in _SUFFIXES


def _is_mask(name: str) -> bool:
    return Path(name).stem.endswith(_MASK)
