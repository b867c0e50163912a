"""What lies in a folder of pictures: which file is a target, a text, a reference, a mask. Names and texts only.

    cat.png                    the picture to learn
    cat.txt, cat.caption       its captions, one a line; where there are references, instructions
    cat.mask.png               white counts in the loss, black does not
    references/cat.png         what the instruction edits; or several, in order: references/cat_1.png, cat_2.png
    metadata.jsonl             instead of all that, a line per picture (folder_listing.py)
    10_name/                   a subfolder whose pictures are drawn ten times as often; without a text they are "name"

``.txt`` or ``.caption`` beside the picture, ``10_name`` and white masks are as in kohya's scripts, numbered references
as in musubi-tuner, ``metadata.jsonl`` as in Hugging Face's imagefolder.
"""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from trainer.data.folder_config import FolderConfig
from trainer.data.folder_item import Item, Scan, repeats_of, uri_in
from trainer.data.folder_listing import METADATA, Listing, read_listing
from trainer.data.folder_texts import judged, read_texts, text_files

_REFERENCES = "references"
_SUFFIXES = {
    ".heic",
    ".heif",
    ".jxl",
    ".png",
    ".jpg",
    ".jpeg",
    ".webp",
    ".gif",
    ".bmp",
    ".tif",
    ".tiff",
    ".avif",
    ".jp2",
    ".ppm",
}
_MASK = ".mask"
_SYSTEM = {"thumbs.db", "desktop.ini"}
"""Files that Windows leaves in folders of pictures; macOS hides its own behind a dot."""
_NAMED = 3  # examples in a line; chosen
_TWO = "has two references of the same name or number, of which nobody says the order"


@dataclass
class _Tree:
    """``files``: names in every folder, but for hidden ones. ``links``: to folders, ``closed``: folders; not looked into."""

    files: dict[Path, list[str]] = field(default_factory=dict)
    links: list[Path] = field(default_factory=list)
    closed: list[Path] = field(default_factory=list)


def scan(folder: Path, config: FolderConfig) -> Scan:
    """Everything to train on in ``folder``. Raises UserError for a metadata.jsonl that cannot be taken as it is."""
    tree = _tree(folder)
    listing = read_listing(folder) if METADATA in tree.files.get(folder, ()) else None
    found = listing.items if listing else list(_paired(folder, tree.files, config))
    items = [_captioned(item, config) for item in sorted(found, key=lambda item: item.uri)]
    used = {path for item in found for path in item.files} | ({folder / METADATA} if listing else set())
    strays = [path for where, names in tree.files.items() for name in names if (path := where / name) not in used]
    told = [
        *_told_of_tree(folder, tree),
        *(_told_of_listing(listing) if listing else _told_of_lists(strays)),
    ]
    outside = [uri_in(folder, path) for path in sorted(used) if path.is_symlink() and not _within(path, folder)]
    told += [f"{len(outside):,} files are links that lead out of the folder: {few(outside)}"] if outside else []
    return Scan(
        tuple(item for item, _ in items),
        sum(named for _, named in items),
        tuple(sorted(uri_in(folder, path) for path in strays)),
        tuple(told),
    )


def few(names: Sequence[str]) -> str:
    """The first names of a list, for a line."""
    return ", ".join(names[:_NAMED]) + (" ..." if len(names) > _NAMED else "")


def _captioned(item: Item, config: FolderConfig) -> tuple[Item, bool]:
    """The item with its valid texts, or the folder's caption, with prefix and repeats; and whether a subfolder's name
    became its caption."""
    texts, refused = judged(item.texts)
    name = None
    if not texts and not item.references:
        name = None if config.caption else repeats_of(item.uri)[1]
        texts = tuple(text for text in (config.caption or name,) if text)
    missing = None if texts else "has no caption" if not item.references else "has no instruction"
    if missing and refused:
        missing = f"{missing}: its text is {refused[0]}"
    texts = tuple(config.caption_prefix + text for text in texts)
    problem, repeats = item.problem or missing, item.repeats * config.repeats
    return replace(item, texts=texts, refused=refused, problem=problem, repeats=repeats), name is not None


def _tree(folder: Path) -> _Tree:
    tree = _Tree()
    for where, folders, files in os.walk(folder, onerror=lambda error: tree.closed.append(Path(error.filename))):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        tree.links += [Path(where) / name for name in folders if os.path.islink(os.path.join(where, name))]
        tree.files[Path(where)] = sorted(n for n in files if not n.startswith(".") and n.lower() not in _SYSTEM)
    return tree


def _paired(folder: Path, tree: dict[Path, list[str]], config: FolderConfig) -> Iterator[Item]:
    for here, names in tree.items():
        if here.name == _REFERENCES and here != folder:
            continue
        pictures = [name for name in names if _is_picture(name)]
        masks = {name.rpartition(_MASK)[0]: here / name for name in pictures if _is_mask(name)}
        targets = [name for name in pictures if not _is_mask(name)]
        references = _references(here / _REFERENCES, tree.get(here / _REFERENCES, []), {Path(n).stem for n in targets})
        beside = text_files(names)
        for name in targets:
            stem, uri = Path(name).stem, uri_in(folder, here / name)
            text = here / beside[stem] if stem in beside else None
            texts, problem = read_texts(text, config) if text else ((), None)
            numbered = references.get(stem, [])
            if len({number for number, _ in numbered}) < len(numbered):
                problem = problem or _TWO
            paths = tuple(path for _, path in numbered)
            yield Item(uri, here / name, texts, paths, masks.get(stem), text, repeats_of(uri)[0], problem=problem)


def _references(folder: Path, names: Sequence[str], stems: set[str]) -> dict[str, list[tuple[int, Path]]]:
    """References of each target with their numbers: the file of the same stem, or the numbered ones in order."""
    found: dict[str, list[tuple[int, Path]]] = defaultdict(list)
    for name in filter(_is_picture, names):
        whole = Path(name).stem
        stem, _, number = whole.rpartition("_")
        if whole in stems:  # a target may itself be called cat_1
            found[whole].append((-1, folder / name))
        elif stem in stems and number.isdecimal():
            found[stem].append((int(number), folder / name))
    return {stem: sorted(paths) for stem, paths in found.items()}


def _told_of_tree(folder: Path, tree: _Tree) -> Iterator[str]:
    """What was not looked into."""
    if tree.closed:
        yield f"{len(tree.closed):,} folders cannot be read: {few([uri_in(folder, p) for p in tree.closed])}"
    if tree.links:
        names = few([uri_in(folder, p) for p in tree.links])
        yield f"{len(tree.links):,} subfolders are links, which are not followed: {names}; name them in a YAML of folders"


def _told_of_listing(listing: Listing) -> Iterator[str]:
    if listing.unread:
        names = few([f"'{name}' ({count:,} lines)" for name, count in listing.unread.most_common()])
        yield f"{METADATA}: columns that are not read: {names}"


def _told_of_lists(strays: Sequence[Path]) -> Iterator[str]:
    lists = [path for path in strays if path.name in (METADATA, "metadata.csv")]
    if lists:
        yield f"{lists[0]}: is not read: only a {METADATA} in the folder itself is; name that folder, or several in a YAML"


def _within(path: Path, folder: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(folder))


def _is_picture(name: str) -> bool:
    return not name.startswith(".") and Path(name).suffix.lower() in _SUFFIXES


def _is_mask(name: str) -> bool:
    return Path(name).stem.endswith(_MASK)
