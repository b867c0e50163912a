"""Fonts: found in wheels and folders, varied, measured, refused when they are none."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from configs.errors import UserError
from synth.catalogue import catalogue
from synth.fonts import FontSource, find
from tests.synth.common import PURE, recipe

NOTO = FontSource("NotoSansCJK-VF.otf.ttc", package="manimgx_fonts_cjk", face=2, wght=(300, 900))


def test_face_two_of_noto_is_simplified_chinese_and_weights_are_steps_of_100() -> None:
    font = find([NOTO])[0]
    assert font.wghts == [300, 400, 500, 600, 700, 800, 900]
    assert font.face(400).name(1) == "Noto Sans CJK SC"


def test_a_heavier_weight_is_wider_ink() -> None:
    font = find([NOTO])[0]
    glyph = font.face(300).shape("一", "zh")[0].id

    def height(wght: int) -> float:
        box = font.face(wght).ink(glyph)
        assert box is not None
        return box[3] - box[1]

    assert height(900) > 1.5 * height(300)


def test_the_em_box_is_one_em_high_in_every_font() -> None:
    for font in recipe(PURE).fonts:
        face = font.face(font.wghts[0])
        assert face.ascent + face.descent == pytest.approx(1)
        assert 0.6 < face.ascent < 0.95


def test_shaping_keeps_one_cluster_a_character_and_kerns() -> None:
    face = find([NOTO])[0].face(400)
    glyphs = face.shape("office AV", "en")
    assert [(g.start, g.end) for g in glyphs] == [(i, i + 1) for i in range(9)]
    apart = sum(face.shape(c, "en")[0].advance for c in "AV")
    together = sum(g.advance for g in face.shape("AV", "en"))
    assert together < apart


def test_an_accent_shares_its_letters_cluster() -> None:
    face = find([FontSource("qt/fonts/DejaVuSans.ttf", package="cv2")])[0].face(None)
    glyphs = face.shape("q\u0301x", "en")
    assert {(g.start, g.end) for g in glyphs} == {(0, 2), (2, 3)}


def test_the_catalogue_counts_and_names_licences() -> None:
    cards = catalogue(find([NOTO, FontSource("qt/fonts/DejaVuSans.ttf", package="cv2")]))
    assert cards[0].license == "OFL-1.1"
    assert cards[0].coverage["GB2312"] == (6763, 6763)
    assert [cards[0].coverage[f"level {n}"] for n in (1, 2, 3)] == [(3500, 3500), (3000, 3000), (1605, 1605)]
    assert cards[1].license == "Bitstream-Vera"
    assert cards[1].coverage["level 1"] == (0, 3500)
    assert cards[1].coverage["ASCII"] == (94, 94)


def test_a_folder_gives_its_fonts_in_a_stable_order(tmp_path: Path) -> None:
    source = find([FontSource("qt/fonts", package="cv2")])[0].path.parent
    for name in ("DejaVuSans.ttf", "DejaVuSans-Bold.ttf"):
        shutil.copy(source / name, tmp_path / name)
    (tmp_path / "notes.txt").write_text("not a font", "utf-8")
    assert [f.path.name for f in find([FontSource(str(tmp_path))])] == ["DejaVuSans-Bold.ttf", "DejaVuSans.ttf"]


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"", "not a font"), (b"hello, I am no font", "not a font"), (b"\x00\x01\x00\x00" + b"\xff" * 500, "not a font")],
)
def test_what_is_no_font_is_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "broken.ttf"
    path.write_bytes(content)
    with pytest.raises(UserError, match=rf"fonts\.0\.file: .*broken\.ttf is {message}"):
        find([FontSource(str(path))])


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (FontSource("nope.ttf"), r"fonts\.0\.file: no font at nope\.ttf"),
        (FontSource("x.ttf", package="no_such_package"), r"fonts\.0\.file: .*'no_such_package'.*not installed"),
        (FontSource("NotoSansCJK-VF.otf.ttc", package="manimgx_fonts_cjk", face=9), r"fonts\.0\.face: .*0\.\.4"),
        (
            FontSource("NotoSansCJK-VF.otf.ttc", package="manimgx_fonts_cjk", wght=(950, 990)),
            r"fonts\.0\.wght: .*100\.\.900",
        ),
    ],
)
def test_a_font_that_is_not_there_is_named_with_its_field(source: FontSource, message: str) -> None:
    with pytest.raises(UserError, match=message):
        find([source])
