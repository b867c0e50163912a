"""The lists that ship in synth/data: words, character levels, pairs."""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache
from pathlib import Path

DATA = Path(__file__).parents[1] / "data"
LICENSE = "Apache-2.0"  # of the texts made from synth/data, as of the rest of this repository


@lru_cache(maxsize=1)
def data_sha256() -> str:
    """sha256 over the names and contents of the files in ``synth/data``."""
    total = hashlib.sha256()
    for path in sorted(DATA.iterdir()):
        if path.suffix in (".txt", ".tsv"):
            total.update(path.name.encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


@lru_cache(maxsize=8)
def levels_characters(levels: tuple[int, ...]) -> tuple[str, ...]:
    """Characters of these levels (1: 3,500, 2: 3,000, 3: 1,605) of the Table of General Standard Chinese Characters."""
    rows = (line.split("\t") for line in (DATA / "tongyong_8105.tsv").read_text("utf-8").splitlines()[1:])
    return tuple(character for _, level, character, *_ in rows if int(level) in levels)


@lru_cache(maxsize=1)
def stroke_counts() -> dict[str, int]:
    """How many strokes each character of the table has (Unihan's kTotalStrokes)."""
    rows = (line.split("\t") for line in (DATA / "tongyong_8105.tsv").read_text("utf-8").splitlines()[1:])
    return {character: int(strokes) for _, _, character, _, strokes in rows}


@lru_cache(maxsize=2)
def wordlist(language: str) -> dict[str, str]:
    """Our words of one language, and the heading that each stands under: home and table."""
    lines = (DATA / f"words-{language}.txt").read_text("utf-8").splitlines()
    found: dict[str, str] = {}
    heading = ""
    for line in lines:
        if line.startswith("#"):
            heading = line[1:].strip()
        else:
            found |= dict.fromkeys(line.split(), heading)
    return found


def is_blocked(word: str) -> bool:
    """Whether a Chinese word of a dictionary contains what no picture should say (``data/blocked-zh.txt``)."""
    return _blocked().search(word) is not None


@lru_cache(maxsize=1)
def _blocked() -> re.Pattern[str]:
    lines = (DATA / "blocked-zh.txt").read_text("utf-8").splitlines()
    entries = {entry for line in lines if line[:1] not in ("#", "[") for entry in line.split()}
    return re.compile("|".join(sorted(map(re.escape, entries), key=len)))


@lru_cache(maxsize=1)
def pairs() -> tuple[tuple[str, str], ...]:
    """(English, Chinese) texts of one meaning."""
    lines = (DATA / "pairs.txt").read_text("utf-8").splitlines()
    split = (line.split(" | ") for line in lines if line and not line.startswith("#"))
    return tuple((english.strip(), chinese.strip()) for english, chinese in split)
