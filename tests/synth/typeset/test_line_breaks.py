"""Line breaking: Chinese prohibition rules, English words whole, nothing lost."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from uniseg.linebreak import line_break_units

from synth.corpus import grammar
from synth.typeset.layout import Measure
from synth.typeset.line_breaks import JOINING, NOT_AT_END, NOT_AT_START, is_wide, units
from synth.typeset.shaped import Shaped, Span
from tests.synth.common import PURE, recipe

PUNCTUATED = """
a well-known state-of-the-art co-operation
see https://example.org/garden/map?name=iris&page=2 now
“quoted” and 'single' (round) [square] {curly} it’s o’clock
wait... what?! yes…no, 3:45 p.m. e.g. this, i.e. that
costs $5.00, €6 or 7£, 8%, −5 °C, 50°C, 1,234.56, (555) 123-4567
10 km/h and 5–10 kg, A—B dash, A – B, foo_bar.baz, C++ and C#, half-open [a, b)
他说（是的）吧，“世界。”‘单引号’里中文——破折号……省略号
《书》、〈文〉；「引」第１２号，３．５％价格：￥12.50/斤第3-5页
日本語のテキスト。ーっゃ々 한국어 텍스트 user@example.org #hashtag
""".strip().splitlines()


def pieces(text: str) -> list[str]:
    return [text[u.start : u.end] for u in units(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("天地人", ["天", "地", "人"]),
        ("好，走！", ["好，", "走！"]),
        ("他说：“走吧。”", ["他", "说：", "“走", "吧。”"]),
        ("《茶事》第7页", ["《茶", "事》", "第", "7", "页"]),
        ("a plain line.", ["a", "plain", "line."]),
        ("用Wi-Fi上网", ["用", "Wi-Fi", "上", "网"]),
        ("只要¥12.50元", ["只", "要", "¥12.50", "元"]),
        ("“it’s late,” she said", ["“it’s", "late,”", "she", "said"]),
        ("等等……好", ["等", "等……", "好"]),
        ("state-of-the-art", ["state-of-the-", "art"]),
        ("a candle-lit well-known Wi-Fi", ["a", "candle-", "lit", "well-", "known", "Wi-Fi"]),
        ("see https://example.org/garden/map", ["see", "https://example.org/", "garden/", "map"]),
        ("  spaces   around  ", ["spaces", "around"]),
        ("第\u00a010\u00a0页共2页", ["第\u00a010\u00a0页", "共", "2", "页"]),
        ('他说"走吧"了', ["他", '说"走', '吧"了']),
        ("見〖註〗和｟引｠之", ["見", "〖註〗", "和", "｟引｠", "之"]),
        ("约～三・四／五", ["约～", "三・", "四／", "五"]),
        ("甲︒乙﹂丙〟", ["甲︒", "乙﹂", "丙〟"]),
        ("", []),
    ],
)
def test_units(text: str, expected: list[str]) -> None:
    assert pieces(text) == expected


@given(st.text(alphabet="天地人，。！“”《》（）ab 1.,", max_size=40))
def test_units_keep_every_character_and_the_prohibition_rules(text: str) -> None:
    parts = pieces(text)
    assert "".join(parts) == text.replace(" ", "")
    found = units(text)
    for before, after in itertools.pairwise(found):
        if before.next == before.end:  # no space between: a break here is the rule's own choice
            assert text[after.start] not in NOT_AT_START
            assert text[before.end - 1] not in NOT_AT_END


CLREQ_START = "、，；：。．！？”’」』）》〉】〗〕］｝—–～·・•／…％‰"
CLREQ_END = "“‘「『（《〈【〖〔［｛￥"


def test_no_line_starts_or_ends_with_what_clreq_prohibits() -> None:
    """Its lists for line start and line end, each mark between two characters."""
    assert [mark for mark in CLREQ_START if 1 in breaks(f"天{mark}地")] == []
    assert [mark for mark in CLREQ_END if 2 in breaks(f"天{mark}地")] == []


def breaks(text: str) -> set[int]:
    return {unit.next for unit in units(text)[:-1]}


def uax14(text: str) -> set[int]:
    return set(itertools.accumulate(map(len, line_break_units(text)))) - {len(text)}


def test_breaks_are_those_of_uax_14_less_the_stricter_rules() -> None:
    rng = np.random.default_rng(0)
    makers = (grammar.sentence, grammar.phrase, grammar.mixed)
    texts = [make(language, rng) for language in ("zh", "en") for make in makers for _ in range(150)] + PUNCTUATED
    allowed = 0
    for text in texts:
        ours, full = breaks(text), uax14(text)
        assert ours <= full, (text, [text[:at] for at in ours - full])
        for at in full - ours:
            forbidden = text[at] in NOT_AT_START or text[at - 1] in NOT_AT_END or text[at - 1] in JOINING
            assert forbidden or text[at - 1] in "+?", (text, text[:at])
        allowed += len(ours)
    assert allowed > 5_000


@pytest.mark.parametrize("width", [5.0, 6.5, 11.0, 40.0])
def test_wrapped_lines_hold_the_whole_text_within_the_width(width: float) -> None:
    text = "春天来了，湖边的风筝映着阳光。请在open day前往museum参观，票价¥25！"
    shaped = Shaped(recipe(PURE).fonts[0].face(400), text, "zh")
    lines = shaped.wrap(width, 0.0)
    assert lines is not None
    assert "".join(text[line.start : line.end] for line in lines).replace(" ", "") == text.replace(" ", "")
    assert all(shaped.width(line, 0.0) <= width + 1e-6 for line in lines)


def test_a_word_wider_than_the_line_does_not_fit() -> None:
    shaped = Shaped(recipe(PURE).fonts[0].face(400), "incomprehensibilities", "en")
    assert shaped.wrap(5.0, 0.0) is None
    assert shaped.wrap(20.0, 0.0) == [Span(0, 0, 21, first=True, last=True)]


def test_no_rendered_line_starts_or_ends_against_the_rules() -> None:
    checked = 0
    for index in range(150):
        lines = recipe(PURE).render(index).text.split("\n")
        for before, after in itertools.pairwise(lines):
            if is_wide(before[-1]) and is_wide(after[0]):
                assert after[0] not in NOT_AT_START, (index, after)
                assert before[-1] not in NOT_AT_END, (index, before)
                checked += 1
    assert checked > 30


def test_centered_text_leaves_no_orphan() -> None:
    overrides = ("contents=[{kind: sentence, languages: {zh: 1}}]", "layout.align={center: 1}")
    lasts = []
    for index in range(60):
        lines = recipe(PURE, *overrides).render(index).text.split("\n")
        if len(lines) > 1:
            lasts.append(len(lines[-1]) / max(map(len, lines)))
    assert np.mean(lasts) > 0.6


def test_the_largest_size_is_the_largest_that_fits() -> None:
    face = recipe(PURE).fonts[0].face(400)
    for text, wrap in (("清晨的湖边", False), ("a short line", False), ("春天来了，湖边的风筝映着阳光。" * 4, True)):
        shaped = Shaped(face, text, "zh")
        for stroke_margin in (0.0, 0.06):
            measure = Measure(300.0, 120.0, 1.4, 0.0, wrap, stroke_margin=stroke_margin)
            largest = measure.largest_size(shaped, 4.0, 500.0)
            assert largest is not None
            assert measure.fits(shaped, largest - 1e-6)
            assert not measure.fits(shaped, largest + 0.26)
            assert measure.largest_size(shaped, 4.0, largest / 2) == largest / 2
            assert measure.largest_size(shaped, largest + 1, 500.0) is None
