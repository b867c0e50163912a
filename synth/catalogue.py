"""The font catalogue: what each font of a recipe covers, and under which licence it comes.

Coverage counts characters that really draw something, not entries of the character map: some fonts map
what they leave blank.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache

from synth.corpus import levels_characters
from synth.fonts import Face, FontFile

LICENSES = (  # phrases of the name table's licence fields, most telling first
    ("OFL", "OFL-1.1"),
    ("Open Font License", "OFL-1.1"),
    ("Bitstream", "Bitstream-Vera"),
    ("Apache License", "Apache-2.0"),
    ("dejavu", "Bitstream-Vera"),
    ("GNU General Public License", "GPL"),
)
NAME_FAMILY, NAME_LICENSE, NAME_LICENSE_URL = 1, 13, 14  # ids of OpenType's name table


@dataclass(frozen=True)
class FontCard:
    """One font of a recipe. ``coverage``: set of characters -> (drawn, all)."""

    file: str
    face: int
    family: str
    wghts: tuple[int, ...]
    license: str
    coverage: dict[str, tuple[int, int]]


def catalogue(fonts: Sequence[FontFile]) -> list[FontCard]:
    """A card for every font file, in the recipe's order."""
    return [card(font) for font in fonts]


def card(font: FontFile) -> FontCard:
    """Family, weights, licence and coverage of one font, at its lightest weight in use."""
    face = font.face(font.wghts[0])
    return FontCard(
        file=font.path.name,
        face=font.source.face,
        family=face.name(NAME_FAMILY) or font.path.stem,
        wghts=tuple(w for w in font.wghts if w is not None),
        license=license_of(face),
        coverage={name: (covered(face, text), len(text)) for name, text in charsets().items()},
    )


def covered(face: Face, characters: Iterable[str]) -> int:
    """How many of ``characters`` the face draws."""
    return sum(face.draws(character) for character in characters)


def license_of(face: Face) -> str:
    """SPDX id recognised in the name table's licence text or URL, else the first words of it, else unknown."""
    text = " ".join(filter(None, (face.name(NAME_LICENSE), face.name(NAME_LICENSE_URL))))
    for phrase, spdx in LICENSES:
        if phrase.lower() in text.lower():
            return spdx
    return " ".join(text.split())[:40] or "unknown"


@cache
def charsets() -> dict[str, tuple[str, ...]]:
    """The sets that coverage is told for: GB 2312's Han characters, the three levels of the 8,105, Latin letters."""
    return {
        "GB2312": _gb2312(),
        "level 1": levels_characters((1,)),
        "level 2": levels_characters((2,)),
        "level 3": levels_characters((3,)),
        "ASCII": tuple(chr(c) for c in range(0x21, 0x7F)),
        "Latin-1": tuple(chr(c) for c in range(0xA1, 0x100) if c != 0xAD),
    }


def _gb2312() -> tuple[str, ...]:
    """The 6,763 Han characters of GB 2312: rows 16 to 87 of 94 cells, 5 cells of row 55 empty."""
    found = []
    for row in range(16, 88):
        for cell in range(1, 95):
            try:
                found.append(bytes((0xA0 + row, 0xA0 + cell)).decode("gb2312"))
            except UnicodeDecodeError:  # one of the empty cells
                continue
    return tuple(found)
