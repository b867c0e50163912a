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

_REFUSED = {
    "lone surrogate": regex.compile(r"\p{Cs}"),
    "private-use or unassigned character": regex.compile(r"[\p{Co}\p{Cn}]"),
    "right-to-left": regex.compile(r"[\p{Bidi_Class=R}\p{Bidi_Class=AL}\p{Bidi_Class=AN}]"),
}
_TAKEN = {
    # A keycap leaves its digit. Pictographs that are text by default (©, ™, ☎) go only with the selector for emoji.
    "emoji": regex.compile(r"\p{Emoji_Presentation}|\p{Extended_Pictographic}\uFE0F|\uFE0F?\u20E3|\p{Emoji_Modifier}"),
    "variation selector": regex.compile(r"\p{Variation_Selector}"),
    "zero-width or bidi mark": regex.compile(r"\p{Cf}"),
    "control character": regex.compile(r"[\p{Cc}--[\t\n\v\f\r\x85]]", regex.V1),
}
_ODD = regex.compile(  # categories by ``regex``, whose version the digest covers; the interpreter's own differ
    r"[\p{C}\p{Zl}\p{Zp}\p{Bidi_Class=R}\p{Bidi_Class=AL}\p{Bidi_Class=AN}\p{Variation_Selector}\p{Emoji_Presentation}\u20E3]"
)


_WHITE = regex.compile(r"\s+")
_GLUE = "\u00a0\u2007\u202f"  # no-break spaces of several widths


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
    """One paragraph, cleaned; white space of any kind, line ends too, becomes one space, which may glue."""
    text, taken = raw, []
    if _ODD.search(text):  # most texts hold nothing of the kind
        reason = next(filter(None, map(_refusal, text)), None)
        if reason:
            return Refused(reason)
        for what, pattern in _TAKEN.items():
            text, count = pattern.subn("", text)
            if count:
                taken.append(what)
    return Sanitized(_spaced(unicodedata.normalize("NFC", text)), tuple(taken))


def _spaced(text: str) -> str:
    """With one space for each run of white space; a no-break space stays one where it stands between two words."""
    return _WHITE.sub(lambda run: "\u00a0" if len(run[0]) == 1 and run[0] in _GLUE else " ", text).strip()


def _refusal(character: str) -> str | None:
    return next((reason for reason, pattern in _REFUSED.items() if pattern.match(character)), None)
