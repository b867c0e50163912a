"""What a face draws for a text: every character its own glyph, and the glyph that is named for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from fontTools.subset import Subsetter
from fontTools.ttLib import TTFont

from synth.fonts.face import Face
from synth.fonts.likeness import SAME, overlap
from synth.fonts.source import FontFile, FontSource, find
from synth.typeset.shaped import Shaped
from tests.synth.common import SHIPPED, recipe

DEJAVU = FontSource("qt/fonts/DejaVuSans.ttf", package="cv2")


def face_of(family: str, wght: int | None = None) -> Face:
    font = next(f for f in recipe(SHIPPED).fonts if f.path.name.startswith(family) and "Italic" not in f.path.name)
    return font.face(wght if wght in font.wghts else font.wghts[0])


@pytest.mark.parametrize(
    ("family", "text"),
    [
        ("JetBrainsMono", "wait... a != b -> c <= d =="),
        ("Inter", "1920x1080, 4x4 -> (a)"),
        ("GreatVibes", "The fourth orchard, then"),
        ("Caveat", "good morning, ALL tennis"),
        ("Pacifico", "summer letters off"),
        ("Lobster", "bottle or office"),
        ("DancingScript", "broom of words"),
        ("SourceCodePro", "fi fl 0x1F ff"),
        ("Bitter", "office fjord fi"),
        ("NotoSansCJK", "only $125, room 1920x1080"),
    ],
)
def test_every_character_is_drawn_by_its_own_glyph_or_one_that_looks_like_it(family: str, text: str) -> None:
    face = face_of(family)
    glyphs = Shaped(face, text, "en").glyphs[0]
    assert [(g.start, g.end) for g in glyphs] == [(i, i + 1) for i in range(len(text))]
    for glyph in glyphs:
        nominal = face.nominal(text[glyph.start])
        if not text[glyph.start].isspace() and glyph.id != nominal:
            assert overlap(face.outline(nominal), face.outline(glyph.id)) >= SAME


def test_no_family_of_the_shipped_recipe_strays_on_plain_english() -> None:
    """Each of them draws a page of it, so that none is refused altogether."""
    text = "THE QUICK BROWN FOX, 1234567890 x 42"
    for font in recipe(SHIPPED).fonts:
        face = font.face(font.wghts[0])
        assert face.stray(text, face.shape(text, "en"), "en") is None, font.path.name


def test_outlines_overlap_wherever_they_stand() -> None:
    face = face_of("Inter")
    one, other = (face.outline(face.nominal(c)) for c in "xo")
    assert overlap(one, one) == pytest.approx(1)
    assert overlap(one, other) < 0.6


def changed_map(path: Path, out: Path, changes: dict[str, str]) -> FontFile:
    """A copy of a font whose character map names other glyphs."""
    font = TTFont(path)
    for table in font["cmap"].tables:
        known = dict(table.cmap)
        for character, shown in changes.items():
            if ord(character) in known:
                table.cmap[ord(character)] = known[ord(shown)]
    font.save(out)
    return find([FontSource(str(out), allow_unlicensed=True)])[0]


def test_characters_that_share_a_glyph_are_not_drawn(tmp_path: Path) -> None:
    path = find([DEJAVU])[0].path
    liar = changed_map(path, tmp_path / "liar.ttf", {"b": "d", "7": "1"})
    assert [c for c in "abcdefg0123456789" if liar.missing(c)] == ["b", "d", "1", "7"]


def test_a_face_of_capitals_is_known_by_its_outlines_in_any_folder(tmp_path: Path) -> None:
    bebas = next(f for f in recipe(SHIPPED).fonts if f.path.name.startswith("Bebas"))
    copy = tmp_path / "renamed.ttf"
    copy.write_bytes(bebas.path.read_bytes())
    font = find([FontSource(str(copy))])[0]
    assert (font.missing("SALE"), font.missing("Sale")) == (None, "a")
    capitals = {f.family for f in recipe(SHIPPED).fonts if f.face(f.wghts[0]).capitals_only}
    assert capitals == {"Bebas Neue", "Cinzel", "Permanent Marker"}


def test_a_variable_font_is_drawn_in_regular_weight_where_the_recipe_names_none() -> None:
    source = FontSource("NotoSansCJK-VF.otf.ttc", package="manimgx_fonts_cjk", face=2)
    assert find([source])[0].wghts == [400]  # its default is 100


@pytest.mark.parametrize("flavor", ["woff", "woff2"])
def test_packed_fonts_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flavor: str) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    plain = find([DEJAVU])[0]
    font = TTFont(plain.path, recalcTimestamp=False)
    subsetter = Subsetter()
    subsetter.populate(text="Ag")
    subsetter.subset(font)
    font.flavor = flavor
    (tmp_path / "fonts").mkdir()
    font.save(tmp_path / "fonts" / f"packed.{flavor}")
    opened = find([FontSource(str(tmp_path / "fonts"))])[0]
    advances = [[g.advance for g in found.face(None).shape("Ag", "en")] for found in (plain, opened)]
    assert advances[0] == advances[1]
