"""Short English texts end their lines where a reader would pause."""

from __future__ import annotations

import numpy as np
import pytest

from synth.typeset.layout import LayoutConfig, arrange
from synth.typeset.sense import sense_lines
from synth.typeset.shaped import Shaped
from tests.synth.common import SHIPPED, recipe

FACE = next(font for font in recipe(SHIPPED).fonts if font.writes("en") and font.missing("abc?") is None)


def shaped(text: str) -> Shaped:
    return Shaped(FACE.face(FACE.wghts[0]), text, "en")


def lines_of(text: str, count: int, room: float = 100.0) -> list[str] | None:
    lines = sense_lines(shaped(text), count, room, 0.0)
    return [text[line.start : line.end] for line in lines] if lines else None


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
        lines = sense_lines(whole, 3, room, 0.0)
        if lines:
            assert max(whole.width(line, 0.0) for line in lines) <= room + 1e-9
    assert sense_lines(whole, 3, 4.0, 0.0) is None


@pytest.mark.parametrize("text", ["one two", "word", "先坐下读一章", "first line\nsecond line", "a " * 40 + "end"])
def test_other_texts_are_broken_as_before(text: str) -> None:
    language = "zh" if "先" in text else "en"
    assert (
        sense_lines(
            Shaped(FACE.face(FACE.wghts[0]), text.strip(), language) if language == "en" else zh(text), 3, 100, 0
        )
        is None
    )


def zh(text: str) -> Shaped:
    face = next(font for font in recipe(SHIPPED).fonts if font.writes("zh") and font.missing(text) is None)
    return Shaped(face.face(face.wghts[0]), text, "zh")


@pytest.mark.parametrize("align", ["left", "center"])
def test_a_sign_has_them(align: str) -> None:
    text = "Who left a blue kite across the street?"
    config = LayoutConfig(align={align: 1.0}, fill=(1.0, 1.0))  # type: ignore[dict-item]
    block, _ = arrange(shaped(text), (400, 130), config, np.random.default_rng(0), wrap=True)
    assert [line.text for line in block.lines] == ["Who left a blue kite", "across the street?"]
