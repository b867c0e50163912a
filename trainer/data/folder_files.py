"""The files of a folder of pictures: read once when it is opened, and again when training asks for them.

bytes ──header, checksums of a PNG, end mark──> sound, or decoded to be sure
a mask ──decoded: is anything white in it?
a folder of few pixels ──all of them decoded
"""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from configs.decoding.png_chunks import checksums_hold
from configs.errors import RunFailed
from configs.pictures import DecodeError, Header, Limits, decode, probe
from configs.quotes import quotes
from pipeline.sources.base import Refused
from pipeline.sources.files import read_file
from trainer.data.folder_config import FolderConfig
from trainer.data.folder_item import Item

_THREADS = 8  # that read files when a folder is opened; chosen
_TAIL = 64  # bytes at the end of a file in which its end mark must stand; chosen
_DECODED = 400_000_000
"""Pixels of a folder up to which every picture is decoded at the start, which takes one core 6 to 12 s (chosen): some 30
photographs. Of larger folders, what is broken inside without a checksum to tell it is found when it is drawn."""
_BLACK, _WHITE = 8, 247
"""Up to which a mask counts as black, from which as white: JPEG leaves neither at its end (chosen)."""
REMEDY = (
    "begin again with the same command where no checkpoint is saved yet, else into a new OUT with --from its newest "
    "checkpoint"
)
"""After a picture of a folder was replaced or removed: a training goes on with the pictures that it began with only."""


@dataclass(frozen=True)
class Picture:
    """An item whose files were read once. ``others``: sha256 of references and mask, in the order of ``item.others``.

    ``white_mask``: its mask leaves nothing out. ``quotes``: a text of it quotes text, of which nobody knows the place.
    """

    item: Item
    config: FolderConfig
    header: Header
    bytes_len: int
    sha256: str
    reference_sizes: tuple[tuple[int, int], ...]
    others: tuple[str, ...]
    white_mask: bool
    quotes: bool

    @property
    def pixels(self) -> int:
        """Of the picture and its references."""
        own = self.header.width * self.header.height
        return own + sum(width * height for width, height in self.reference_sizes)


def read_pictures(items: Sequence[Item], config: FolderConfig) -> tuple[list[Picture], list[tuple[str, str]]]:
    """Pictures in the order of ``items``, and (uri, problem) of what cannot be trained on."""
    with ThreadPoolExecutor(_THREADS) as pool:
        results = list(pool.map(functools.partial(_read, config=config), items))
        if sum(r.pixels for r in results if isinstance(r, Picture)) <= _DECODED:
            results = list(pool.map(_decoded, results))
    pictures = [result for result in results if isinstance(result, Picture)]
    return pictures, [(i.uri, r) for i, r in zip(items, results, strict=True) if isinstance(r, str)]


def stored_image(path: Path, sha256: str) -> dict[str, Any]:
    """The file in the form of a sample's picture. Raises RunFailed where it is gone or is not what was read before."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise RunFailed(f"{path}: {(error.strerror or str(error)).lower()}; put it back, or {REMEDY}") from None
    if hashlib.sha256(data).hexdigest() != sha256:
        raise RunFailed(f"{path}: has changed since the training read the folder; put the old one back, or {REMEDY}")
    return {"bytes": data, "path": path.name}


def looks_whole(data: bytes, form: str) -> bool:
    """Whether a file ends as its format does, and its checksums are right. What does not may still be whole, with
    something behind it."""
    tail = data[-_TAIL:]
    if form in ("JPEG", "MPO"):
        return b"\xff\xd9" in tail
    if form == "PNG":
        return b"IEND" in tail and checksums_hold(data)
    return form == "WEBP" and int.from_bytes(data[4:8], "little") + 8 <= len(data)


def _read(item: Item, config: FolderConfig) -> Picture | str:
    """The picture, or why it cannot be trained on."""
    if item.problem:
        return item.problem
    names = [""] + [f"its reference {i + 1} " for i in range(len(item.references))] + ["its mask "]
    found = []
    for path, name in zip((item.path, *item.others), names, strict=False):
        try:
            found.append(_look(path))
        except DecodeError as error:
            return f"{name if path != item.mask else names[-1]}cannot be read: {error}"
    (data, header), *others = found
    problem, white = _of_mask(others[-1], header) if item.mask else (None, False)
    hashes = tuple(hashlib.sha256(other).hexdigest() for other, _ in others)
    references = tuple((h.width, h.height) for _, h in others[: len(item.references)])
    sha256 = hashlib.sha256(data).hexdigest()
    told = quotes(item.texts)
    return problem or Picture(item, config, header, len(data), sha256, references, hashes, white, told)


def _of_mask(mask: tuple[bytes, Header], of: Header) -> tuple[str | None, bool]:
    """(problem, whether it is white all over) of a mask."""
    data, header = mask
    if (header.width, header.height) != (of.width, of.height):
        return f"has a mask of {header.width} x {header.height} px, and is {of.width} x {of.height}", False
    try:
        pixels = decode(data, Limits())
    except DecodeError as error:
        return f"its mask cannot be read: {error}", False
    black = int(pixels.max()) <= _BLACK
    return "has a mask that is black all over: nothing of it would count" if black else None, int(
        pixels.min()
    ) >= _WHITE


def _look(path: Path) -> tuple[bytes, Header]:
    """Bytes and header. What seems damaged is decoded."""
    try:
        data = read_file(os.fsencode(path), Limits().max_bytes)
    except Refused as error:
        raise DecodeError(str(error).removeprefix("cannot be read: ")) from None
    header = probe(data, Limits())
    if not looks_whole(data, header.format):
        decode(data, Limits())
    return data, header


def _decoded(picture: Picture | str) -> Picture | str:
    """The picture, or why it or one of its references cannot be decoded."""
    if isinstance(picture, str):
        return picture
    for number, path in enumerate((picture.item.path, *picture.item.references)):
        try:
            decode(read_file(os.fsencode(path), Limits().max_bytes), Limits())
        except (DecodeError, Refused) as error:
            return f"{f'its reference {number} ' if number else ''}cannot be read: {error}"
    return picture
