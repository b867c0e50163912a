"""Chinese in traditional characters, as Taiwan or Hong Kong writes it.

OpenCC chooses by phrase, and finds phrases across words: 被|发明 has its 被发 (被髮, loose hair). So it is given one word
after the other. Quotation marks become corner brackets, as both regions have them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Literal

import numpy as np

from synth.corpus.words import HAN_RUN, words_of

if TYPE_CHECKING:
    from opencc import OpenCC

Script = Literal["zh-Hans", "zh-Hant-TW", "zh-Hant-HK"]
_STANDARDS = {"zh-Hant-TW": "s2tw", "zh-Hant-HK": "s2hk"}
_QUOTES = str.maketrans("“”‘’", "「」『』")
_APOSTROPHE = re.compile("(?<=[A-Za-z])’(?=[A-Za-z])")
_QUOTED_LATIN = re.compile("“[^“”\u3400-\u9fff]*”|‘[^‘’\u3400-\u9fff]*’")


def pick_traditional(rng: np.random.Generator) -> Script:
    """Either region equally often."""
    return "zh-Hant-TW" if rng.random() < 0.5 else "zh-Hant-HK"


def to_traditional(text: str, script: Script) -> str:
    """A text in simplified characters as a region writes it, quotation marks too; English in it keeps its own."""
    convert = _converter(_STANDARDS[script]).convert
    text = HAN_RUN.sub(lambda run: "".join(map(convert, words_of(run[0]))), text)
    kept = {at for found in _QUOTED_LATIN.finditer(text) for at in (found.start(), found.end() - 1)}
    kept |= {found.start() for found in _APOSTROPHE.finditer(text)}
    return "".join(c if at in kept else c.translate(_QUOTES) for at, c in enumerate(text))


def to_simplified(text: str) -> str:
    """Each character by itself in its simplified form, so that words can be looked up."""
    return "".join(map(_converter("t2s").convert, text))


@lru_cache(maxsize=3)
def _converter(standard: str) -> OpenCC:
    from opencc import OpenCC

    return OpenCC(standard)
