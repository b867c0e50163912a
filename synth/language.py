"""The one definition of a text's language: of rendered text, of text read by OCR, and of captions.

    language_of(text) ──> zh | en | other | none

One Chinese character weighs as much as a word of four Latin letters, and the heavier script names the text:

    春天来了                           zh
    使用 Python 编写                   zh      4 characters, 16, against 6 letters
    汉字 and Latin                     zh      8 against 8: a tie is Chinese
    Meet me at 北京 Railway Station    en      8 against 22 letters
    茶 Street, No. 12                  en      4 against 8
    2024, ¥12.50, Привет, さくら        other   no Chinese or Latin in it, or kana, which Chinese has not
    nothing visible                    none
"""

from __future__ import annotations

import re
from typing import Literal

Language = Literal["zh", "en", "other", "none"]
CaptionLanguage = Literal["zh", "en"]

_HAN_WEIGHT = 4  # Latin letters that one Chinese character weighs as much as; chosen

_HAN = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff]")
_LATIN = re.compile(r"[A-Za-z]")
_KANA_HANGUL = re.compile(r"[\u3040-\u30ff\uac00-\ud7af\u1100-\u11ff]")


def visible(text: str) -> int:
    """Characters that are not white space."""
    return sum(not c.isspace() for c in text)


def is_han(character: str) -> bool:
    """Whether it is a Chinese character (Unified Ideographs, their extensions and compatibility forms)."""
    return _HAN.match(character) is not None


def language_of(text: str) -> Language:
    """``none`` without a visible character; else ``zh``, ``en`` or ``other`` by the weight of its scripts."""
    if not text or text.isspace():
        return "none"
    if _KANA_HANGUL.search(text):
        return "other"
    characters, latin = len(_HAN.findall(text)), len(_LATIN.findall(text))
    if characters:
        return "zh" if _HAN_WEIGHT * characters >= latin else "en"
    letters = sum(map(str.isalpha, text))  # Latin ones with accents, Cyrillic, Arabic ... among them
    return "en" if latin and latin >= letters / 2 else "other"
