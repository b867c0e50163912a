"""Text that captions quote: what stands between quotation marks, and what is left without it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

_SPANS = re.compile(
    r'"([^"]+)"|“([^”]+)”|「([^」]+)」|『([^』]+)』|«([^»]+)»|《([^》]+)》|‘([^’]+)’|(?<!\w)\'([^\']+)\'(?!\w)'
)
"""As captioners and our own captions set them; an apostrophe inside of a word is none."""


def quotes(texts: Sequence[str]) -> bool:
    """Whether one of ``texts`` quotes something."""
    return any(quotations(texts))


def quotations(texts: Sequence[str]) -> Iterator[str]:
    """What ``texts`` quote, in turn."""
    return (part for text in texts for found in _SPANS.findall(text) for part in found if part.strip())


def unquoted(text: str) -> str:
    """``text`` without what it quotes, and without the marks around that."""
    return _SPANS.sub(" ", text)


def split_quotes(text: str) -> list[tuple[str, bool]]:
    """``text`` cut into parts, in its order, and whether each is what a pair of marks encloses; the marks are outside."""
    parts, at = list[tuple[str, bool]](), 0
    for found in _SPANS.finditer(text):
        start, end = next(span for span in map(found.span, range(1, _SPANS.groups + 1)) if span[0] >= 0)
        parts += [(text[at:start], False), (text[start:end], True)]
        at = end
    return [part for part in [*parts, (text[at:], False)] if part[0]]
