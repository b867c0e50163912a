"""Lines of a short English text that end where a reader would pause: the post office / opens again, not the post / office.

Shaped, number of lines ──sense_lines──> the lines whose ends cost least, and which differ least in length
"""

from __future__ import annotations

import re
from itertools import combinations, pairwise

from synth.typeset.shaped import Shaped, Span

_WORDS = 18  # chosen: of a text that is set so; a longer one is prose
_LEADING = re.compile(
    r"a|an|the|of|to|in|on|at|by|for|from|with|without|into|onto|over|under|until|before|after|about|"
    r"across|behind|beside|between|near|per|than|and|or|but|nor|that|which|who|whose|when|where|while|if|"
    r"as|not|no|your|my|our|their|his|her|its|this|these|those|every|each|more|most|very|is|are|was|were|"
    r"be|will|would|can|must|may",
    re.IGNORECASE,
)
"""Words that lean on what follows, so that a line begins with them and never ends with them."""
_HEADS = re.compile(
    r"office|hall|station|room|store|garden|gardens|park|shop|house|stop|bar|box|desk|market|museum|"
    r"library|hotel|school|street|road|lane|bridge|ticket|tickets|bread|soup|tea|coffee|cake|juice|card|"
    r"cards|pool|center",
    re.IGNORECASE,
)
"""Words that a noun before them most often belongs to: post office, city hall, apple juice."""
_PAUSE = re.compile(r"[,;:.!?…—][”’\")]*$")
_STOP = re.compile(r"[.!?…][”’\")]*$")
_ORDINARY, _CUT = 0.35, 1.0
"""Chosen: what an end costs between any two words, and within a name, before a head, or behind a word that leans on the
next; a pause costs nothing. A line that is empty would cost 1 for its length."""
_SHORT = 0.35  # chosen: of the longest line, below which a line looks lost


def sense_lines(shaped: Shaped, count: int, room: float, letter: float) -> list[Span] | None:
    """So many lines of at most ``room`` em; None where the text is Chinese, long or of several paragraphs, or has no such
    lines."""
    if shaped.language != "en" or len(shaped.paragraphs) > 1:
        return None
    units = shaped.units()
    if not count <= len(units) <= _WORDS:
        return None
    words = [shaped.paragraphs[0][start:end] for start, end in units]
    inside = {at for at in range(1, len(units)) if units[at - 1][1] == units[at][0]}  # of self-service, of an address
    costs = [0.0, *(_CUT if at in inside else _cost(words, at) for at in range(1, len(words)))]
    best: tuple[float, list[Span]] | None = None
    for ends in combinations(range(1, len(words)), count - 1):
        lines = [
            Span(0, units[a][0], units[b - 1][1], a == 0, b == len(words)) for a, b in pairwise((0, *ends, len(words)))
        ]
        widths = [shaped.width(line, letter) for line in lines]
        longest = max(widths)
        if longest > room + 1e-9:
            continue
        uneven = sum(1 - width / longest for width in widths) / count
        cost = uneven + sum(costs[end] for end in ends) / count + (_ORDINARY if min(widths) < _SHORT * longest else 0.0)
        if best is None or cost < best[0]:
            best = cost, lines
    return best[1] if best else None


def _cost(words: list[str], at: int) -> float:
    """Of an end before ``words[at]``."""
    before, after = words[at - 1], words[at]
    if _LEADING.fullmatch(before.strip('“‘("')) or (at > 1 and _STOP.search(words[at - 2])):
        return _CUT  # as well where a sentence has just begun
    if _PAUSE.search(before):
        return 0.0
    if _LEADING.fullmatch(after):
        return 0.1
    named = before[:1].isupper() and after[:1].isupper() and not all(word[:1].isupper() for word in words)
    return _CUT if named or _HEADS.fullmatch(after.strip(".,;:!?")) else _ORDINARY
