"""Short Chinese texts, a clause to the line: a sign that breaks behind its commas is read at a glance.

先坐下读一章，/ 再决定买不买。      rather than      先坐下读 / 一章，再决定 / 买不买。
"""

from __future__ import annotations

import re
from itertools import pairwise

from synth.typeset.shaped import Shaped, Span

_CLAUSE = re.compile(r"[^，。；：！？]+[，。；：！？]+[”’」』》）]*|[^，。；：！？]+$")
_SHORT = 40  # chosen: characters of a text that is set so; longer ones are prose
_LEAST = 2  # chosen: characters of a clause, with its mark, that are too few for a line
_UNEVEN = 2.2  # chosen: times the shortest line that the longest one may have


def clauses(shaped: Shaped) -> list[Span]:
    """A line for each clause, in their order; empty where the text has but one, is long, or its lines would be too uneven."""
    if shaped.language == "en" or shaped.length > _SHORT:
        return []
    lines = []
    for number, text in enumerate(shaped.paragraphs):
        found = [match.span() for match in _CLAUSE.finditer(text)]
        if not found or found[0][0] > 0 or any(a[1] != b[0] for a, b in pairwise(found)):
            return []  # it begins with a mark
        last = len(found) - 1
        lines += [Span(number, start, end, k == 0, k == last) for k, (start, end) in enumerate(found)]
    lengths = [line.end - line.start for line in lines]
    even = min(lengths) > _LEAST and max(lengths) <= _UNEVEN * min(lengths)
    return lines if len(lines) > len(shaped.paragraphs) and even else []
