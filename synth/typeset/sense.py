"""Lines of a short text that end where a reader would pause: the post office / opens again, not the post / office;
明天下雨，/ 我们就去看展览, not 明天下 / 雨，我们就 / 去看展览.

Shaped, ways to set it ──best_lines──> the way and the lines whose ends cost least, and which differ least in length
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import NamedTuple

from synth.errors import Undrawable
from synth.typeset.block import Block
from synth.typeset.phrasing import chinese_ends
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
_DESCRIBING = re.compile(
    r"old|new|small|large|big|little|long|short|high|low|deep|early|late|fresh|cold|cool|hot|warm|quiet|loud|"
    r"bright|dark|soft|hard|heavy|free|public|private|main|local|whole|full|good|best|fine|red|blue|thorny|"
    r"green|yellow|white|black|brown|gray|wooden|first|second|third|next|last|other|extra|many|few|some|any|all|both|"
    r"one|two|three|four|five|six|seven|eight|nine|ten|daily|weekly|Chinese|English|homemade|ripe|sweet|wild|\d+",
    re.IGNORECASE,
)
"""Words that most often say how the next one is, or how many."""
_SUBJECTS = re.compile(r"it|you|we|they|he|she|I|there|here|what", re.IGNORECASE)
"""Words that a verb follows at once."""
_HEADS = re.compile(
    r"office|hall|station|room|store|garden|gardens|park|shop|house|stop|bar|box|desk|market|museum|"
    r"library|hotel|school|street|road|lane|bridge|ticket|tickets|bread|soup|tea|coffee|cake|juice|card|"
    r"cards|pool|center|aid",
    re.IGNORECASE,
)
"""Words that a noun before them most often belongs to: post office, city hall, apple juice."""
_PAUSE = re.compile(r"[,;:.!?…—][”’\")]*$")
_STOP = re.compile(r"[.!?…][”’\")]*$")
_ORDINARY, _CUT = 0.35, 1.0
"""Chosen: what an end costs between any two words, and within a name, before a head, or behind a word that leans on the
next; a pause costs nothing. A line that is empty would cost 1 for its length."""
_SHORT, _LOST = 0.5, 1.0  # chosen: of the longest line, below which a line looks lost, and what that costs
_FEW = 4  # chosen: lines of a text that is read at a glance
_ROOMY = 7.0  # chosen, em: of a measure in which phrases have room
_TORN = 0.4  # chosen: what each end costs besides that parts what belongs together; type may be a third smaller for it
_PASSED = 0.3  # chosen: what a pause costs that stands within a line where other lines end without one


class Way(NamedTuple):
    """So many ``lines`` of at most ``room`` em, and what is lost by it besides (``cost``)."""

    lines: int
    room: float
    cost: float = 0.0


def best_lines(shaped: Shaped, letter: float, ways: Sequence[Way]) -> tuple[int, list[Span]] | None:
    """Of several ways to set a short text of one paragraph the best one, and its lines; None where there is none, or the text is
    long or of several paragraphs."""
    if len(shaped.paragraphs) > 1:
        return None
    units = shaped.units(whole_words=shaped.language != "en")
    if not 1 < len(units) <= _WORDS:
        return None
    ends = _ends(shaped, units)
    widths = _widths(shaped, units, letter)
    best: tuple[float, int, tuple[int, ...]] | None = None
    for number, way in enumerate(ways):
        if way.lines > len(units) or (best and way.cost >= best[0]):
            continue
        for chosen in combinations(range(1, len(units)), way.lines - 1):
            cost = way.cost + _cost(chosen, widths, ends, way.room)
            if best is None or cost < best[0]:
                best = cost, number, chosen
    if best is None or best[0] == float("inf"):
        return None
    last = len(units)
    lines = [Span(0, units[a][0], units[b - 1][1], a == 0, b == last) for a, b in pairwise((0, *best[2], last))]
    return best[1], lines


def torn(shaped: Shaped, block: Block, width: float) -> bool:
    """Whether a short text of one paragraph on a few lines has one that ends within what belongs together, though it has ``width``
    px, in which it could do better."""
    if not 1 < len(block.lines) <= _FEW or (width < _ROOMY * block.size and shaped.length > _WORDS):
        return False
    units = shaped.units(whole_words=shaped.language != "en")
    if len(shaped.paragraphs) > 1 or len(units) > _WORDS:
        return False
    costs = {start: cost for (start, _), cost in zip(units, _ends(shaped, units), strict=True)}
    return any(costs.get(line.glyphs[0].start, _CUT) >= _CUT for line in block.lines[1:])


def check_whole(shaped: Shaped, block: Block, width: float) -> None:
    """Raise Undrawable where a text is ``torn``."""
    if torn(shaped, block, width):
        raise Undrawable("lines would end within what belongs together")


def _ends(shaped: Shaped, units: Sequence[tuple[int, int]]) -> list[float]:
    """What it costs that a line ends before each unit of the first paragraph."""
    words = [shaped.paragraphs[0][start:end] for start, end in units]
    return _english_ends(words, units) if shaped.language == "en" else chinese_ends(words)


def _widths(shaped: Shaped, units: Sequence[tuple[int, int]], letter: float) -> list[list[float]]:
    """Em of the units a to b - 1 on one line, by [a][b]."""
    size = len(units)
    return [
        [
            shaped.width(Span(0, units[a][0], units[b - 1][1], False, False), letter) if b > a else 0.0
            for b in range(size + 1)
        ]
        for a in range(size)
    ]


def _cost(chosen: tuple[int, ...], widths: list[list[float]], ends: Sequence[float], room: float) -> float:
    """Of lines that begin with these units: unlike lengths, and ends within what belongs together; infinite where they do not
    fit."""
    bounds = (0, *chosen, len(widths))
    lengths = [widths[a][b] for a, b in pairwise(bounds)]
    longest = max(lengths)
    if longest > room + 1e-9:
        return float("inf")
    uneven = sum(1 - length / longest for length in lengths) / len(lengths)
    cut = sum(ends[end] for end in chosen)
    passed = sum(ends[at] == 0 for at in range(1, len(widths)) if at not in chosen) if cut else 0
    lost = any(
        length < _SHORT * longest
        and not (0 < at < len(widths) and ends[at] == 0)  # a short word behind a pause stands out
        for at, length in zip(bounds, lengths, strict=False)
    )
    torn_ends = sum(ends[end] >= _CUT for end in chosen)
    return uneven + (cut + _PASSED * passed) / len(lengths) + _TORN * torn_ends + _LOST * lost


def _english_ends(words: Sequence[str], units: Sequence[tuple[int, int]]) -> list[float]:
    """What it costs that a line ends before each of the words, 0 before the first."""
    inside = {at for at in range(1, len(units)) if units[at - 1][1] == units[at][0]}  # of self-service, of an address
    return [0.0, *(_CUT if at in inside else _before(words, at) for at in range(1, len(words)))]


def _before(words: Sequence[str], at: int) -> float:
    """Of an end before ``words[at]``."""
    before, after = words[at - 1].split(" ")[-1], words[at].split(" ")[0]  # "the thorny" is one of them
    if _LEADING.fullmatch(before.strip('“‘("')) or (at > 1 and _STOP.search(words[at - 2])):
        return _CUT  # as well where a sentence has just begun
    if _PAUSE.search(before):
        return 0.0
    if _SUBJECTS.fullmatch(before):
        return _CUT
    if _LEADING.fullmatch(after):
        return 0.1
    if _DESCRIBING.fullmatch(before):
        return _CUT
    named = before[:1].isupper() and after[:1].isupper() and not all(word[:1].isupper() for word in words)
    return _CUT if named or _HEADS.fullmatch(after.strip(".,;:!?")) else _ORDINARY
