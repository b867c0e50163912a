"""Columns: what stands, what lies, and what has a form of its own, in every Chinese face that is installed."""

from __future__ import annotations

from functools import cache

import pytest

from synth.fonts.face import Face
from synth.fonts.source import FontSource, find
from synth.typeset.block import PlacedGlyph
from synth.typeset.orientation import orientation
from synth.typeset.vertical import shape_column

FACES = {
    "Noto Sans CJK": FontSource("NotoSansCJK-VF.otf.ttc", package="manimgx_fonts_cjk", face=2),
    "Noto Serif SC": FontSource("NotoSerifSC-Regular.otf", package="pylopdf_fonts_zh_cn"),
    "Noto Sans TC": FontSource("NotoSansTC-Regular.otf", package="pylopdf_fonts_zh_tw"),
    "Noto Sans CJK without forms": FontSource("NotoSansCJK-VF.otf.ttc", package="manimgx_fonts_cjk", face=2),
}
BRACKETS, DASHES = "（）《》〈〉【】〔〕［］｛｝", "—…～–"


@cache
def face_of(name: str) -> Face:
    font = find([FACES[name]])[0]
    if not name.endswith("without forms"):
        return font.face(font.wghts[0])
    bare = Face(font.path, font.source.face, font.wghts[0])
    bare.shape_vertical = lambda text, language: bare._shape(text, language, "ttb", {"vert": False, "vrt2": False})  # type: ignore[method-assign]
    return bare


def box(name: str, text: str, at: int) -> tuple[float, float, float, float]:
    """The ink of one character of a column, em about the middle of its top."""
    face = face_of(name)
    pen = 0.0
    for glyph in shape_column(face, text, "zh"):
        if glyph.start == at:
            placed = PlacedGlyph(glyph.id, text[at], at, glyph.dx, pen - glyph.dy, glyph.angle, face.ink(glyph.id))
            x0, y0, x1, y1 = placed.box(1.0)
            return x0, y0 - pen, x1, y1 - pen
        pen += glyph.advance
    raise AssertionError(f"{text[at]} is not drawn")


@pytest.mark.parametrize("name", FACES)
def test_brackets_and_dashes_are_turned(name: str) -> None:
    for mark in BRACKETS + DASHES:
        x0, y0, x1, y1 = box(name, f"中{mark}文", 1)
        assert (x1 - x0 > y1 - y0) == (mark in BRACKETS), mark
        assert x0 > -0.55, mark
        assert x1 < 0.55, mark


@pytest.mark.parametrize("name", ["Noto Sans CJK", "Noto Sans CJK without forms"])
def test_commas_and_stops_stand_at_the_upper_right(name: str) -> None:
    for mark in "，。、":
        x0, y0, x1, y1 = box(name, f"中{mark}文", 1)
        assert (x0 + x1) / 2 > 0, mark
        assert (y0 + y1) / 2 < 0.5, mark


@pytest.mark.parametrize("text", ["it’s", "rock’n’roll", "A–B", "1990—2000"])
def test_an_apostrophe_or_dash_in_a_word_lies_with_it(text: str) -> None:
    face = face_of("Noto Sans CJK")
    glyphs = shape_column(face, f"唱{text}歌", "zh")
    inside = [g for g in glyphs if 1 <= g.start <= len(text)]
    assert {g.angle for g in inside} == {90.0}
    lying = face.shape(text, "zh")
    assert [g.id for g in inside] == [g.id for g in lying]


def test_chinese_and_its_marks_stand() -> None:
    face = face_of("Noto Sans CJK")
    angles = {g.angle for g in shape_column(face, "好，走！吗？是：对；①㎡", "zh")}
    assert angles == {0.0}


@pytest.mark.parametrize(
    ("characters", "expected"),
    [
        ("Aé1Яα", "R"),
        ("“”‘’—…–", "R"),
        ("中あア한①©×÷±％", "U"),
        ("，。、！？っャ", "Tu"),
        ("（）「」《》：；～ー", "Tr"),
    ],
)
def test_orientations_are_those_of_the_annex(characters: str, expected: str) -> None:
    found = {c: orientation(c) for c in characters}
    assert found == dict.fromkeys(characters, expected)
