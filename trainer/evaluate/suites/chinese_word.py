"""ChineseWord: one character a picture, over the 8,105 of the Table of General Standard Chinese Characters.

The authors' prompts are not published; this prompt is ours. The score is the accuracy of the three levels weighted by
their sizes, as in the report.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar

import numpy as np

from synth.corpus.builtin import levels_characters
from trainer.evaluate.base import Clean, Item, Judged, Suite
from trainer.evaluate.reading.clean import render
from trainer.evaluate.scores.exact import judge_text

_LEVELS = (1, 2, 3)
_PROMPT = "一张白色背景的图片，正中央写着一个黑色的大字“{}”。"  # chosen


class ChineseWord(Suite):
    name: ClassVar[str] = "chinese_word"
    main = "exact"
    one_line = True
    weights: ClassVar[dict[str, float]] = {f"level {n}": float(len(levels_characters((n,)))) for n in _LEVELS}
    anchors = "Qwen-Image .583 (levels .973, .405, .065), LongCat-Image .907"

    def items(self) -> list[Item]:
        """``config.chinese_word`` characters of each level, evenly over its order in the table; 0: all."""
        width, height = self.config.size
        return [
            Item(f"{level}-{ord(c):X}", _PROMPT.format(c), width, height, (c,), f"level {level}")
            for level in _LEVELS
            for c in evenly(levels_characters((level,)), self.config.chinese_word)
        ]

    def clean(self, items: Sequence[Item]) -> Iterator[Clean | None]:
        return render([item.text for item in items], self.config.size)

    def judge(self, item: Item, lines: Sequence[str]) -> Judged:
        return judge_text(item.text, "".join(lines))


def evenly(characters: Sequence[str], count: int) -> list[str]:
    """``count`` of them, from the first to the last; all for 0 or more than there are."""
    if not 0 < count < len(characters):
        return list(characters)
    return [characters[i] for i in np.linspace(0, len(characters) - 1, count).round().astype(int)]
