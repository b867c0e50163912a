"""Captions as bytes become text strictly, or a fault that says why not: a caption that cannot be read is told, never guessed.

A fault costs its caption alone. It travels with the picture as a caption without text, whose ``invalid`` is the
fault's code, so that it is counted beside the captions that the S3 rules refuse.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from typing import Any, Literal

CaptionSource = Literal["raw", "recaption", "fused"]
"""Who wrote a caption: it came with the picture, a model wrote it, or a model joined both (report 3.2)."""

TEXT_LIMIT = 1 << 20
"""Bytes of a text that holds captions; a larger one is no caption; chosen."""

ENCODING, LENGTH, UNREADABLE = "S3.encoding", "S3.length", "S3.unreadable"
"""Codes of faults: it is not in the encoding it should be in; it is too long; it cannot be had."""


class CaptionFault(Exception):
    """There should be captions and there is no reading them. ``code``: for ``invalid``; the message is the reason."""

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(reason)
        self.code = code


def check_encoding(name: str) -> None:
    """Raise ValueError naming the field ``encoding`` when Python knows no text encoding of this name."""
    try:
        b"".decode(name)
        "".encode(name)
    except LookupError:
        raise ValueError(
            f"field 'encoding': the name of a text encoding such as utf-8, gb18030, big5, found '{name}'"
        ) from None


def decode_text(data: bytes, encoding: str = "utf-8") -> str:
    """The text, of UTF-8 with or without a byte order mark. Raises CaptionFault where bytes or text are not of it."""
    try:
        text = data.decode(strict_name(encoding))
    except (UnicodeDecodeError, ValueError) as error:
        place = f" from byte {error.start}" if isinstance(error, UnicodeDecodeError) else ""
        raise CaptionFault(ENCODING, f"is not {encoding}{place}; 'encoding' names another one") from None
    if is_utf8(encoding) and is_misread(text):
        raise CaptionFault(ENCODING, "is UTF-8 by chance only and reads as GB18030; 'encoding: gb18030' reads it")
    if "\0" in text:
        raise CaptionFault(ENCODING, "holds NUL characters: not a text, or one in UTF-16; 'encoding' names another one")
    return text


_SCRIPTS = (
    *("[\\xc0-\\u024f]", "[\\u0370-\\u03ff]", "[\\u0400-\\u052f]", "[\\u0531-\\u058f]", "[\\u0591-\\u05ff]"),
    *("[\\u0600-\\u06ff]", "[\\u0250-\\u036f]", "[\\u0700-\\u07ff]"),
)


def is_misread(text: str) -> bool:
    """Whether a text decoded as UTF-8 was Chinese in GB18030 before: 一只猫 has the bytes of \u04bb\u05bb\u00e8.

    Some short Chinese texts are valid UTF-8. What gives them away: letters of several scripts side by side (Latin,
    Greek, Cyrillic, Armenian, Hebrew, Arabic ...), of which every byte pair is a Chinese character of GB 2312.
    """
    foreign = "".join(c for c in text if not c.isascii())
    if not foreign or max(foreign) > "\u07ff" or sum(bool(re.search(s, foreign)) for s in _SCRIPTS) < 2:
        return False
    try:
        foreign.encode().decode("gb2312")
    except UnicodeDecodeError:
        return False
    return True


def is_utf8(encoding: str) -> bool:
    """Whether it is a name of UTF-8."""
    return codecs.lookup(encoding).name in ("utf-8", "utf-8-sig")


def strict_name(encoding: str) -> str:
    """The name by which Python decodes it: UTF-8 may begin with a byte order mark."""
    return "utf-8-sig" if is_utf8(encoding) else encoding


def captions_of(
    texts: Iterable[str], faults: Iterable[str] = (), source: CaptionSource = "raw"
) -> list[dict[str, Any]]:
    """The column ``captions``: texts, then one without text for each fault (its code)."""
    return [
        *({"text": text, "source": source} for text in texts),
        *({"text": "", "source": source, "invalid": code} for code in faults),
    ]
