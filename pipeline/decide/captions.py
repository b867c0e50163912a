"""S3 on captions: a bad caption is marked, and the picture stays.

The verdict on a caption needs its text and its length only.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from configs.prompts import CLOSING_TOKENS

_REFUSED = (
    r"\bsorry[,.;:]? (but )?(i|we) (can ?not|can['’]t|am unable|['’]m unable|am not able|['’]m not able)",
    r"\b(i|we) (can ?not|can['’]t|am (unable|not able) to|['’]m (unable|not able) to|could not|couldn['’]t) (provide|describe|generate|create"
    r"|assist|identify|fulfill|comply|view|access|process|analy[sz]e|help (you|with)|see (the|this|any) (image|picture|photo))",
    r"\bas an? (ai|(large |visual )?language model|artificial intelligence)\b",
    r"\b(please (provide|upload|share) (an?|the|your) (image|picture|photo)|no image (was|has been|is) (provided|attached))",
    r"(抱歉|对不起|很遗憾|不好意思)[,，。!！]?.{0,6}(无法|不能|没法|没有办法)",
    r"(我|本模型)(无法|不能|没法|没有办法)(直接)?(查看|看到|提供|识别|描述|生成|帮助|协助|处理|访问|分析|回答|满足)",
    r"作为(一个|一名|一款)?(ai|人工智能|大?语言模型|视觉模型)",
    r"请(您|你)?(提供|上传|发送)(一张|您的|你的|相关)?(图片|图像|照片)",
    r"<\|\w{1,32}\|>",
)
"""Answers of a captioner that are no captions (report 3.1, S3 names the first), and control tokens that it forgot to take
out, such as <|im_end|>; chosen but for the first. What a caption quotes is not looked at: a poster may say it."""

_NO_CAPTION = (
    r"\W*(https?://|www\.)\S+\W*",
    r"\W*(img|dsc|dscn|dscf|pxl|mvimg|wechatimg|微信图片|screenshot|屏幕截图|截屏)[\W_]*[\d\W_]*(\.\w{3,4})?\W*",
    r"\S+\.(jpe?g|png|webp|gif|bmp|tiff?|heic|avif)",
    r"\W*(untitled|no (caption|title|description|alt text)|image|picture|photo|null|none|n/?a|nan|undefined|无标题|未命名|暂无(描述|标题)|图片|照片)\W*",
    r"(</?\w+[^<>]*>\s*)+",
    r"[\s\d.,:;/#_+-]+",
)
"""Whole captions that say nothing: addresses, names of files, placeholders of sites, tags, numbers alone; chosen."""


@dataclass(frozen=True)
class CaptionConfig:
    """``max_tokens``: Qwen BPE tokens of the caption and the 5 that close its template, all that the network sees: what the
    trainer's ``max_text_tokens`` counts. The released pipeline cuts there, at 512 by default, 1024 at most.
    ``invalid``: regular expressions, case ignored, any of which refuses a caption where it is found outside of quotes.
    ``empty``: the same for whole captions. ``sources``: the splits of S3 that are trained on, by who wrote a caption.
    ``min_align_zh``, ``min_align_siglip``: of raw captions that an annotator
    has scored, the lowest cosine with the picture; the first one judges Chinese captions only. null: any."""

    max_tokens: int = 512
    invalid: tuple[str, ...] = _REFUSED
    empty: tuple[str, ...] = _NO_CAPTION
    sources: tuple[Literal["raw", "recaption", "fused", "template"], ...] = ("raw", "recaption", "fused", "template")
    min_align_zh: float | None = None
    min_align_siglip: float | None = None

    def __post_init__(self) -> None:
        if self.max_tokens < 1:
            raise ValueError(f"field 'max_tokens': must be at least 1, found {self.max_tokens}")
        for name in ("invalid", "empty"):
            for index, pattern in enumerate(getattr(self, name)):
                try:
                    re.compile(pattern)
                except re.error as error:
                    raise ValueError(f"field '{name}.{index}': '{pattern}' is no regular expression: {error}") from None
        for name in ("min_align_zh", "min_align_siglip"):
            if (least := getattr(self, name)) is not None and not -1 <= least <= 1:
                raise ValueError(f"field '{name}': a cosine from -1 to 1, or null, found {least:g}")


_UNSEEN = re.compile(r"[\u034f\u115f\u1160\u2800\u3164\uffa0\ufe00-\ufe0f\U000e0100-\U000e01ef]")
"""Letters and marks that show nothing: joiners, fillers of Hangul, the empty Braille cell, variation selectors."""


_QUOTED = re.compile("\"[^\"]*\"|“[^”]*”|「[^」]*」|『[^』]*』|《[^》]*》|(?<!\\w)'[^']*'(?!\\w)")
"""Quoted text and its quotes; an apostrophe inside of a word is none."""

_NO_INK = ("Zs", "Zl", "Zp", "Cc", "Cf", "Cs")
"""Categories of Unicode: separators, controls, format characters such as U+200B, halves of pairs."""


def _is_blank(text: str) -> bool:
    """Nothing in it can be seen."""
    return all(unicodedata.category(c) in _NO_INK or _UNSEEN.match(c) for c in text)


class CaptionJudge:
    """Applies a CaptionConfig to the columns ``captions`` and ``instructions``."""

    def __init__(self, config: CaptionConfig) -> None:
        self.max_tokens, self.sources = config.max_tokens, frozenset(config.sources)
        # One by one: the alternatives of a joined pattern are tried at every letter, which takes twice as long.
        self.refused = [re.compile(pattern, re.IGNORECASE) for pattern in config.invalid]
        self.empty = re.compile("|".join(f"(?:{p})" for p in config.empty) or r"(?!)", re.IGNORECASE)
        self.least = {"align_zh": config.min_align_zh, "align_siglip": config.min_align_siglip}

    def verdict(self, caption: Mapping[str, Any]) -> str | None:
        """The operator that refuses the caption, or None; one that collecting could not read stays refused as it was."""
        text = caption.get("text") or ""
        if _is_blank(text):
            return caption.get("invalid") or "S3.empty"
        if self._says_nothing(text):
            return "S3.invalid"
        if (caption.get("tokens") or 0) + CLOSING_TOKENS > self.max_tokens:
            return "S3.length"
        if caption.get("source") and caption["source"] not in self.sources:
            return "S3.source"
        return "S3.alignment" if self._is_off(caption) else None

    def _says_nothing(self, text: str) -> bool:
        # Quotes are taken out of the few texts alone that would be refused with them.
        if any(pattern.search(text) and pattern.search(_QUOTED.sub("", text)) for pattern in self.refused):
            return True
        return self.empty.fullmatch(text.strip()) is not None

    def _is_off(self, caption: Mapping[str, Any]) -> bool:
        """Whether a scored caption does not fit its picture."""
        judges = ("align_zh", "align_siglip") if caption.get("language") == "zh" else ("align_siglip",)
        return any(
            (least := self.least[name]) is not None and (cosine := caption.get(name)) is not None and cosine < least
            for name in judges
        )

    def judge(self, captions: Sequence[Mapping[str, Any]] | None) -> list[dict[str, Any]] | None:
        """The captions with their verdicts."""
        return None if captions is None else [{**c, "invalid": self.verdict(c)} for c in captions]


def flat(captions: Sequence[Mapping[str, Any]] | None) -> tuple[int, str | None]:
    """(n_captions, caption_languages) of judged captions."""
    valid = [c for c in captions or () if not c.get("invalid")]
    return len(valid), "+".join(sorted({str(c["language"]) for c in valid})) or None
