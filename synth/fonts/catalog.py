"""The font catalog: what each font covers, how it looks, and under which license it comes.

Coverage counts characters that really draw something, not entries of the character map: some fonts map
what they leave blank. Scanning a Chinese face takes a second, so cards are kept on disk by the file's content.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

from configs.files import replace_text
from synth.corpus.builtin import levels_characters
from synth.fonts.face import Face
from synth.fonts.source import FontFile

_VERSION = 2
"""Raised when a card says more, or something else."""
_NAME_SUBFAMILY = 2  # id of OpenType's name table
_EMBEDDING = {0: "installable", 2: "restricted", 4: "preview and print", 8: "editable"}


@dataclass(frozen=True)
class FontCard:
    """One face. ``coverage``: set of characters -> (drawn, all). ``weights``: lowest and highest, None where there is one."""

    file: str
    face: int
    family: str
    subfamily: str
    weights: tuple[int, int] | None
    vertical: bool
    license: str
    embedding: str
    coverage: dict[str, tuple[int, int]]


def catalog(fonts: Sequence[FontFile], cache_file: Path | None = None) -> list[FontCard]:
    """A card for every font, in the recipe's order; ``cache_file`` keeps them for the next time."""
    known = _read(cache_file)
    cards = []
    for font in fonts:
        key = f"{font.sha256}#{font.source.face}"
        if key not in known:
            known[key] = asdict(card(font))
        facts = known[key] | {"file": font.path.name, "weights": _weights(font)}
        cards.append(FontCard(**facts | {"coverage": {k: tuple(v) for k, v in facts["coverage"].items()}}))
    if cache_file:
        _write(cache_file, known)
    return cards


def card(font: FontFile) -> FontCard:
    """What is known of one font, at its lightest weight in use."""
    face = font.face(font.wghts[0])
    return FontCard(
        file=font.path.name,
        face=font.source.face,
        family=font.family,
        subfamily=face.name(_NAME_SUBFAMILY),
        weights=_weights(font),
        vertical=face.vertical,
        license=font.license,
        embedding=_EMBEDDING.get(face.embedding, str(face.embedding)),
        coverage={name: (_covered(face, text), len(text)) for name, text in charsets().items()},
    )


def _covered(face: Face, characters: Iterable[str]) -> int:
    """How many of ``characters`` the face draws."""
    return sum(face.draws(character) for character in characters)


def default_cache() -> Path:
    """Where the command keeps its cards."""
    return Path.home() / ".cache" / "glyphmill" / "fonts.json"


def _weights(font: FontFile) -> tuple[int, int] | None:
    weights = [w for w in font.wghts if w is not None]
    return (weights[0], weights[-1]) if weights else None


def _read(path: Path | None) -> dict[str, dict[str, Any]]:
    """Cards of earlier scans; none where the file is missing, damaged or of another version."""
    try:
        kept = json.loads(path.read_text("utf-8")) if path else {}
        return kept["cards"] if kept.get("version") == _VERSION else {}
    except (OSError, ValueError, KeyError, AttributeError):
        return {}


def _write(path: Path, cards: dict[str, dict[str, Any]]) -> None:
    """A cache that cannot be written is no error: the next scan takes its second again."""
    with contextlib.suppress(OSError):
        replace_text(path, json.dumps({"version": _VERSION, "cards": cards}), durable=False)


@cache
def charsets() -> dict[str, tuple[str, ...]]:
    """The sets that coverage is reported for: GB 2312's Han characters, the three levels of the 8,105, Latin letters."""
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
