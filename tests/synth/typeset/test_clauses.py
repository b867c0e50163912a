"""Short Chinese texts break behind their commas where there is room."""

from __future__ import annotations

import numpy as np
import pytest

from synth.typeset.clauses import clauses
from synth.typeset.layout import LayoutConfig, arrange
from synth.typeset.shaped import Shaped
from tests.synth.common import SHIPPED, recipe

FACE = next(font for font in recipe(SHIPPED).fonts if font.writes("zh") and font.missing("先坐下读一章") is None)


def shaped(text: str, language: str = "zh") -> Shaped:
    return Shaped(FACE.face(FACE.wghts[0]), text, language)


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("先坐下读一章，再决定买不买。", ["先坐下读一章，", "再决定买不买。"]),
        ("那年秋天，我们在小巷深处拍照，谈起了陶瓷。", ["那年秋天，", "我们在小巷深处拍照，", "谈起了陶瓷。"]),
        ("那年秋天，我们在小巷最深的地方拍了许多照片。", []),  # five characters above seventeen
        ("成人票二十元，学生票半价；科技馆周一休息。", ["成人票二十元，", "学生票半价；", "科技馆周一休息。"]),
        ("他说：“明天再来吧，今天太晚了。”", []),
        ("老板说“先坐下读一章。”别的客人都笑了。", ["老板说“先坐下读一章。”", "别的客人都笑了。"]),
        ("全年开放", []),
        ("一，二，三", []),
        ("这条线路全年开放，" * 5, []),
    ],
)
def test_a_line_for_each_clause(text: str, lines: list[str]) -> None:
    found = clauses(shaped(text))
    assert [text[line.start : line.end] for line in found] == lines


def test_english_is_left_to_its_words() -> None:
    assert clauses(shaped("Sit down and read a chapter, then decide to buy it.", "en")) == []


def test_they_are_taken_where_there_is_room_and_a_smaller_size_would_be_much_smaller_not() -> None:
    text = shaped("先坐下读一章，再决定买不买。")
    config = LayoutConfig(size="fit", fill=(1.0, 1.0), min_size=10, max_size=60, align={"center": 1.0})

    def lines(width: int, height: int) -> list[str]:
        block, _ = arrange(text, (width, height), config, np.random.default_rng(0), wrap=True)
        return [line.text for line in block.lines]

    assert lines(240, 200) == ["先坐下读一章，", "再决定买不买。"]
    assert len(lines(120, 400)) > 2  # in two lines half as large
