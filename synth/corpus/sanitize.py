"""Foreign text as it may be drawn: what draws nothing or is no text is taken out, what we cannot set is refused.

    raw ──sanitize──> Sanitized(text, what was taken out)   or   Refused(reason)

Taken out: control and format characters (zero-width ones, bidi marks, soft hyphens), variation selectors, emoji.
Refused whole: right-to-left scripts, lone surrogates, private-use and unassigned characters. Text comes out in NFC
with single spaces.
"""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass

import regex

_RIGHT_TO_LEFT = ("R", "AL", "AN")  # bidirectional classes
_TAKEN = {
    # A keycap leaves its digit. Pictographs that are text by default (©, ™, ☎) go only with the selector for emoji.
    "emoji": regex.compile(r"\p{Emoji_Presentation}|\p{Extended_Pictographic}\uFE0F|\uFE0F?\u20E3|\p{Emoji_Modifier}"),
    "variation selector": regex.compile(r"\p{Variation_Selector}"),
    "zero-width or bidi mark": regex.compile(r"\p{Cf}"),
    "control character": regex.compile(r"[\p{Cc}--[\t\n\v\f\r\x85]]", regex.V1),
}
_ODD = regex.compile(  # with str.isprintable, which sees what has no shape
    r"[\p{Bidi_Class=R}\p{Bidi_Class=AL}\p{Bidi_Class=AN}\p{Variation_Selector}\p{Emoji_Presentation}\u20E3]"
)


@dataclass(frozen=True)
class Sanitized:
    """A text that may be drawn, empty where nothing was left, and what was taken out of it."""

    text: str
    taken: tuple[str, ...] = ()


@dataclass(frozen=True)
class Refused:
    """A text that may not be drawn."""

    reason: str


def sanitize(raw: str) -> Sanitized | Refused:
    """One paragraph, cleaned; white space of any kind, line ends too, becomes one space."""
    text, taken = raw, []
    if not text.isprintable() or _ODD.search(text):  # most texts hold nothing of the kind
        reason = next(filter(None, map(_refusal, text)), None)
        if reason:
            return Refused(reason)
        for what, pattern in _TAKEN.items():
            text, count = pattern.subn("", text)
            if count:
                taken.append(what)
    return Sanitized(" ".join(unicodedata.normalize("NFC", text).split()), tuple(taken))


def _refusal(character: str) -> str | None:
    category = unicodedata.category(character)
    if category == "Cs":
        return "lone surrogate"
    if category in ("Co", "Cn"):
        return "private-use or unassigned character"
    return "right-to-left" if unicodedata.bidirectional(character) in _RIGHT_TO_LEFT else None
