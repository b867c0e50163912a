"""The one definition of zh / en / other, for rendered and for read text."""

from __future__ import annotations

import re

from synth.sample import Language


def visible(text: str) -> int:
    """Characters that are not white space."""
    return sum(not c.isspace() for c in text)


def is_han(character: str) -> bool:
    """Whether it is a Chinese character (Unified Ideographs, their extensions and compatibility forms)."""
    return "\u3400" <= character <= "\u9fff" or "\uf900" <= character <= "\ufaff" or ord(character) >= 0x20000


_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_LATIN = re.compile(r"[A-Za-z]")
_KANA_HANGUL = re.compile(r"[\u3040-\u30ff\uac00-\ud7af\u1100-\u11ff]")


def language(text: str) -> str:
    """``zh``, ``en`` or ``other``, by script: one Han character weighs as much as a word of four letters (ours)."""
    if _KANA_HANGUL.search(text):
        return "other"
    han, latin = 4 * len(_HAN.findall(text)), len(_LATIN.findall(text))
    if not han and not latin:
        return "other"
    letters = sum(c.isalpha() for c in text) - len(_HAN.findall(text))
    if not han and latin < letters / 2:  # Cyrillic, Arabic ...
        return "other"
    return "zh" if han >= latin else "en"


def language_of(text: str) -> Language:
    """zh when any Han character is in it, en when any Latin letter is, else other (numbers, signs)."""
    if any("\u3400" <= c <= "\u9fff" or ord(c) >= 0x20000 for c in text):
        return "zh"
    return "en" if any(c.isascii() and c.isalpha() for c in text) else "other"
