"""What is read on signs, posters and notices: lines in both languages, by the place and by what they say there.

    signs.txt ──a place, a slot, values──> Line of both languages

One line each of several slots of a place may stand together, and every line of a slot may stand in another one's stead, but for
what makes sense ``inside`` and what makes sense ``outside`` alone.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal, get_args

import numpy as np

from synth.corpus.builtin import DATA

Slot = Literal["name", "say", "tin", "bottle", "offer", "hours", "way", "notice"]
SLOTS: tuple[Slot, ...] = ("name", "say", "tin", "bottle", "offer", "hours", "way", "notice")
"""In the order in which a sign has them, from the top."""
Setting = Literal["", "inside", "outside"]
"""Where alone a line makes sense: within a building, or in the open and on a front; nothing for both."""
GOODS: tuple[Slot, ...] = ("tin", "bottle")
"""What is in such a thing, and stands on it; few places have any."""

_VALUE = re.compile(r"\{([a-z]+)\}")
_NAMES = (  # of towns and quarters, so that anything may be called so
    ("Riverside", "河滨"),
    ("Northgate", "北门"),
    ("Greenhill", "青山"),
    ("Stonebridge", "石桥"),
    ("Eastbay", "东湾"),
    ("Willowfield", "柳园"),
    ("Pinewood", "松林"),
    ("Clearspring", "清泉"),
    ("Maplewood", "枫林"),
    ("Millbrook", "磨坊溪"),
    ("Southport", "南港"),
    ("Whitefield", "白原"),
)
_MONTHS = ("Jan", "Feb", "March", "April", "May", "June", "July", "Aug", "Sept", "Oct", "Nov", "Dec")


@dataclass(frozen=True)
class Line:
    """A line of a sign in both languages. ``say`` is a sentence, all others are phrases."""

    place: str
    slot: Slot
    en: str
    zh: str
    setting: Setting = ""


def places() -> tuple[str, ...]:
    """All places that have signs."""
    return tuple(_signs())


def lines(place: str, slot: Slot) -> tuple[Line, ...]:
    """What one slot of a place may say, with ``{values}`` still to be filled."""
    return tuple(line for line in _signs()[place] if line.slot == slot)


def filled(line: Line, rng: np.random.Generator) -> Line:
    """The line with values, the same in both languages."""
    values: dict[str, tuple[str, str]] = {}

    def fill(text: str, language: int) -> str:
        return _VALUE.sub(lambda found: values.setdefault(found[1], _value(found[1], rng))[language], text)

    return replace(line, en=fill(line.en, 0), zh=fill(line.zh, 1))


def _value(name: str, rng: np.random.Generator) -> tuple[str, str]:
    """A value as English and as Chinese write it. Times in the middle of a day are within all opening hours."""
    n = rng.integers
    if name == "name":
        return _NAMES[int(n(len(_NAMES)))]
    if name == "date":
        month, day = int(n(12)), int(n(1, 29))
        return f"{_MONTHS[month]} {day}", f"{month + 1}月{day}日"
    if name in ("opens", "time", "closes"):
        first, last, minutes = {"opens": (7, 9, 30), "time": (10, 16, 15), "closes": (17, 21, 30)}[name]
        same = f"{int(n(first, last + 1))}:{minutes * int(n(60 // minutes)):02}"
    elif name == "price":
        same = f"¥{int(n(5, 61))}"
    else:
        low, high = {"n": (2, 20), "room": (101, 420)}[name]
        same = str(int(n(low, high + 1)))
    return same, same


@lru_cache(maxsize=1)
def _signs() -> dict[str, tuple[Line, ...]]:
    text = (DATA / "signs.txt").read_text("utf-8")
    blocks = re.split(r"^\[(\w+)\]$", text, flags=re.MULTILINE)[1:]
    return {place: tuple(_lines(place, block)) for place, block in zip(blocks[::2], blocks[1::2], strict=True)}


def _lines(place: str, block: str) -> list[Line]:
    found = []
    for row in filter(None, block.splitlines()):
        head, _, texts = row.partition(": ")
        slot, _, where = head.partition(" ")
        (known,) = (each for each in SLOTS if each == slot)
        (setting,) = (each for each in get_args(Setting) if each == where)
        english, chinese = texts.split(" | ")
        found.append(Line(place, known, english, chinese, setting))
    return found
