"""Chinese words: a run of characters cut into its likeliest words.

The words and how often they come are jieba's dictionary's (MIT), the cut is its own too: the likeliest row of words, each
as likely as it is frequent. jieba itself takes five seconds to load; this takes a third of one, when it is first asked.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache

from configs.files import package_folder

_KEY = re.compile(r'"([^"]+)":')
HAN_RUN = re.compile(r"[\u3400-\u9fff]+")
_LONGEST = 6  # characters of a word
_RARE = 0.5  # occurrences of a single character that the dictionary lacks; chosen


@lru_cache(maxsize=4096)
def words_of(run: str) -> tuple[str, ...]:
    """The likeliest words of a run of Chinese characters."""
    counts, total = frequencies()
    best: list[tuple[float, int]] = [(0.0, 0)] * (len(run) + 1)
    for start in range(len(run) - 1, -1, -1):
        ends = range(start + 1, min(start + _LONGEST, len(run)) + 1)
        best[start] = max(
            (math.log(counts.get(run[start:end]) or _RARE) - total + best[end][0], end)
            for end in ends
            if end == start + 1 or run[start:end] in counts
        )
    words, at = [], 0
    while at < len(run):
        words.append(run[at : best[at][1]])
        at = best[at][1]
    return tuple(words)


def entries(wanted_by: str) -> tuple[list[str], list[int], list[str]]:
    """The words of jieba's dictionary, how often each comes, and its part of speech. ``wanted_by``: what asks, for the
    UserError where jieba is not installed."""
    fields = (package_folder("jieba", wanted_by) / "dict.txt").read_text("utf-8").split()
    return fields[::3], list(map(int, fields[1::3])), fields[2::3]


def phrases(wanted_by: str) -> frozenset[str]:
    """The phrases whose readings pypinyin knows: words of a lexicon. ``wanted_by``: what asks, for the UserError where
    pypinyin is not installed."""
    text = (package_folder("pypinyin", wanted_by) / "phrases_dict.json").read_text("utf-8")
    return frozenset(_KEY.findall(text))  # a tenth of the time of parsing the readings as well


def frequencies() -> tuple[dict[str, int], float]:
    """How often each word comes, and the logarithm of all occurrences. Raises UserError where jieba is not installed."""
    counts, total, _ = _dictionary()
    return counts, total


def kind_of(word: str) -> str:
    """The part of speech of a word, as jieba's dictionary has it ("n", "v", "p" ...); that of its last character for a word that
    it lacks, and "x" for what it does not know at all. Raises UserError where jieba is not installed."""
    kinds = _dictionary()[2]
    return kinds.get(word) or kinds.get(word[-1:]) or "x"


@lru_cache(maxsize=1)
def _dictionary() -> tuple[dict[str, int], float, dict[str, str]]:
    """How often each word comes, the logarithm of all occurrences, and the words' parts of speech."""
    words, counts, kinds = entries("words of Chinese lines")
    known = {word: count for word, count in zip(words, counts, strict=True) if len(word) <= _LONGEST}
    return known, math.log(sum(known.values())), {w: k for w, k in zip(words, kinds, strict=True) if w in known}
