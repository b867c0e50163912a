"""Fonts that lie or come in pieces: boxes behind mapped characters, filled counters, damaged tables, slices."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path

import pytest
from fontTools.fontBuilder import FontBuilder
from fontTools.pens.ttGlyphPen import TTGlyphPen
from fontTools.ttLib import TTFont

from configs.errors import UserError
from synth import Recipe
from synth.fonts.source import FontSource, find, find_all
from synth.fonts.webfonts import groups, joined
from tests.synth.common import PURE
from tests.synth.content.test_kinds import only

Square = tuple[int, int, int, bool]  # left and bottom, side, clockwise
BOX: list[Square] = [(100, 0, 700, True)]
RING: list[Square] = [(100, 0, 700, True), (250, 150, 400, False)]
FILLED: list[Square] = [(100, 0, 700, True), (250, 150, 400, True)]  # the counter runs along with the outside
CROSSED: list[Square] = [(100, 0, 500, True), (400, 300, 500, True)]  # strokes that overlap


def glyph(squares: list[Square]):
    pen = TTGlyphPen(None)
    for at, low, side, clockwise in squares:
        corners = [(at, low), (at, low + side), (at + side, low + side), (at + side, low)]
        pen.moveTo(corners[0])
        for corner in corners[1:] if clockwise else corners[:0:-1]:
            pen.lineTo(corner)
        pen.closePath()
    return pen.glyph()


def font(path: Path, drawn: dict[str, list[Square]], notdef: list[Square] = BOX) -> Path:
    """A TrueType font, or WOFF by the name, with these characters."""
    names = [f"u{ord(c):04X}" for c in drawn]
    builder = FontBuilder(1000, isTTF=True)
    builder.setupGlyphOrder([".notdef", *names])
    builder.setupCharacterMap(dict(zip(map(ord, drawn), names, strict=True)))
    builder.setupGlyf({".notdef": glyph(notdef)} | {n: glyph(s) for n, s in zip(names, drawn.values(), strict=True)})
    builder.setupHorizontalMetrics(dict.fromkeys([".notdef", *names], (1000, 100)))
    builder.setupHorizontalHeader(ascent=880, descent=-120)
    builder.setupOS2(sTypoAscender=880, sTypoDescender=-120)
    builder.setupNameTable({"familyName": "Composition", "styleName": "Regular", "licenseDescription": "OFL"})
    builder.setupPost()
    if path.suffix == ".woff":
        builder.font.flavor = "woff"
    path.parent.mkdir(parents=True, exist_ok=True)
    builder.save(path)
    return path


def test_mapped_characters_without_a_sound_outline_are_not_drawn(tmp_path: Path) -> None:
    path = font(tmp_path / "a.ttf", {"a": RING, "b": BOX, "c": FILLED, "d": CROSSED, "e": []})
    (made,) = find([FontSource(str(path))])
    assert [c for c in "abcdef" if made.missing(c) is None] == ["a", "d"]


def test_a_known_font_loses_exactly_its_filled_characters() -> None:
    """Noto's heaviest weight overlaps its strokes everywhere, and keeps all characters."""
    (noto,) = find([FontSource("NotoSansCJK-VF.otf.ttc", package="manimgx_fonts_cjk", face=2, wght=(900, 900))])
    assert noto.missing("回徊圃圄圊崮蛔痼锤舞鞲田国围") is None


@pytest.mark.parametrize("table", ["cmap", "glyf", "loca", "hmtx", "head", "maxp", "hhea"])
def test_lying_tables_cost_the_font_or_characters_and_never_a_hang_or_tofu(tmp_path: Path, table: str) -> None:
    path = font(tmp_path / "a.ttf", {chr(c): RING if c % 2 else CROSSED for c in range(0x21, 0x7F)})
    data = bytearray(path.read_bytes())
    entry = TTFont(path).reader.tables[table]
    for lie in (0x00, 0xFF):
        data[entry.offset : entry.offset + entry.length] = bytes([lie]) * entry.length
        lying = tmp_path / f"{table}{lie}.ttf"
        lying.write_bytes(data)
        overrides = [f"fonts=[{{file: '{lying}'}}]", only("kind: word, languages: {en: 1}"), "attempts=5"]
        with suppress(UserError):
            recipe = Recipe.load(PURE, overrides)
            samples = [recipe.render(index) for index in range(5)]
            assert all(sample.regions for sample in samples)


def test_a_font_cut_anywhere_is_refused_or_draws_whole_characters(tmp_path: Path) -> None:
    whole = font(tmp_path / "a.ttf", {chr(c): RING for c in range(0x21, 0x7F)}).read_bytes()
    for part in range(1, 12):
        cut = tmp_path / f"cut{part}.ttf"
        cut.write_bytes(whole[: len(whole) * part // 12])
        with suppress(UserError):
            (made,) = find([FontSource(str(cut))])
            made.missing("Glyph")


def package(folder: Path, name: str, slices: list[dict[str, list[Square]]]) -> Path:
    """A package as npm's @fontsource lays it out."""
    for number, drawn in enumerate(slices):
        font(folder / name / "files" / f"{name}-{number}-400-normal.woff", drawn)
    (folder / name / "unicode.json").write_text(json.dumps({}), "utf-8")
    return folder / name


def test_slices_of_a_package_are_joined_to_one_font(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "home")
    package(tmp_path / "npm", "brush", [{"a": RING, "b": RING}, {"b": RING, "天": CROSSED}, {"地": RING}])
    fonts, left = find_all([FontSource(str(tmp_path / "npm"))])
    assert not left
    (made,) = fonts
    assert made.missing("ab天地") is None
    assert made.family == "Composition"
    assert made.license == "OFL-1.1"
    assert find([FontSource(str(tmp_path / "npm"))])[0].sha256 == made.sha256
    made.path.unlink()
    monkeypatch.setattr("fontTools.merge.tables.timestampNow", lambda: 1)  # at another time
    assert find([FontSource(str(tmp_path / "npm"))])[0].sha256 == made.sha256  # joined anew: the same bytes


def test_a_damaged_slice_is_named(tmp_path: Path) -> None:
    (slices,) = groups(package(tmp_path, "brush", [{"a": RING}, {"b": RING}]))
    slices[1].write_bytes(b"no font")
    with pytest.raises(UserError, match=r"fonts\.3\.file: the slices of .*brush/files cannot be joined: "):
        joined(slices, "fonts.3", tmp_path / "cache")
