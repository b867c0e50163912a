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
from configs.quotes import unquoted

_CANNOT = r"(?:can ?not|can['’]t|could not|couldn['’]t|(?:am|['’]m|are|['’]re) (?:unable|not able) to)"
_LOOK = (
    r"(?:provide|describe|generate|create|assist|identify|fulfill|comply|view|access|process|analy[sz]e|recognize|answer"
    r"|help (?:you|with)|see (?:the |this |that |any |your )?(?:image|picture|photo|file)s?)"
)
_PICTURE = r"(?:image|picture|photo|file|attachment)s?"
_CANNOT_ZH = r"(?:[无無]法|不能|[没沒]法|[没沒]有[办辦]法|[没沒]有看到|未能)"
_LOOK_ZH = r"(?:查看|看到|看見|提供|[识識][别別]|描述|生成|[帮幫]助|[协協]助|[处處]理|[访訪][问問]|分析|回答|[满滿]足|[给給]到)"
_PICTURE_ZH = r"(?:[图圖]片|[图圖]像|照片)"

_REFUSED = (
    rf"\bsorry[,.;:]? (?:but )?(?:i|we|that['’]s) (?:['’]m |am )?(?:{_CANNOT}|not able|unable|beyond)",
    rf"\b(?:i|we) ?{_CANNOT} (?:\w+ly )?{_LOOK}",
    r"\bi (?:do not|don['’]t) (?:have (?:the ability|access|permission) to|see (?:any|an|the) "
    rf"(?:{_PICTURE}) (?:in|attached))",
    r"\b(?:i must|i have to) (?:decline|refuse)\b|\bviolates (?:our|the) (?:usage |content )?polic",
    r"\bas an? (?:ai|(?:large |visual )?language model|artificial intelligence)\b",
    r"\bi(?: a|['’])m (?:\w+, )?(?:an? )?(?:ai (?:assistant|language|model)|large language model|qwen\b|chatgpt\b)",
    rf"\bplease (?:provide|upload|share|attach) (?:an?|the|your) {_PICTURE}",
    rf"\bno {_PICTURE} (?:was|has been|is|were) (?:provided|attached|uploaded|given)|\bforgot to (?:attach|upload)",
    rf"\bno {_PICTURE} to (?:describe|caption|analy[sz]e)|\btoo (?:blurry|dark|small|low)\b.{{0,20}} to (?:describe|caption)",
    rf"\b{_PICTURE} (?:cannot|can['’]t|could not) be (?:displayed|loaded|processed|found)",
    rf"(?:抱歉|[对對]不起|很[遗遺]憾|不好意思)[,，。!！]?.{{0,6}}{_CANNOT_ZH}"
    rf".{{0,6}}(?:{_LOOK_ZH}|{_PICTURE_ZH}|[为為](?:您|你)|完成|[继繼][续續]|[讨討][论論])|[没沒]有可以描述的",
    rf"(?:我|本模型){_CANNOT_ZH}(?:直接)?{_LOOK_ZH}",
    rf"^\W*{_CANNOT_ZH}{_LOOK_ZH}.{{0,12}}{_PICTURE_ZH}|{_PICTURE_ZH}(?:{_CANNOT_ZH}(?:[显顯]示|加[载載])|加[载載]失[败敗])",
    r"作[为為](?:一[个個]|一名|一款)?(?:ai|人工智能|大?[语語]言模型|[视視][觉覺]模型)",
    r"我是.{0,12}(?:人工智能|ai ?助手|ai ?模型|[语語]言模型|通[义義]千[问問])|我[还還][没沒]有?[学學][会會習习].{0,4}(?:回答|描述)",
    r"[请請](?:您|你)?(?:提供|上[传傳]|[发發]送)(?:一[张張]|您的|你的|相[关關])?(?:[图圖]片|[图圖]像|照片)",
    r"(?:内容|[请請]求)(?:可能)?[违違]反",
    r"<\|\w{1,32}\|>",
    r"```",
)
"""Answers of a captioner that are no captions (report 3.1, S3 names the first), and what it forgot to take out: control
tokens such as <|im_end|>, code fences. Chosen but for the first, in simplified and traditional characters. What a caption
quotes is not looked at: a poster may say it."""

_NO_CAPTION = (
    r"\W*(https?://|www\.|file:)\S+\W*",
    r"\W*(img|dsc|dscn|dscf|pxl|mvimg|wechatimg|微信图片|screenshot|屏幕截图|截屏)[\W_]*[\d\W_]*(\.\w{3,4})?\W*",
    r"\S+\.(jpe?g|png|webp|gif|bmp|tiff?|heic|avif)",
    r"\W*(untitled|no (caption|title|description|alt text|image)( available)?|image|picture|photo|null|none|n/?a|nan"
    r"|undefined|placeholder|alt( text)?|(image )?not found|(404|403) .{0,12}(not found|forbidden)|access denied"
    r"|loading|click (here )?to (enlarge|view|zoom).{0,20})\W*",
    r"\W*(无标题|未命名|[暂暫]?[無无](描述|[标標][题題]|[图圖]片)|[图圖]片|照片|加[载載]中|[点點][击擊](查看|[放]大).{0,6})\W*",
    r"\W*((sure|certainly|of course|okay|absolutely)\b.{0,3})?(here['’]?s?( is| are)?|below is)\b[^.]{0,80}:\W*",
    r"\s*\{\s*[\"'].*\}?\s*",
    r"(</?\w+[^<>]*>\s*)+",
    r"[\s\d.,:;/#_+-]+",
)
"""Whole captions that say nothing: addresses, names of files, placeholders of sites, what a captioner says before a
caption, its JSON, tags, numbers alone; chosen."""


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
        if any(pattern.search(text) and pattern.search(unquoted(text)) for pattern in self.refused):
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
