"""Plain folders as training data: ``--data PICTURES``, or ``--data folders.yaml`` for several with weights.

folders:
- {path: cat, repeats: 10, caption_prefix: "sks cat, "}
- {path: cats, regularization: true, weight: 0.5}
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import configs
from configs.errors import UserError

_MOST = 1_000_000.0
"""Of a factor (chosen): one that is larger leaves all others without a draw, or without a part in the loss."""


@dataclass(frozen=True)
class FolderConfig:
    """One folder. ``path``: from where the YAML lies, or absolute.

    ``repeats``: how often a picture is drawn against one of a folder with 1; those of a subfolder ``10_name`` are
    drawn ten times as often again. ``captions``: a ``.txt`` holds one caption a line, or is one as a ``whole``.
    ``caption``: of pictures without a text of their own. ``caption_prefix``: stands before every text.
    ``regularization``: a mark for mixtures (``where: regularization``). ``weight``: factor on the loss of its pictures.
    """

    path: str
    repeats: float = 1.0
    captions: Literal["lines", "whole"] = "lines"
    caption: str | None = None
    caption_prefix: str = ""
    regularization: bool = False
    weight: float = 1.0

    def __post_init__(self) -> None:
        for name in ("repeats", "weight"):
            if not 0 < getattr(self, name) <= _MOST:
                raise ValueError(f"field '{name}': must be above 0, at most {_MOST:,.0f}, found {getattr(self, name)}")
        if self.caption is not None and not self.caption.strip():
            raise ValueError("field 'caption': must not be empty; leave it out to take pictures with texts only")


@dataclass(frozen=True)
class _FoldersConfig:
    """What a ``folders.yaml`` holds."""

    folders: tuple[FolderConfig, ...]

    def __post_init__(self) -> None:
        if not self.folders:
            raise ValueError("field 'folders': at least one folder is expected")


def read_folders(path: Path) -> list[tuple[Path, FolderConfig]]:
    """The folders behind ``--data``: itself, or those of a YAML. Raises UserError for one that is not there."""
    if path.suffix in (".yaml", ".yml") and path.is_file():
        folders = [(path.parent / f.path, f) for f in configs.load(path, _FoldersConfig).folders]
    else:
        folders = [(path, FolderConfig(path.resolve().name or "/"))]
    for number, (folder, _) in enumerate(folders):
        if not folder.is_dir():
            found = "is a file" if folder.exists() else "does not exist"
            field = "--data" if folder == path else f"{path}: field 'folders.{number}.path'"
            raise UserError(
                f"{field}: '{folder}' {found}; a packed dataset, a folder of pictures or a YAML of folders is expected"
            )
    return folders
