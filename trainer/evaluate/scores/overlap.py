"""LongText-Bench's way to count: how much of the asked text occurs in the read one, whatever its order (arXiv 2507.22058).

texts ──joined, cleaned──> words (en), characters (zh) ──multiset intersection──> hits
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

_DROPPED = re.compile(r"[^\u4e00-\u9fa5a-zA-Z0-9\sàâäéèêëîïôöùûüçÀÂÄÉÈÊËÎÏÔÖÙÛÜÇ]")
"""What its cleaner takes out: of the 8,105 characters of the Chinese standard table 276, so no other suite uses it."""


def units(text: str, language: str) -> list[str]:
    """Lower-case words, or of ``zh`` characters in their case without white space."""
    kept = _DROPPED.sub("", text)
    return [c for c in kept if not c.isspace()] if language == "zh" else kept.lower().split()


def overlap(wanted: Sequence[str], read: Sequence[str]) -> int:
    """The size of the intersection of two multisets."""
    return (Counter(wanted) & Counter(read)).total()
