"""A fingerprint of a pipeline folder: tells another model in its place without reading tens of gigabytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

_PIECE = 4096
_PIECES = 256  # of a file, evenly spread; chosen: a model that was trained on differs nearly everywhere


def fingerprint(base: Path, weights: str | None = None) -> str:
    """sha256 over names, sizes and samples of the files of ``base`` (``weights``: of the file in place of its
    transformer's), wherever they lie and whenever they were written."""
    total = hashlib.sha256()
    for name, path in _files(base, weights):
        total.update(f"{name} {path.stat().st_size}\n".encode())
        for piece in _samples(path):
            total.update(piece)
    return total.hexdigest()


def _files(base: Path, weights: str | None) -> Iterator[tuple[str, Path]]:
    for path in sorted(base.rglob("*")):
        name = path.relative_to(base).as_posix()
        instead = weights is not None and name.startswith("transformer/") and path.suffix == ".safetensors"
        if path.is_file() and path.suffix in (".safetensors", ".json", ".txt") and not instead:
            yield name, path
    if weights is not None:
        yield "weights", Path(weights)


def _samples(path: Path) -> Iterator[bytes]:
    size = path.stat().st_size
    with path.open("rb") as file:
        if size <= _PIECE * _PIECES:
            yield file.read()
            return
        for number in range(_PIECES):
            file.seek((size - _PIECE) * number // (_PIECES - 1))
            yield file.read(_PIECE)
