"""Answers as models write them are understood, and never half of one."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.captioner.answer import Answer, NoAnswer, parse_answer
from tests.fuzz import fuzzed

REPORT = """{
  "Caption": "A red sign with the text \\"EXIT\\" hangs above a door.",
  "Image Type": "photograph",
  "Image Style": "realistic",
  "Watermark List": ["stock.example"],
  "Abnormal Element": "no",
}"""
"""With the trailing comma of the report's own sample."""
GOOD = Answer(
    'A red sign with the text "EXIT" hangs above a door.', "photograph", "realistic", ("stock.example",), False
)


@pytest.mark.parametrize(
    "text",
    [
        REPORT,
        REPORT.replace('no",\n', 'no"\n'),
        f"```json\n{REPORT}\n```",
        f'Here is the annotation you asked for:\n\n{REPORT}\n\nI hope this "helps"!',
        REPORT.replace('\\"', '"'),  # quotes without their backslash
        REPORT.replace("{\n", '{"annotation": {\n').replace(",\n}", "\n}}"),
        REPORT.replace("Image Type", "image_type").replace("Watermark List", "WatermarkList"),
        REPORT.replace('"no"', '"No"'),
        REPORT.replace('"no"', "false"),
        REPORT.replace('["stock.example"]', '"stock.example"'),
        REPORT.replace('["stock.example"]', '["stock.example", "", null]').replace('no",\n', 'no"\n'),
        REPORT.removesuffix("}").rstrip().rstrip(","),  # the brace was cut off
        f"{{}} {{not json}} {REPORT}",
    ],
)
def test_forms_of_one_answer(text: str) -> None:
    assert parse_answer(text) == GOOD


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            '{"Caption": "一块牌子，上面写着"出口"。", "Abnormal Element": "是"}',
            Answer('一块牌子，上面写着"出口"。', abnormal=True),
        ),
        ('{"Caption": "a", "Watermark List": "None"}', Answer("a", watermarks=())),
        ('{"Caption": "a", "Watermark List": {"x": 1}, "Abnormal Element": "maybe", "Image Type": 7}', Answer("a")),
        ('{"Caption": ["a"]}', Answer("a")),
        ('{"Caption": "a\nb"}', Answer("a\nb")),  # a line break inside of a string
        (
            '{"Caption": "he said "A", "B" and "C"", "Image Type": "poster"}',
            Answer('he said "A", "B" and "C"', "poster"),
        ),
        ('{"Caption": "a", "Image Type": "poster", "Image Style": "viv', Answer("a", "poster")),
        ('{"Caption": "a", "Watermark List": ["x", "y', Answer("a")),
        ('{"Caption": "a", "Image Type"', Answer("a")),
        ('{"Caption": "a", "Im', Answer("a")),
        ('{"Caption": "a", ', Answer("a")),
        ('{"Caption": "half of a lone \\ud800 pair\\u0000"}', Answer("half of a lone  pair")),
        (
            "Caption: a cat, a dog, and a hat\nImage Type: photograph, close\n",
            Answer("a cat, a dog, and a hat", "photograph, close"),
        ),
        ("{Caption: a cat, asleep, Image Type: photograph}", Answer("a cat, asleep", "photograph")),
        ("Image Type: poster\nCaption: red, green\n", Answer("red, green", "poster")),
        (
            "Caption: a cat\nImage Type: photograph\nAbnormal Element: no\n",
            Answer("a cat", "photograph", abnormal=False),
        ),
    ],
)
def test_what_is_not_of_its_form_is_unknown(text: str, expected: Answer) -> None:
    assert parse_answer(text) == expected


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "the answer is empty"),
        ("I'm sorry, I can't describe this picture.", "no JSON object"),
        ('{"Caption": "A long caption that was never fin', "cut off"),
        ('{"Caption": ""}', "empty"),
        ('{"Caption": null, "Image Type": "poster"}', "no text"),
        ('{"Title": "a"}', "no JSON object"),
        ("[" * 100_000, "no JSON object"),
        ('{"a":' * 100_000, "no JSON object"),
        ('{"Caption": "' * 5000, "cut off"),
    ],
)
def test_no_answer_is_told(text: str, reason: str) -> None:
    with pytest.raises(NoAnswer, match=reason):
        parse_answer(text)


words = st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1, max_size=30).filter(
    lambda s: (
        s.strip() == s
        and s.strip(" .").lower() not in {"none", "null", "no", "n/a", "无", "没有", "无水印"}
        and s.strip(" .")
    )
)
# What a list says without a letter, or in a form of "none", names no watermark.
marks = words.filter(
    lambda s: any(map(str.isalnum, s)) and not s.lower().startswith(("n", "无", "無", "没", "沒", "未"))
)


@fuzzed(60)
@given(
    values=st.tuples(words, words, words, st.lists(marks, max_size=3), st.booleans()),
    fenced=st.booleans(),
    escaped=st.booleans(),
    cut=st.floats(0, 1),
)
def test_whatever_is_written_comes_back_whole_or_not_at_all(
    values: tuple[str, str, str, list[str], bool], fenced: bool, escaped: bool, cut: float
) -> None:
    caption, kind, style, listed, abnormal = values
    text = json.dumps(
        {
            "Caption": caption,
            "Image Type": kind,
            "Image Style": style,
            "Watermark List": listed,
            "Abnormal Element": "yes" if abnormal else "no",
        },
        ensure_ascii=escaped,
    )
    whole = f"Sure!\n```json\n{text}\n```" if fenced else text
    assert parse_answer(whole) == Answer(caption, kind, style, tuple(listed), abnormal)
    try:
        part = parse_answer(whole[: int(cut * len(whole))])
    except NoAnswer:
        return
    assert part.caption == caption


@fuzzed(100)
@given(
    st.text(max_size=200)
    | st.lists(
        st.sampled_from(['"', "{", "}", "[", "]", ",", ":", "\\", '"Caption"', "a", "\n", "```"]), max_size=30
    ).map("".join)
)
def test_no_text_does_harm(text: str) -> None:
    try:
        answer = parse_answer(text)
    except NoAnswer:
        return
    assert answer.caption.strip() == answer.caption != ""


@pytest.mark.parametrize(
    "listed",
    [
        "No visible watermark",
        "没有水印",
        "无可见水印",
        "未发现水印",
        "None visible",
        "-",
        "[]",
        "no visible watermarks.",
        "N/A",
    ],
)
def test_a_list_of_no_watermarks_is_empty(listed: str) -> None:
    answer = parse_answer(json.dumps({"Caption": "a cat", "Watermark List": [listed]}))
    assert answer.watermarks == ()


def test_a_name_that_begins_like_nothing_is_a_watermark() -> None:
    names = ["No Limits Photography", "Nonesuch", "无锡日报"]
    assert parse_answer(json.dumps({"Caption": "a cat", "Watermark List": names})).watermarks == tuple(names)
