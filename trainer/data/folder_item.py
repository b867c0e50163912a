"""A picture of a plain folder and what belongs to it, as far as names and texts tell. No pixel has been read."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from configs.errors import UserError
from pipeline.sources.files import uri_of

MOST_REPEATS = 1_000_000.0
"""Of a picture or a folder (chosen): what is above is a date or a slip, and would leave all others undrawn."""
_REPEATS = re.compile(r"([0-9]+)_(.+)")


@dataclass(frozen=True)
class Item:
    """A picture and what belongs to it. ``uri``: its path within the folder, as the pipeline writes it.

    ``refused``: why texts of it were left out, a reason each. ``problem``: why it cannot be trained on.
    """

    uri: str
    path: Path
    texts: tuple[str, ...] = ()
    references: tuple[Path, ...] = ()
    mask: Path | None = None
    text: Path | None = None
    repeats: float = 1.0
    refused: tuple[str, ...] = ()
    problem: str | None = None

    @property
    def others(self) -> tuple[Path, ...]:
        """References, then the mask."""
        return (*self.references, *([self.mask] if self.mask else []))

    @property
    def files(self) -> tuple[Path, ...]:
        """All that belongs to the picture."""
        return (self.path, *self.others, *([self.text] if self.text else []))


@dataclass(frozen=True)
class Scan:
    """``items``: by uri. ``named``: how many take their caption from the name of a subfolder. ``strays``: uris of files
    that belong to no picture. ``told``: what else the user should know, a line each."""

    items: tuple[Item, ...]
    named: int
    strays: tuple[str, ...]
    told: tuple[str, ...] = ()


def uri_in(folder: Path, path: Path) -> str:
    """The path within ``folder`` as text."""
    return uri_of(os.fsencode(path.relative_to(folder).as_posix()))


def repeats_of(uri: str) -> tuple[float, str | None]:
    """(repeats, name) by the innermost folder of the form ``10_name``. Raises UserError for a number out of bounds."""
    for part in reversed(uri.split("/")[:-1]):
        match = _REPEATS.fullmatch(part)
        if match and int(match[1][:400]):
            repeats = float(match[1][:300])
            if repeats > MOST_REPEATS:
                raise UserError(
                    f"folder '{part}': the number before '_' is how often its pictures are drawn, at most "
                    f"{MOST_REPEATS:,.0f} times; rename the folder if it is a date or a number of another kind"
                )
            return repeats, match[2].strip() or None
    return 1.0, None
