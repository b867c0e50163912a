"""Plain folders of pictures, made in a line."""

from __future__ import annotations

from pathlib import Path

from tests.pipeline.hostile import encode, picture
from trainer.data.folder import PictureFolder


def put(path: Path, width: int = 64, height: int = 48, seed: int = 0) -> bytes:
    """A PNG at ``path``, whatever its suffix says."""
    path.parent.mkdir(parents=True, exist_ok=True)
    data = encode(picture(width, height, seed=seed), "PNG")
    path.write_bytes(data)
    return data


def folder(path: Path, **texts: str) -> Path:
    """A picture for each name, with its text file."""
    for seed, (name, text) in enumerate(texts.items()):
        put(path / f"{name}.png", seed=seed)
        (path / f"{name}.txt").write_text(text, encoding="utf-8")
    return path


def told(dataset: PictureFolder) -> list[str]:
    """The remarks, without the folder's path."""
    return [line.removeprefix(f"{dataset.path}: ") for line in dataset.remarks]
