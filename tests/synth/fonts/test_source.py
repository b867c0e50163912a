"""Fonts: found in wheels and folders, varied, measured, refused when they are none."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from configs.errors import UserError
from synth.content.base import Text
from synth.drawing.colors import ColorConfig
from synth.drawing.style import EffectConfig
from synth.errors import Undrawable
from synth.fonts.catalog import catalog
from synth.fonts.source import FontSource, find, find_all
from synth.strategies.context import RenderContext
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


def test_the_catalog_counts_and_names_licenses() -> None:
    cards = catalog(find([NOTO, FontSource("qt/fonts/DejaVuSans.ttf", package="cv2")]))
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


def restricted(source: Path, target: Path, permissions: int, license_: str | None = None) -> Path:
    """A copy of a font with other usage permissions, or another license text."""
    from fontTools.ttLib import TTFont

    font = TTFont(source)
    font["OS/2"].fsType = permissions
    if license_ is not None:
        for number in (0, 13, 14):
            font["name"].setName(license_, number, 3, 1, 0x409)
            font["name"].removeNames(number, 1)
    font.save(target)
    return target


def test_fonts_whose_license_does_not_allow_it_are_left_out(tmp_path: Path) -> None:
    good = find([FontSource("qt/fonts/DejaVuSans.ttf", package="cv2")])[0].path
    shutil.copy(good, tmp_path / "good.ttf")
    restricted(good, tmp_path / "restricted.ttf", 2)
    restricted(good, tmp_path / "strange.ttf", 0, "ask our sales department")
    (tmp_path / "damaged.otf").write_bytes(good.read_bytes()[:2000])
    used, left = find_all([FontSource(str(tmp_path))])
    assert [font.path.name for font in used] == ["good.ttf"]
    reasons = {out.path.name: out.reason for out in left}
    assert reasons.keys() == {"restricted.ttf", "strange.ttf", "damaged.otf"}
    assert "restricted" in reasons["restricted.ttf"]
    assert "ask our sales department" in reasons["strange.ttf"]
    assert "is not a font" in reasons["damaged.otf"]
    taken, _ = find_all([FontSource(str(tmp_path), allow_unlicensed=True)])
    assert [font.path.name for font in taken] == ["good.ttf", "restricted.ttf", "strange.ttf"]
    with pytest.raises(UserError, match=r"fonts\.0: .*restricted\.ttf is left out: .*allow_unlicensed"):
        find([FontSource(str(tmp_path / "restricted.ttf"))])


def test_the_latin_collection_brings_thirty_families_in_their_styles_shares() -> None:
    fonts = find([FontSource(collection="latin", styles={"serif": 3, "handwriting": 1}, weight=2)])
    by_style = {
        style: sum(f.source.weight for f in fonts if f.source.style == style) for style in ("serif", "handwriting")
    }
    assert by_style == pytest.approx({"serif": 1.5, "handwriting": 0.5})
    assert all(font.handwriting == (font.source.style == "handwriting") for font in fonts)
    assert len({font.family for font in find([FontSource(collection="latin")])}) >= 40
    assert {font.license for font in fonts} == {"OFL-1.1", "Apache-2.0"}


def test_a_text_gets_a_font_that_covers_it_or_is_given_up() -> None:
    fonts = find([NOTO, FontSource(collection="latin")])
    context = RenderContext(fonts, ColorConfig(), EffectConfig())
    rng = np.random.default_rng(0)
    for _ in range(50):
        assert context.font(Text("naïve ŵ", "en", "line", "x"), rng).missing("naïve ŵ") is None
    chosen = {context.font(Text("mixed 汉字", "en", "line", "x"), rng).family for _ in range(30)}
    assert chosen == {"Noto Sans CJK SC"}
    with pytest.raises(Undrawable, match="no font has '\U0001f600'"):
        context.font(Text("smile \U0001f600", "en", "line", "x"), rng)


def test_families_of_capitals_draw_no_small_letters() -> None:
    fonts = {font.family: font for font in find([FontSource(collection="latin", styles={"display": 1})])}
    assert fonts["Bebas Neue"].missing("SALE 5") is None
    assert fonts["Bebas Neue"].missing("Sale") == "a"


def test_cards_are_kept_and_a_damaged_cache_is_scanned_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fonts = find([FontSource("qt/fonts/DejaVuSans.ttf", package="cv2")])
    kept = tmp_path / "cache" / "fonts.json"
    first = catalog(fonts, kept)
    monkeypatch.setattr("synth.fonts.catalog.card", lambda font: pytest.fail("scanned again"))
    assert catalog(fonts, kept) == first
    monkeypatch.undo()
    kept.write_text("{")
    assert catalog(fonts, kept) == first
    assert catalog(fonts) == first


def test_vertical_forms_and_embedding_are_told() -> None:
    noto, dejavu = catalog(find([NOTO, FontSource("qt/fonts/DejaVuSans.ttf", package="cv2")]))
    assert (noto.vertical, dejavu.vertical) == (True, False)
    assert noto.embedding == "installable"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "either file or collection"),
        ({"file": "a", "collection": "latin"}, "either"),
        ({"file": "a", "styles": {"serif": -1}}, "styles"),
    ],
)
def test_impossible_sources_are_named(fields: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FontSource(**fields)
