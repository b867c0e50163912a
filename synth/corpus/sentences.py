"""A paragraph's sentences: cut after . ! ? and their Chinese forms, with the quotes and brackets that close there.

What stands between quotation marks or brackets stays in one piece, so that no sentence holds half of a pair.
"""

from __future__ import annotations

import regex

_CLOSERS = "”’」』）)］】》〉\"'"
_END = regex.compile(
    rf"[。！？…]*[。！？]+[{_CLOSERS}]*"  # Chinese ends its sentences without a space
    rf"|[.!?]+[{_CLOSERS}]*(?=\s|$)"
)
_OPENING = {"“": "”", "「": "」", "『": "』", "（": "）", "(": ")", "《": "》", "【": "】"}
_CLOSING = frozenset(_OPENING.values())


def split_sentences(paragraph: str) -> list[str]:
    """The sentences of a paragraph without the white space between them, all of its visible characters in order."""
    found, start = [], 0
    for end in (found_end.end() for found_end in _END.finditer(paragraph)):
        at = _before_opening(paragraph, start, end)
        if _is_whole(paragraph[start:at]):
            found.append(paragraph[start:at].strip())
            start = at
    found += _rest(paragraph[start:])
    return [sentence for sentence in found if sentence]


def _before_opening(paragraph: str, start: int, end: int) -> int:
    """The end, less a straight quotation mark that opens what follows: one that closes has an open one before it."""
    straight = paragraph[end - 1] == '"' and paragraph[start:end].count('"') % 2 == 1
    return end - 1 if straight and not paragraph[end : end + 1].isspace() and end < len(paragraph) else end


def _is_whole(text: str) -> bool:
    """Whether every quotation mark and bracket that opens in it closes in it."""
    depth = 0
    for character in text:
        depth += (character in _OPENING) - (character in _CLOSING)
    return depth <= 0 and text.count('"') % 2 == 0


def _rest(text: str) -> list[str]:
    """What is left: one sentence, or where a mark never closes, as many as end in it."""
    found, start = [], 0
    for end in _END.finditer(text):
        found.append(text[start : end.end()].strip())
        start = end.end()
    return [*found, text[start:].strip()]
