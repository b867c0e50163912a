"""Where a line may end: English between words, Chinese between characters, never against punctuation.

A ``Unit`` is what stays on one line: an English word with its punctuation, or a Chinese character with the
marks that must not begin a line (closing ones) or end it (opening ones). The rules are those of the Unicode Line
Breaking Algorithm (UAX #14), less the breaks that Requirements for Chinese Text Layout (W3C clreq, prohibition rules
for line start and line end) forbids, and less those after a hyphen or slash next to fewer than three letters. A test
compares them with a full implementation, which takes 60 microseconds a character: too long for every text drawn.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import regex

_EVERY = "".join(map(chr, (*range(0x21, 0x3400), *range(0xFE10, 0xFFEF))))  # all marks of the scripts that are set here


def _of_classes(*classes: str) -> frozenset[str]:
    """The characters of some of UAX #14's classes."""
    return frozenset(regex.findall("|".join(rf"\p{{Line_Break={name}}}" for name in classes), _EVERY))


NOT_AT_START = _of_classes("CL", "CP", "EX", "IS", "NS", "CJ", "PO", "IN") | frozenset("”’›»—–～·•‧・／%％‰℃℉°′″")
"""Closing marks, those that end a sentence or a part of it, signs behind numbers, small kana; clreq adds connecting marks,
interpuncts and the solidus (prohibition rules for line start and line end)."""
NOT_AT_END = _of_classes("OP", "PR") | frozenset("“‘‹«#@＃＠")
"""Opening marks and signs before numbers."""
_NEVER = frozenset("\"'\u00a0\u2007\u202f\u2060")
"""Straight quotation marks, which may open or close, and spaces that glue: UAX #14 breaks on neither side of them."""
JOINING = "-–/"  # a line may end after them within a long enough word
_MIN_LETTERS = 3  # chosen: on either side of them
_WIDE = ((0x2E80, 0x303F), (0x3040, 0x30FF), (0x3100, 0x9FFF), (0xA960, 0xD7FF), (0xF900, 0xFAFF), (0xFE30, 0xFFEF))


@dataclass(frozen=True)
class Unit:
    """Characters ``start:end`` that stay together; ``next`` is where the following unit begins (after spaces)."""

    start: int
    end: int
    next: int


@lru_cache(maxsize=16384)
def is_wide(character: str) -> bool:
    """Whether the character belongs to a script written without spaces (Han, kana, their punctuation)."""
    code = ord(character)
    return code >= 0x20000 or any(low <= code <= high for low, high in _WIDE)


def units(text: str, together: frozenset[int] = frozenset()) -> list[Unit]:
    """Split one paragraph (no newline in it) into units, in order; leading spaces are skipped.

    ``together``: places where no line may end besides.
    """
    found: list[Unit] = []
    start = _skip_spaces(text, 0)
    while start < len(text):
        end = start + 1
        while end < len(text) and (end in together or (text[end] != " " and not _may_break(text, end))):
            end += 1
        following = _skip_spaces(text, end)
        found.append(Unit(start, end, following))
        start = following
    return found


def _may_break(text: str, at: int) -> bool:
    before, after = text[at - 1], text[at]
    if after in NOT_AT_START or before in NOT_AT_END or after in _NEVER or before in _NEVER:
        return False
    if before in "”’":  # also an apostrophe, and the end of an English quotation: its word goes on
        return is_wide(after)
    if after in "“‘":
        return is_wide(before)
    if before in JOINING:
        return _are_letters(text[max(at - 1 - _MIN_LETTERS, 0) : at - 1]) and _are_letters(text[at : at + _MIN_LETTERS])
    return is_wide(before) or is_wide(after) or before in "…—"


def _skip_spaces(text: str, at: int) -> int:
    while at < len(text) and text[at] == " ":
        at += 1
    return at


def _are_letters(text: str) -> bool:
    """Whether these are ``_MIN_LETTERS`` letters of a script that writes words."""
    return len(text) == _MIN_LETTERS and all(c.isalpha() and not is_wide(c) for c in text)
