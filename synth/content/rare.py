"""Rare characters in company: words of a dictionary, each around a character whose turn it is.

Characters of the table of 8,105 take turns in whole shuffled rounds, so all come equally often, the 1,605 of level 3
as often as the 3,500 of level 1; each stands in a word that people write, where the dictionary has one (it has one
for three in four), else alone. jieba's dictionary was counted in texts and holds misspellings and slang, so common words
come first, and such as the phrases of pypinyin, which are a lexicon's, have as well. Words that nobody wants in a picture
are left out (``data/blocked-zh.txt``).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar, Literal

from synth.content.base import Content, ContentRequest, Text, Unit, cycled
from synth.corpus.builtin import is_blocked, levels_characters
from synth.corpus.words import entries, phrases

_SEPARATOR = "、"  # a list of words need not make a sentence
_KEPT = 16  # chosen: words kept per character, the most frequent ones; rarer ones are names and terms of one text
_COMMON = 100  # chosen: times that jieba counted a word which is surely none of one text
MIN_HAN, MAX_HAN = 2, 4  # characters of a word
_NAMES = ("nr", "nrt", "nrfg")  # parts of speech: people's names


@dataclass(frozen=True, kw_only=True)
class Balanced(Content):
    """One to several Chinese words, each brought in by a character of ``levels`` that comes as often as every other."""

    ranges: ClassVar[tuple[str, ...]] = ("words",)

    kind: Literal["balanced"]
    levels: tuple[Literal[1, 2, 3], ...] = (1, 2, 3)
    words: tuple[int, int] = (1, 4)  # in a line

    @property
    def packages(self) -> tuple[str, ...]:
        return (*super().packages, "jieba", "pypinyin")

    def draw(self, request: ContentRequest) -> Text:
        min_count, max_count = self.words
        count = int(request.rng.integers(min_count, max_count + 1))
        characters = levels_characters(self.levels)
        turns = [replace(request, ordinal=request.ordinal * max_count + k) for k in range(count)]
        words = [_word(cycled(characters, turn), turn) for turn in turns]
        text = _SEPARATOR.join(dict.fromkeys(words))
        unit: Unit = "item" if count == 1 else "line"
        return Text(text, "zh", unit, "jieba")


def _word(character: str, request: ContentRequest) -> str:
    words = dictionary().get(character)
    return words[int(request.rng.integers(len(words)))] if words else character


@lru_cache(maxsize=1)
def dictionary() -> dict[str, Sequence[str]]:
    """Character -> its most frequent words of two to four characters of the 8,105, people's names and blocked words left out;
    of the common ones and those in both dictionaries, where there are any.

    Raises UserError where jieba or pypinyin, whose dictionaries (MIT) these are, is not installed.
    """
    words, counts, kinds = entries("words of kind balanced")
    known = frozenset(levels_characters((1, 2, 3)))
    checked = phrases("words of kind balanced")
    candidates = [
        (count < _COMMON and word not in checked, -count, word)
        for word, count, kind in zip(words, counts, kinds, strict=True)
        if MIN_HAN <= len(word) <= MAX_HAN and kind not in _NAMES and known.issuperset(word)
    ]
    found: dict[str, list[str]] = {}
    full: set[str] = set()
    sure: set[str] = set()  # characters that have such a word
    for unchecked, _, word in sorted(candidates):
        if full.issuperset(word) or is_blocked(word):
            continue
        if not unchecked:
            sure.update(word)
        for character in set(word) - full - (sure if unchecked else set()):
            kept = found.setdefault(character, [])
            kept.append(word)
            if len(kept) == _KEPT:
                full.add(character)
    return dict(found)
