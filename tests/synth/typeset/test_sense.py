"""Short English texts end their lines where a reader would pause."""

from __future__ import annotations

import numpy as np
import pytest

from synth.typeset.layout import LayoutConfig, arrange
from synth.typeset.sense import Way, best_lines, torn
from synth.typeset.shaped import Shaped
from tests.synth.common import SHIPPED, recipe

FACE = next(font for font in recipe(SHIPPED).fonts if font.writes("en") and font.missing("abc?") is None)


def shaped(text: str) -> Shaped:
    return Shaped(FACE.face(FACE.wghts[0]), text, "en")


def lines_of(text: str, count: int, room: float = 100.0) -> list[str] | None:
    found = best_lines(shaped(text), 0.0, [Way(count, room)])
    return [text[line.start : line.end] for line in found[1]] if found else None


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("When will the post office open again?", ["When will the post office", "open again?"]),
        ("Who left a blue kite across the street?", ["Who left a blue kite", "across the street?"]),
        ("Under the open sky, bring a blanket", ["Under the open sky,", "bring a blanket"]),
        ("We hope you enjoy your stay at Silver Lake Hotel", ["We hope you enjoy your stay", "at Silver Lake Hotel"]),
        ("A self-service car wash", ["A self-service", "car wash"]),
        ("Empty the tank. A full tank leaks.", ["Empty the tank.", "A full tank leaks."]),
    ],
)
def test_lines_end_where_a_reader_pauses(text: str, lines: list[str]) -> None:
    found = lines_of(text, len(lines))
    assert found == lines


def test_no_line_is_wider_than_the_room() -> None:
    text = "Please leave large bags in the lockers by the door"
    whole = shaped(text)
    for room in (10.0, 12.0, 15.0, 20.0):
        found = best_lines(whole, 0.0, [Way(3, room)])
        if found:
            assert max(whole.width(line, 0.0) for line in found[1]) <= room + 1e-9
    assert best_lines(whole, 0.0, [Way(3, 4.0)]) is None


@pytest.mark.parametrize("text", ["word", "first line\nsecond line", "a " * 40 + "end"])
def test_other_texts_have_no_such_lines(text: str) -> None:
    assert best_lines(shaped(text.strip()), 0.0, [Way(2, 100.0)]) is None


def test_smaller_type_is_taken_where_its_lines_are_worth_it() -> None:
    text = "Every Saturday, rain or shine"
    torn_apart, whole = Way(3, 6.5), Way(2, 8.5, 0.2)
    found = best_lines(shaped(text), 0.0, [torn_apart, whole])
    assert found is not None
    assert found[0] == 1
    assert [text[line.start : line.end] for line in found[1]] == ["Every Saturday,", "rain or shine"]
    assert best_lines(shaped(text), 0.0, [Way(2, 100.0), Way(2, 100.0, 5.0)]) is not None


@pytest.mark.parametrize(
    ("text", "count", "lines"),
    [
        ("如果明天下雨，我们就去水族馆看展览。", 2, ["如果明天下雨，", "我们就去水族馆看展览。"]),
        ("遇大雾轮渡停航，雾散后恢复开航。", 2, ["遇大雾轮渡停航，", "雾散后恢复开航。"]),
        ("去病房请沿绿线前行", 2, ["去病房", "请沿绿线前行"]),
        ("蓝鲸俱乐部以3比1的比分赢得了秋天的决赛。", 3, ["蓝鲸俱乐部", "以3比1的比分", "赢得了秋天的决赛。"]),
    ],
)
def test_chinese_lines_end_between_phrases(text: str, count: int, lines: list[str]) -> None:
    found = best_lines(zh(text), 0.0, [Way(count, 100.0)])
    assert found is not None
    assert [text[line.start : line.end] for line in found[1]] == lines


def test_a_text_is_torn_where_a_line_ends_within_a_phrase() -> None:
    config = LayoutConfig(size=(40, 40))
    narrow, wide = (
        arrange(shaped("Please mind the thorny plants"), (width, 300), config, np.random.default_rng(0), wrap=True)[0]
        for width in (320, 420)
    )
    assert torn(shaped("Please mind the thorny plants"), narrow, 320)
    assert not torn(shaped("Please mind the thorny plants"), narrow, 200)  # there it could not do better
    assert not torn(shaped("Please mind the thorny plants"), wide, 420)


def zh(text: str) -> Shaped:
    face = next(font for font in recipe(SHIPPED).fonts if font.writes("zh") and font.missing(text) is None)
    return Shaped(face.face(face.wghts[0]), text, "zh")


@pytest.mark.parametrize("align", ["left", "center"])
def test_a_sign_has_them(align: str) -> None:
    text = "Who left a blue kite across the street?"
    config = LayoutConfig(align={align: 1.0}, fill=(1.0, 1.0))  # type: ignore[dict-item]
    block, _ = arrange(shaped(text), (400, 130), config, np.random.default_rng(0), wrap=True)
    assert [line.text for line in block.lines] == ["Who left a blue kite", "across the street?"]
