"""Chinese words, which display lines keep whole: ``北京|大学``, ``2月28日``, ``三只|小猫``.

The words are those of ``synth.corpus.words``, which are looked up only where such a line has to be broken.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from synth.corpus.words import HAN_RUN, words_of

_MEASURES = [
    "年",
    "月",
    "日",
    "号",
    "点",
    "时",
    "分",
    "秒",
    "元",
    "块",
    "角",
    "个",
    "个小时",
    "个半小时",
    "个月",
    "个星期",
    "个人",
    "位",
    "名",
    "只",
    "条",
    "张",
    "本",
    "册",
    "页",
    "章",
    "楼",
    "层",
    "号楼",
    "室",
    "路",
    "岁",
    "天",
    "周",
    "星期",
    "小时",
    "学时",
    "课时",
    "分钟",
    "公里",
    "千米",
    "米",
    "厘米",
    "公斤",
    "千克",
    "克",
    "吨",
    "升",
    "度",
    "倍",
    "次",
    "届",
    "期",
    "家",
    "所",
    "间",
    "座",
    "台",
    "辆",
    "架",
    "艘",
    "件",
    "套",
    "双",
    "杯",
    "瓶",
    "碗",
    "盘",
    "份",
    "包",
    "袋",
    "盒",
    "箱",
    "斤",
    "两",
    "亩",
    "种",
    "类",
    "项",
    "段",
    "句",
    "首",
    "支",
    "枝",
    "朵",
    "棵",
    "片",
    "块",
    "把",
    "门",
    "万",
    "亿",
    "折",
    "成",
    "站",
    "人",
]
_UNIT = "|".join(sorted(set(_MEASURES), key=lambda unit: -len(unit)))
_COUNTED = re.compile(
    rf"[第约共每近]?(?:[0-9]+(?:[.,:：][0-9]+)*|[〇零一二两三四五六七八九十百千万亿几半]+) ?(?:{_UNIT})(?:[0-9]+(?:{_UNIT}))*"
)
_SCORE = re.compile(r"[0-9]{1,3}(?:比|[-–—:：])[0-9]{1,3}")
_ADDRESS = re.compile(r"[\u4e00-\u9fff]{2}[路街巷道] ?[0-9]{1,4}号")  # most names have two characters
_PHRASE = re.compile(
    r"(?:(?:January|February|March|April|May|June|July|August|September|October|November|December|Jan|Feb|Aug|Sept|Oct|Nov|Dec)"
    r"(?= \d)|\d(?= (?:a\.m\.|p\.m\.|km\b|kg\b|minutes\b|meters\b|millimeters\b|hours\b|days\b|people\b)))( )"
)
_ARTICLE = re.compile(r"\b(?:[Aa]|[Aa]n|[Tt]he)(?= \w)( )")
_GLANCE = 90  # chosen: characters; in a longer text lines that stop early are worse than an article at their end
_TITLE = re.compile("《[^《》]{1,8}》")  # longer ones may be parted
_TRAILING = frozenset("的了着过地得们吗呢吧啊呀嘛里上中下内外旁间处室馆站厅亭")
"""Particles, and what says where, that lean on the word before them: 数字里, 树下."""
_LEADING = frozenset("在已仍请再就也不没把被让从对向将由与和及或这那每各某新老大小")
"""Words of one character that belong to what follows: 在这里, 仍无法, 那家, 新图书馆."""


def inside_words(text: str) -> frozenset[int]:
    """Places in ``text`` where a break would part a word, a number and its measure word, or a particle or preposition from its
    word."""
    found: set[int] = set()
    for run in HAN_RUN.finditer(text):
        at = run.start()
        for word in _parted(words_of(run[0])):
            found.update(range(at + 1, at + len(word)))
            if word[0] in _TRAILING and len(word) == 1 and at > 0:
                found.add(at)
            at += len(word)
            if len(word) == 1 and word in _LEADING and at < run.end():
                found.add(at)
    titles = (range(title.start() + 1, title.end()) for title in _TITLE.finditer(text))
    return inside_counts(text) | found.union(*titles)


def _parted(words: Sequence[str]) -> list[str]:
    """The words, 处在 as 处 and 在 where it is a counter that is somewhere: 失物招领处 / 在158室."""
    return [part for at, word in enumerate(words) for part in (word if word == "处在" and at else (word,))]


def inside_phrases(text: str) -> frozenset[int]:
    """Spaces of an English text at which a break would part a month and its day, or a number and its unit; of one that is read
    at a glance also an article and its word."""
    found = [match.start(1) for match in _PHRASE.finditer(text)]
    glance = len(text) <= _GLANCE
    return frozenset([*found, *(match.start(1) for match in _ARTICLE.finditer(text) if glance)])


def inside_counts(text: str) -> frozenset[int]:
    """Places where a break would part a number and its measure word, the two of a score, or a street and its number, which no text does."""
    found = (*_COUNTED.finditer(text), *_SCORE.finditer(text), *_ADDRESS.finditer(text))
    return frozenset(at for match in found for at in range(match.start() + 1, match.end()))
