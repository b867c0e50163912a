"""S3 on captions: a bad caption is marked, and the picture stays.

The verdict on a caption needs its text and its length only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from configs.prompts import CLOSING_TOKENS

_REFUSED = (
    r"\bsorry,? (but )?i (can ?not|can't|am unable)",
    r"\bi (can ?not|can't|am unable to) (provide|describe|generate|assist|help)",
    r"\bas an ai\b",
    r"(抱歉|对不起)[,，]?.{0,6}(无法|不能)",
    r"<\|\w{1,32}\|>",
)
"""Answers of a captioner that are no captions (report 3.1, S3 names the first), and control tokens that it forgot to take
out, such as <|im_end|>; chosen but for the first."""


@dataclass(frozen=True)
class CaptionConfig:
    """``max_tokens``: Qwen BPE tokens of the caption and the 5 that close its template, all that the network sees: what the
    trainer's ``max_text_tokens`` counts. The released pipeline cuts there, at 512 by default, 1024 at most.
    ``invalid``: regular expressions, case ignored, any of which refuses a caption."""

    max_tokens: int = 512
    invalid: tuple[str, ...] = _REFUSED

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise ValueError(f"field 'max_tokens': must be at least 1, found {self.max_tokens}")
        for index, pattern in enumerate(self.invalid):
            try:
                re.compile(pattern)
            except re.error as error:
                raise ValueError(f"field 'invalid.{index}': '{pattern}' is no regular expression: {error}") from None


_UNSEEN = re.compile(r"[\u034f\u115f\u1160\u2800\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Letters and marks that show nothing: joiners, fillers of Hangul, the empty Braille cell, variation selectors."""


_NO_INK = ("Zs", "Zl", "Zp", "Cc", "Cf", "Cs")
"""Categories of Unicode: separators, controls, format characters such as U+200B, halves of pairs."""


def _is_blank(text: str) -> bool:
    """Nothing in it can be seen."""
    return all(unicodedata.category(c) in _NO_INK or _UNSEEN.match(c) for c in text)


class CaptionJudge:
    """Applies a CaptionConfig to the columns ``captions`` and ``instructions``."""

    def __init__(self, config: CaptionConfig) -> None:
        self.max_tokens = config.max_tokens
        self.refused = re.compile("|".join(f"(?:{p})" for p in config.invalid) or r"(?!)", re.IGNORECASE)

    def verdict(self, caption: Mapping[str, Any]) -> str | None:
        """The operator that refuses the caption, or None; one that collecting could not read stays refused as it was."""
        text = caption.get("text") or ""
        if _is_blank(text):
            return caption.get("invalid") or "S3.empty"
        if self.refused.search(text):
            return "S3.invalid"
        return "S3.length" if (caption.get("tokens") or 0) + CLOSING_TOKENS > self.max_tokens else None

    def judge(self, captions: Sequence[Mapping[str, Any]] | None) -> list[dict[str, Any]] | None:
        """The captions with their verdicts."""
        return None if captions is None else [{**c, "invalid": self.verdict(c)} for c in captions]


def flat(captions: Sequence[Mapping[str, Any]] | None) -> tuple[int, str | None]:
    """(n_captions, caption_languages) of judged captions."""
    valid = [c for c in captions or () if not c.get("invalid")]
    return len(valid), "+".join(sorted({str(c["language"]) for c in valid})) or None
