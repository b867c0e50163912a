"""What command lines say about object stores: paths that may be URLs, and ``--storage`` where no config is given."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from pathlib import Path

from configs.errors import UserError
from configs.load import decode, load_tree
from configs.storage.config import StorageConfig, use_storage
from configs.storage.paths import is_url, location


def place(text: str) -> Path:
    """An argument that is a path or a URL, for ``type=``."""
    try:
        return location(text)
    except UserError as error:
        raise argparse.ArgumentTypeError(str(error)) from None


def local(text: str) -> Path:
    """An argument that is a path on a disk, for ``type=``: a URL is refused and makes no folder of its name."""
    if is_url(text):
        raise argparse.ArgumentTypeError(f"'{text}': expected a local path, found a URL")
    return Path(text)


def add_storage(parser: argparse.ArgumentParser) -> None:
    """The option ``--storage`` of a command that takes URLs and no config."""
    text = "for URLs: a YAML with the fields of 'storage', or a config that has it"
    parser.add_argument("--storage", type=Path, metavar="FILE", help=text)


def refuse_storage(overrides: Sequence[str]) -> None:
    """Raise UserError for ``--set storage...`` where the config is read from the store that it would tell how to reach."""
    for item in overrides:
        if re.match(r"\s*storage\b", item):
            raise UserError(f"--set '{item}': how this command reaches the store stands in a file: --storage FILE")


def use_given_storage(file: Path | None) -> None:
    """Reach object stores as the file behind ``--storage`` says. Raises UserError for a wrong one."""
    if file is not None:
        tree = load_tree(file)
        use_storage(decode(tree.get("storage", tree), StorageConfig, f"--storage {file}"))
