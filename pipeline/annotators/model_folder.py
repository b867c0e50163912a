"""Weights that a user names: by the path of a folder, or by an id of the Hugging Face hub that is in its cache.

Nothing is downloaded here: ``hf download ID`` puts a model into the cache.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from configs.errors import UserError, one_line

_ENDS = 1 << 20
"""Bytes at the beginning and end of a file that a fingerprint covers; chosen: weights have gigabytes."""


def model_folder(model: str, marker: str) -> Path | None:
    """The folder of ``model`` that holds the file ``marker``; None where there is none."""
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    folder = Path(model)
    if not folder.is_dir():
        try:
            folder = Path(snapshot_download(model.removeprefix("hf-hub:"), local_files_only=True))
        except (LocalEntryNotFoundError, HFValidationError):
            return None
    return folder.absolute() if (folder / marker).is_file() else None


def absent(model: str, marker: str) -> str:
    """Why ``model_folder`` finds nothing, in words."""
    return f"'{model}' is no folder with {marker}, nor a model in Hugging Face's cache; 'hf download' fetches one"


@contextlib.contextmanager
def told(annotator: str, folder: Path | None) -> Iterator[None]:
    """Raise what a library says of weights that it cannot load as a UserError, in one line."""
    try:
        yield
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        said = one_line(error)[:300]
        raise UserError(f"annotator {annotator}: '{folder}' cannot be loaded: {said}") from None


def refuse_missing(report: Mapping[str, Any]) -> None:
    """Raise ValueError where transformers filled in weights at random. ``report``: its output_loading_info."""
    lacking = sorted({*report["missing_keys"], *(str(k) for k in report.get("mismatched_keys", ()))})
    if lacking:
        raise ValueError(f"{len(lacking)} weights are missing or of another shape, the first is {lacking[0]}")


def _is_hidden(file: Path, folder: Path) -> bool:
    """What ``hf download`` notes beside the files that it fetched is no part of a model."""
    return any(part.startswith(".") for part in file.relative_to(folder).parts)


def fingerprint(*files: Path) -> str:
    """12 hex digits that change with the files of the given folders and files, their ends and sizes."""
    found = hashlib.sha256()
    for given in files:
        for file in (
            sorted(p for p in given.rglob("*") if p.is_file() and not _is_hidden(p, given))
            if given.is_dir()
            else [given]
        ):
            size = file.stat().st_size
            found.update(f"{file.name}\0{size}\0".encode())
            with file.open("rb") as opened:
                found.update(opened.read(_ENDS))
                opened.seek(max(0, size - _ENDS))
                found.update(opened.read(_ENDS))
    return found.hexdigest()[:12]
