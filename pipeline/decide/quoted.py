"""Text that captions quote against text that was read in the picture (S4): a captioner that makes words up is found out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rapidfuzz.fuzz import partial_ratio

from configs.quotes import quotations
from pipeline.ocr.lines import normalize


def quoted_read(captions: Sequence[Mapping[str, Any]], read: str | None) -> float | None:
    """Share of the characters that a row's judged captions quote which stand in ``read``, 0..1; None without either.

    Each quotation is laid over the place of ``read`` that it fits best (rapidfuzz's partial ratio, without case and white
    space); the mean is weighted by length. A caption that is refused already says nothing.
    """
    texts = [c["text"] for c in captions if not c.get("invalid")]
    quoted = [plain for part in quotations(texts) if (plain := normalize(part).casefold())]
    if read is None or not quoted:
        return None
    there = normalize(read).casefold()
    found = sum(len(part) * _fit(part, there) for part in quoted)
    return found / sum(map(len, quoted))


def _fit(part: str, text: str) -> float:
    if len(text) < len(part):  # a partial ratio would lay the text over the quotation
        return partial_ratio(text, part) / 100 * len(text) / len(part) if text else 0.0
    return partial_ratio(part, text) / 100
