"""Chinese words: a run of characters cut into its likeliest words.

The words and how often they come are jieba's dictionary's (MIT), the cut is its own too: the likeliest row of words, each
as likely as it is frequent. jieba itself takes five seconds to load; this takes a third of one, when it is first asked.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache

from configs.files import package_folder

HAN_RUN = re.compile(r"[\u3400-\u9fff]+")
_LONGEST = 6  # characters of a word
_RARE = math.log(0.5)  # of a single character that the dictionary lacks


@lru_cache(maxsize=4096)
def words_of(run: str) -> tuple[str, ...]:
    """The likeliest words of a run of Chinese characters."""
    frequencies, total = _dictionary()
    best: list[tuple[float, int]] = [(0.0, 0)] * (len(run) + 1)
    for start in range(len(run) - 1, -1, -1):
        ends = range(start + 1, min(start + _LONGEST, len(run)) + 1)
        best[start] = max(
            (frequencies.get(run[start:end], _RARE) - total + best[end][0], end)
            for end in ends
            if end == start + 1 or run[start:end] in frequencies
        )
    words, at = [], 0
    while at < len(run):
        words.append(run[at : best[at][1]])
        at = best[at][1]
    return tuple(words)


@lru_cache(maxsize=1)
def _dictionary() -> tuple[dict[str, float], float]:
    """The logarithm of each word's frequency, and of their sum. Raises UserError where jieba is not installed."""
    lines = (package_folder("jieba", "words of Chinese lines") / "dict.txt").read_text("utf-8").splitlines()
    entries = (line.split(" ", 2) for line in lines)
    counts = {word: int(count) for word, count, _ in entries if len(word) <= _LONGEST}
    total = math.log(sum(counts.values()))
    return {word: math.log(max(count, 1)) for word, count in counts.items()}, total
