"""Chinese lines: words and counted things whole on displays, marks that meet closer together."""

from __future__ import annotations

from itertools import pairwise

import pytest

from synth.language import is_han
from synth.typeset.layout import Measure, compose
from synth.typeset.setting import Align
from synth.typeset.shaped import Shaped
from synth.typeset.words import inside_words
from tests.synth.common import PURE, recipe


def cut(text: str) -> str:
    together = inside_words(text)
    return "".join(("|" if at and at not in together else "") + character for at, character in enumerate(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("我们在北京大学图书馆看书", "我们|在北京大学|图书馆|看书"),
        ("2月28日下午3点开会", "2月28日|下午|3点|开会"),
        ("三只小猫和一个苹果的故事", "三只|小猫|和一个|苹果的|故事"),
        ("满200元减50元", "满|200元|减|50元"),
        ("失物招领处在158室", "失物招领处|在|158室"),
        ("全程约九十分钟", "全程|约九十分钟"),
        ("以3比1的比分赢了", "以|3比1的|比分|赢了"),
        ("第12届国际动漫节", "第12届|国际|动漫|节"),
    ],
)
def test_words_and_what_is_counted_stay_together(text: str, expected: str) -> None:
    assert cut(text) == expected


def shaped(text: str) -> Shaped:
    return Shaped(recipe(PURE).fonts[0].face(400), text, "zh")


def test_a_display_line_ends_with_a_word_and_body_text_where_it_is_full() -> None:
    text = shaped("我们在北京大学图书馆看书学习")
    measure = Measure(90.0, 100.0, 1.4, 0.0, True)
    lines = measure.lines(text, 10.0)
    assert lines is not None
    kept, found = measure.in_words(text, 10.0, lines)
    assert kept.whole_words
    assert all(line.end not in inside_words(text.paragraphs[0]) for line in found)
    long = shaped("我们在北京大学图书馆看书学习" * 6)
    lines = measure.lines(long, 10.0)
    assert lines is not None
    assert measure.in_words(long, 10.0, lines) == (measure, lines)


@pytest.mark.parametrize("vertical", [False, True])
@pytest.mark.parametrize("pair", ["，“", "。”", "》（", "）。", "」「", "（《", "。）"])
def test_marks_that_meet_give_up_their_blank(pair: str, vertical: bool) -> None:
    face = recipe(PURE).fonts[0].face(400)
    apart = Shaped(face, f"好{pair[0]}好{pair[1]}好", "zh", vertical)
    together = Shaped(face, f"好{pair}好好", "zh", vertical)
    assert 0.3 < apart.advance - together.advance <= 0.5
    if not vertical:
        boxes = [(g, face.ink(g.id)) for g in together.glyphs[0]]
        pen, ends = 0.0, []
        for glyph, ink in boxes:
            ends.append((pen + glyph.dx + ink[0], pen + glyph.dx + ink[2]))
            pen += glyph.advance
        assert all(left[1] < right[0] for left, right in pairwise(ends))


def test_a_dash_and_an_ellipsis_of_two_stay_whole() -> None:
    face = recipe(PURE).fonts[0].face(400)
    for text in ("好——好", "好……好"):
        assert Shaped(face, text, "zh").advance == pytest.approx(sum(g.advance for g in face.shape(text, "zh")))


@pytest.mark.parametrize("align", ["left", "center", "right"])
def test_blanks_of_marks_at_the_ends_of_lines_do_not_bend_the_edge(align: Align) -> None:
    text = Shaped(recipe(PURE).fonts[0].face(400), "春天来了，\n“花都开了\n大家去看\n山上看雪。", "zh")
    lines = text.wrap(10.0, 0.0)
    assert lines is not None
    block = compose(text, lines, 100.0, Measure(1000.0, 1000.0, 1.4, 0.0, False), align)
    edges = [
        (min(g.box(100.0)[0] for g in line.glyphs), max(g.box(100.0)[2] for g in line.glyphs)) for line in block.lines
    ]
    along = {"left": lambda e: e[0], "right": lambda e: e[1], "center": lambda e: e[0] + e[1]}[align]
    assert max(map(along, edges)) - min(map(along, edges)) < 15.0 * (2 if align == "center" else 1)


def test_no_character_is_left_alone_on_the_last_line() -> None:
    for length in range(9, 40):
        text = shaped(("春眠不觉晓处处闻啼鸟夜来风雨声花落知多少" * 3)[:length] + "。")
        lines = text.wrap(8.0, 0.0)
        assert lines is not None
        assert len(lines) == -(-(length + 1) // 8) or len(lines) == -(-length // 8)
        assert sum(map(is_han, text.paragraphs[0][lines[-1].start : lines[-1].end])) > 1


def test_a_short_title_stays_on_one_display_line() -> None:
    assert cut("他读《茶事笔记》去了") == "他|读|《茶事笔记》|去了"


def test_a_character_with_little_ink_is_no_mark() -> None:
    for vertical in (False, True):
        text = Shaped(recipe(PURE).fonts[0].face(400), "一丨卜丶一", "zh", vertical)
        lines = text.wrap(1.0, 0.0)
        assert lines is not None
        assert {text.blanks(line) for line in lines} == {(0.0, 0.0)}
