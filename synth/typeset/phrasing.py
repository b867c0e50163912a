"""Where a line of a short Chinese text may end: between phrases rather than within one.

    words of the text ──chinese_ends──> what an end before each of them costs, 0 at a pause and 1 within what belongs together

Words and their parts of speech are those of ``synth.corpus.words``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from synth.corpus.traditional import to_simplified
from synth.corpus.words import HAN_RUN, kind_of, words_of

_PAUSE = re.compile("[，。；：！？…—][”’」』》）]*$")
_LISTED = re.compile("[、》”」]$")
_TIES = ("p", "c", "d", "m", "b", "a", "r", "q")
"""Parts of speech that lean on what follows: prepositions, conjunctions, adverbs, numbers, what describes, pronouns."""
_NOUNS = ("n", "s", "j")
_KINDS = {
    **dict.fromkeys("沿按凭", "p"),
    **dict.fromkeys(("很", "最", "更", "约", "共", "均", "仅", "限", "勿", "请勿"), "d"),
    **dict.fromkeys(("每", "各", "本", "您", "该"), "r"),
    **dict.fromkeys(("邻居", "比分", "学生", "老师", "教授", "顾客"), "n"),
}
"""Words of which the dictionary has another part of speech than signs mean."""
_COMPLEMENTS = "到出起完成好住掉开上下去来"
"""Characters that say what comes of the verb before them: 学到, 算起."""
_CLOSES = ("u", "y", "f", "k", "q")
"""Those that lean on what comes before: particles, words that say where, suffixes, measure words."""
_LISTED_COST, _OPENS, _PREDICATE, _OBJECT, _OTHER, _TORN = 0.15, 0.15, 0.3, 0.6, 0.45, 1.0
"""Chosen: what an end costs between the items of a list, before a preposition or a conjunction, between subject and predicate,
between verb and object, between others, and within what belongs together."""


def chinese_ends(words: Sequence[str]) -> list[float]:
    """What it costs that a line ends before each of the words, which have their marks with them; 0 before the first."""
    return [0.0, *(_before(words[at - 1], words[at]) for at in range(1, len(words)))]


def _before(before: str, after: str) -> float:
    if _PAUSE.search(before):
        return 0.0
    if _LISTED.search(before) or after[0] in "《“「":
        return _LISTED_COST
    last, first = _kind(before, -1), _kind(after, 0)
    if last.startswith("v") and after[0] in _COMPLEMENTS:
        return _TORN
    if before[-1] in "的地得" or first.startswith(_CLOSES):
        return _TORN if first.startswith(_CLOSES) else _OBJECT
    if first.startswith(("p", "c")) and not last.startswith(("p", "c", "d")):
        return _OPENS
    if last.startswith(_TIES):
        return _TORN
    if last.startswith("v"):
        return _OBJECT if not first.startswith(("v", "d")) else _OTHER
    if first.startswith(("v", "d", "z")):
        return _PREDICATE
    return _TORN if last.startswith(_NOUNS) and first.startswith(_NOUNS) else _OTHER


def _kind(word: str, at: int) -> str:
    """The part of speech of the first (0) or the last (-1) of the words that stand together here."""
    runs = HAN_RUN.findall(word)
    if not runs:
        return "m" if word[:1].isdigit() else "x"
    found = words_of(to_simplified(runs[at]))[at]
    return _KINDS.get(found) or kind_of(found)
