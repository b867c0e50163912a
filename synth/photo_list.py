"""Photographs that need no file of the user's: ``synth/data/photographs.yaml`` says which, whose, under which license,
and where their subjects are.

Those of Python packages come with the installation. Those of Debian's are brought by ``make photographs`` into the
checkout (``synth.photo_install``); one that is not there is left out and counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

import configs
from configs.files import find_package
from synth.geometry import Box

FOLDER = Path(__file__).parents[1] / "photographs"
"""Where ``make photographs`` puts those of Debian's packages: the checkout."""

FREE = ("CC0-1.0", "LicenseRef-public-domain", "CC-BY-2.0", "CC-BY-3.0", "CC-BY-4.0")
"""Licenses that bind no picture made with the photograph to themselves. Others are used on request alone."""

Kind = Literal["wall", "board", "street", "building", "nature", "animal", "people", "still", "closeup"]
"""What a photograph mainly shows. ``wall``: one that text could be painted on; ``still``: things on a table or the like;
``nature``: a landscape; ``closeup``: petals, stones, stars, the floor of the sea: nothing that a thing could stand on."""

Theme = Literal[
    "wildlife",
    "pets",
    "farm",
    "sea",
    "garden",
    "mountains",
    "ruins",
    "palace",
    "city",
    "music",
    "food",
    "art",
    "sky",
    "plain",
]
"""What a photograph is about, so that texts that have nothing to do with it keep away. ``plain``: paving, boards: nothing
that a text could contradict."""

_LIST = Path(__file__).parent / "data" / "photographs.yaml"


@dataclass(frozen=True)
class Photograph:
    """``path``: in the package's folder; behind "!" the end of a path inside that bundle. ``page``: where its author put
    it. ``subjects``: (left, top, right, bottom) in fractions of width and height.
    """

    name: str
    path: str
    sha256: str
    license: str
    author: str
    kind: Kind
    theme: Theme
    page: str = ""
    subjects: tuple[Box, ...] = ()


@dataclass(frozen=True)
class PhotoPackage:
    """A package of Python's or Debian's that holds photographs. ``terms``: where it states their licenses."""

    folder: str
    terms: str
    photographs: tuple[Photograph, ...]
    python: str = ""
    debian: str = ""
    version: str = ""

    def file(self, photograph: Photograph) -> Path | None:
        """Where one of its photographs lies here; None where it is not installed."""
        if self.debian:
            path = FOLDER / photograph.name
        else:
            package = find_package(self.python)
            path = (package or Path()) / self.folder / photograph.path
        return path if path.is_file() else None


@dataclass(frozen=True)
class _List:
    packages: tuple[PhotoPackage, ...]


@cache
def packages() -> tuple[PhotoPackage, ...]:
    """Everything that is listed."""
    return configs.load(_LIST, _List).packages


def listed(licenses: Iterable[str] = (), kinds: Iterable[Kind] = ()) -> Iterator[tuple[PhotoPackage, Photograph]]:
    """The free photographs and those under ``licenses``; of ``kinds`` alone where any is given."""
    allowed, wanted = {*FREE, *licenses}, set(kinds)
    for package in packages():
        for photograph in package.photographs:
            if photograph.license in allowed and (not wanted or photograph.kind in wanted):
                yield package, photograph


def on_request() -> list[str]:
    """The licenses of listed photographs that are used on request alone."""
    every = {photograph.license for package in packages() for photograph in package.photographs}
    return sorted(every - set(FREE))


def check_licenses(licenses: Iterable[str]) -> None:
    """Raise ValueError for a license that cannot be asked for."""
    for license_ in licenses:
        if license_ not in (*FREE, *on_request()):
            raise ValueError(
                f"no photograph of the collection is under '{license_}'; on request: {', '.join(on_request())}"
            )
