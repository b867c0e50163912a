"""What makes a training's folder a checkpoint: its marker, and files with the sizes and checksums that the marker notes.

``complete``: JSON {"step", "files": {name: bytes}, "crc32": {name: number}}, written after everything else.
"""

from __future__ import annotations

import json
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from configs.files import replace_text

MARKER = "complete"
_NOTE = ".crc32"
"""End of the name of a file that holds the checksum of another one until the marker does."""
_PIECE = 1 << 24


def note_checksum(path: Path) -> None:
    """Beside ``path``, by whoever wrote it, while its bytes are still in memory."""
    path.with_name(path.name + _NOTE).write_text(str(checksum(path)), "ascii")


def mark_complete(folder: Path, step: int) -> None:
    """From here on ``folder`` is a checkpoint; checksums that nobody has noted are taken now."""
    notes = {p.name.removesuffix(_NOTE): p for p in folder.glob(f"*{_NOTE}")}
    files = [p for p in sorted(folder.iterdir()) if p.is_file() and p not in notes.values()]
    sums = {p.name: int(notes[p.name].read_text("ascii")) if p.name in notes else checksum(p) for p in files}
    about = {"step": step, "files": {p.name: p.stat().st_size for p in files}, "crc32": sums}
    replace_text(folder / MARKER, json.dumps(about, indent=2) + "\n")
    for note in notes.values():
        note.unlink()


def damage(folder: Path, rank: int = 0, ranks: int = 1) -> str | None:
    """What is wrong with the files of a complete checkpoint, or None. One of ``ranks`` reads its part of them whole;
    markers of earlier versions note no checksums."""
    try:
        about = json.loads((folder / MARKER).read_text("utf-8"))
        sizes, sums = _numbers(about["files"]), _numbers(about.get("crc32", {}))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return f"{MARKER} cannot be read"
    return _other_size(folder, sizes.items()) or _other_bytes(folder, list(sums.items())[rank::ranks])


def _numbers(found: Any) -> dict[str, int]:
    if not isinstance(found, dict) or not all(isinstance(number, int) for number in found.values()):
        raise ValueError("no numbers by name")
    return found


def _other_size(folder: Path, sizes: Iterable[tuple[str, int]]) -> str | None:
    for name, size in sizes:
        path = folder / name
        if not path.is_file():
            return f"{name} is missing"
        if path.stat().st_size != size:
            return f"{name} has {path.stat().st_size:,} bytes, {size:,} were written"
    return None


def _other_bytes(folder: Path, sums: Iterable[tuple[str, int]]) -> str | None:
    for name, written in sums:
        try:
            found = checksum(folder / name)
        except OSError as error:
            return f"{name} cannot be read ({error.strerror})"
        if found != written:
            return f"{name} is damaged (checksum {found:08x}, {written:08x} was written)"
    return None


def checksum(path: Path, start: int = 0) -> int:
    """CRC-32, which finds what a disk or a copy does to a file; nobody is assumed to forge one. ``start``: of what is
    thought to stand before its bytes."""
    total = start
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            total = zlib.crc32(piece, total)
    return total
