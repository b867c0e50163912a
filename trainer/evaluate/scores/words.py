"""CVTG-2K's way to count words (arXiv 2503.23461), as its authors code it.

truth: what stands in single quotes in the prompt ──lower-cased, split──> words ──> found anywhere?  NED to the nearest
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Sequence

from rapidfuzz.distance import Levenshtein

_QUOTED = re.compile(r"'(.*?)'")
_NEVER_ZERO = 1e-5  # in their denominator


def quoted(prompt: str) -> list[str]:
    """What a prompt asks for: all that stands between single quotes. An apostrophe breaks the match, there as here."""
    return _QUOTED.findall(prompt)


def words(lines: Sequence[str]) -> list[str]:
    """Lower-case words of lines, split at white space."""
    return [word for line in lines for word in line.lower().split()]


def found(wanted: Sequence[str], read: Sequence[str]) -> int:
    """How many of the ``wanted`` words equal any read word; one read word may serve several."""
    there = set(read)
    return sum(word in there for word in wanted)


def similarity(word: str, read: Sequence[str]) -> float:
    """1 - levenshtein / (longer length + 1e-5) to the nearest read word by difflib's ratio; 0 where none was read."""
    nearest = difflib.get_close_matches(word, read or [""], n=1, cutoff=0)[0]
    return 1 - Levenshtein.distance(word, nearest) / (max(len(word), len(nearest)) + _NEVER_ZERO)
