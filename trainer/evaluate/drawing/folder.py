"""Pictures made elsewhere: ``<prompt_id>.png`` or ``<prompt_id>-<n>.png``."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from configs import UserError
from configs.pictures import DecodeError
from trainer.evaluate.base import Item
from trainer.evaluate.reading.readings import load


@dataclass(frozen=True)
class Found:
    """``pictures``: (place of the item, file), by item and number. ``missing``: items without any. ``extra``: files that
    no item has the name of. ``broken``: files that are no pictures."""

    pictures: tuple[tuple[int, Path], ...]
    missing: tuple[str, ...]
    extra: tuple[str, ...]
    broken: tuple[str, ...]

    def remarks(self, suite: str) -> list[str]:
        """A line for each thing that is left out."""
        told = []
        for what, names in (
            ("prompts have no picture and are not counted", self.missing),
            ("files are named as no prompt and are left out", self.extra),
            ("files are no pictures and are left out", self.broken),
        ):
            if names:
                told.append(f"{suite}: {len(names):,} {what}, the first is {names[0]}")
        return told


def pictures_folder(folder: Path, suite: str, suites: int) -> Path:
    """Of several ``suites`` each has a folder with its name. Raises UserError where there is none."""
    own = folder / suite
    if own.is_dir():
        return own
    if not folder.is_dir():
        raise UserError(
            f"--pictures {folder}: a folder is expected, found {'a file' if folder.exists() else 'nothing'}"
        )
    if suites > 1:
        raise UserError(f"--pictures {folder}: has no folder '{suite}'; of several suites each needs one with its name")
    return folder


def find_pictures(folder: Path, items: Sequence[Item]) -> Found:
    """Raises UserError where no file belongs to an item, or two are the same picture of one."""
    places = {item.id: place for place, item in enumerate(items)}
    found: dict[tuple[int, int], Path] = {}
    extra, broken = [], []
    for path in sorted(p for p in folder.iterdir() if p.is_file()):
        named = _named(path, places)
        if named is None:
            extra.append(path.name)
        elif not _is_picture(path):
            broken.append(path.name)
        elif named in found:
            raise UserError(f"{folder}: {found[named].name} and {path.name} are the same picture of a prompt; keep one")
        else:
            found[named] = path
    if not found:
        expected = f"{items[0].id}.png or {items[0].id}-0.png" if items else "none"
        raise UserError(f"{folder}: holds no picture of this suite; files are named by prompt, the first is {expected}")
    there = {place for place, _ in found}
    missing = tuple(item.id for place, item in enumerate(items) if place not in there)
    return Found(tuple((place, found[place, n]) for place, n in sorted(found)), missing, tuple(extra), tuple(broken))


def _named(path: Path, places: dict[str, int]) -> tuple[int, int] | None:
    """Place of the prompt and number of the picture; None for another name."""
    if path.suffix.lower() != ".png":
        return None
    if path.stem in places:
        return places[path.stem], 0
    match = re.fullmatch(r"(.+)-(\d+)", path.stem)
    return (places[match[1]], int(match[2])) if match and match[1] in places else None


def _is_picture(path: Path) -> bool:
    try:
        load(path)
    except (OSError, DecodeError):
        return False
    return True
