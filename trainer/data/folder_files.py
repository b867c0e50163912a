"""The files of a folder of pictures: read once when it is opened, and again when training asks for them."""

from __future__ import annotations

import functools
import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.errors import RunFailed
from configs.pictures import DecodeError, Header, Limits, decode, probe
from trainer.data.folder_config import FolderConfig
from trainer.data.folder_scan import Item

_THREADS = 8  # that read files when a folder is opened; chosen
_TAIL = 64  # bytes at the end of a file in which its end mark must stand; chosen


@dataclass(frozen=True)
class Picture:
    """An item whose files were read once. ``others``: sha256 of references and mask, in the order of ``item.others``."""

    item: Item
    config: FolderConfig
    header: Header
    bytes_len: int
    sha256: str
    reference_sizes: tuple[tuple[int, int], ...]
    others: tuple[str, ...]


def read_pictures(items: Sequence[Item], config: FolderConfig) -> tuple[list[Picture], list[tuple[str, str]]]:
    """Pictures in the order of ``items``, and (uri, problem) of what cannot be trained on."""
    with ThreadPoolExecutor(_THREADS) as pool:
        results = list(pool.map(functools.partial(_read, config=config), items))
    pictures = [result for result in results if isinstance(result, Picture)]
    return pictures, [(i.uri, r) for i, r in zip(items, results, strict=True) if isinstance(r, str)]


def stored_image(path: Path, sha256: str) -> dict[str, Any]:
    """The file in the form of a sample's picture. Raises RunFailed where it is gone or is not what was read before."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RunFailed(f"{path}: {(error.strerror or str(error)).lower()}; put it back and run again") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise RunFailed(f"{path}: has changed since the training began to read the folder; put the old one back")
    return {"bytes": data, "path": path.name}


def looks_whole(data: bytes, form: str) -> bool:
    """Whether a file ends as its format does. What does not may still be whole, with something behind it."""
    tail = data[-_TAIL:]
    if form in ("JPEG", "MPO"):
        return b"\xff\xd9" in tail
    if form == "PNG":
        return b"IEND" in tail
    return form == "WEBP" and int.from_bytes(data[4:8], "little") + 8 <= len(data)


def _read(item: Item, config: FolderConfig) -> Picture | str:
    """The picture, or why it cannot be trained on."""
    if item.problem:
        return item.problem
    try:
        data, header = _look(item.path)
        others = [_look(path) for path in item.others]
    except DecodeError as error:
        return f"cannot be read: {error}"
    size = (header.width, header.height)
    sizes = tuple((h.width, h.height) for _, h in others)
    if item.mask and sizes[-1] != size:
        return f"has a mask of {sizes[-1][0]} x {sizes[-1][1]} px, and is {size[0]} x {size[1]}"
    hashes = tuple(hashlib.sha256(other).hexdigest() for other, _ in others)
    references = sizes[: len(item.references)]
    return Picture(item, config, header, len(data), hashlib.sha256(data).hexdigest(), references, hashes)


def _look(path: Path) -> tuple[bytes, Header]:
    """Bytes and header. Only what seems cut off is decoded: a folder of photographs would take minutes at each start."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DecodeError(f"{path.name}: {(error.strerror or str(error)).lower()}") from None
    header = probe(data, Limits())
    if not looks_whole(data, header.format):
        decode(data, Limits())
    return data, header
