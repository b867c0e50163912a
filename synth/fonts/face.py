"""One face of a font at one weight: shapes text and gives outlines.

HarfBuzz does both the shaping and the outlines; Skia only fills them. So a glyph's box is the box of
what is painted, at any position and size, and the system's font settings play no part.
"""

from __future__ import annotations

import copy
import re
import struct
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import skia
import uharfbuzz as hb

from synth.fonts.contours import area_and_edge, bridges, contours, united
from synth.fonts.defects import has_filled_counter
from synth.fonts.likeness import SAME, overlap, stretched_overlap
from synth.geometry import Box

_DEFAULT_LANGUAGE = 0xFFFF  # OpenType's index of a script's default language
_MAX_OUTLINES = 4096  # per face and weight, some 3 kB each for Han characters
_MIN_ADVANCE = 0.3  # chosen, of a glyph's ink width: with less, letters lie on each other
_MAX_ADVANCE = 4.0  # chosen, em
_OWN = 1 << 16  # a font has no glyph of this number or a higher one
_Features = dict[str, bool | list[tuple[int, int, int]]]
_FEATURES: _Features = {"liga": False, "clig": False, "dlig": False}
"""No ligatures: each character keeps a glyph, and a box, of its own."""
_BARE: _Features = _FEATURES | dict.fromkeys(("calt", "rlig", "rclt", "ccmp", "locl", "frac", "numr", "dnom"), False)
"""Nothing by which a font puts one glyph in another's place: what the character map names is drawn."""
_WIDE_MARKS = "“”‘’…—–·"
_PROPORTIONAL = {
    "en": re.compile(f"[{_WIDE_MARKS}]+"),
    "zh": re.compile("(?<=[A-Za-z])’(?=[A-Za-z])"),
}
"""Where proportional widths (pwid) are asked for: CJK fonts draw the marks of English one em wide, apostrophes too."""
_TAGS = {"zh": "zh-Hans", "zh-Hant-TW": "zh-Hant-TW", "zh-Hant-HK": "zh-Hant-HK", "en": "en"}
_SYSTEMS = {"zh-Hant-TW": "ZHT ", "zh-Hant-HK": "ZHH "}  # OpenType's language systems
_EAST_ASIAN = 0x2E80  # the first code point of its scripts
_ENCODED_TWICE = {"墫", "壿"}  # one character by Unihan's kZVariant, and one glyph in Noto
_CASED = "abdeghnqrt"  # letters whose small form is no smaller copy of the capital
_CAPITAL = 0.85  # chosen: overlap with the capitals; faces without small letters have 0.89 to 1.00, others up to 0.77


@dataclass(frozen=True)
class Glyph:
    """One shaped glyph, lengths in em, y upwards. ``start:end`` are the characters it stands for.

    ``dx``, ``dy``: from the pen to the glyph's origin. The pen runs along the baseline, in vertical text down the
    middle of the column. ``angle``: degrees that the glyph is turned clockwise about its origin.
    """

    id: int
    start: int
    end: int
    advance: float
    dx: float
    dy: float
    angle: float = 0.0
    face: Face | None = None  # of a run in another face than its text's


class Face:
    """One face at one weight: shapes text and gives outlines."""

    def __init__(self, path: Path, index: int, wght: int | None) -> None:
        self._face = hb.Face(blob(str(path)), index)
        self._font = hb.Font(self._face)
        if wght is not None:
            self._font.set_variations({"wght": wght})
        self.weight = _weight(self._face) if wght is None else wght  # of CSS's, 400 is regular
        self.upem = self._face.upem
        self._variable = bool(self._face.axis_infos)
        self.ascent, self.descent = _em_box(self._face)
        self._outlines: dict[int, tuple[skia.Path, Box | None]] = {}
        self._united: dict[int, skia.Path] = {}
        self._strokes: dict[int, tuple[float, float]] = {}
        self._bridges: dict[int, list[skia.Rect]] = {}
        self._nominal = _Nominal(self._font)
        self._alike: dict[tuple[int, int], bool] = {}

    def nominal(self, character: str) -> int:
        """The glyph that the character map names for a character, 0 where it names none."""
        return self._nominal[character]

    def draws(self, character: str) -> bool:
        """Whether the font has a glyph with a sound outline of its own, not .notdef's, for one character."""
        glyph = self.nominal(character)
        box = self.ink(glyph) if glyph else None
        if not box or self.outline(glyph) == self.outline(0) or character in self._misnamed:
            return False
        advance = self._font.get_glyph_h_advance(glyph) / self.upem
        if not unicodedata.combining(character) and not _MIN_ADVANCE * (box[2] - box[0]) < advance < _MAX_ADVANCE:
            return False
        # Variable fonts are spared the test, a quarter of a millisecond: their contours overlap by design.
        return self._variable or not has_filled_counter(contours(self.outline(glyph)))

    @cached_property
    def _misnamed(self) -> frozenset[str]:
        """Characters whose glyph the character map names for another character too: one of them is drawn wrong.

        Fonts that write traditional forms for simplified characters do so, and those that fill gaps with one picture.
        """
        named: dict[int, list[str]] = {}
        for code in self._face.unicodes:
            if 0x4E00 <= code <= 0x9FFF or (code < 0x7F and chr(code).isalnum()):
                named.setdefault(self.nominal(chr(code)), []).append(chr(code))
        several = (found for found in named.values() if len(found) > 1 and {*found} != _ENCODED_TWICE)
        return frozenset(character for found in several for character in found)

    @cached_property
    def capitals_only(self) -> bool:
        """Whether it has no small letters of its own: what it draws for "a" is an "A", large or small."""
        pairs = [(self.nominal(letter), self.nominal(letter.upper())) for letter in _CASED]
        shares = sorted(stretched_overlap(self.outline(a), self.outline(b)) for a, b in pairs if a and b)
        return bool(shares) and shares[len(shares) // 2] >= _CAPITAL

    @property
    def vertical(self) -> bool:
        """Whether the font has forms for vertical text."""
        scripts = range(len(hb.ot_layout_table_get_script_tags(self._face, "GSUB")))
        tags = {
            t for s in scripts for t in hb.ot_layout_language_get_feature_tags(self._face, "GSUB", s, _DEFAULT_LANGUAGE)
        }
        return bool(tags & {"vert", "vrt2"})

    @property
    def embedding(self) -> int:
        """The usage permissions of OS/2 (fsType): 0 installable, 2 restricted, 4 preview and print, 8 editable."""
        table = self._face.reference_table("OS/2").data
        return struct.unpack(">H", table[8:10])[0] & 0xF if len(table) >= 10 else 0

    def name(self, name_id: int) -> str:
        """An entry of the OpenType name table in English, empty when there is none."""
        return self._face.get_name(name_id) or ""

    def shape(self, text: str, language: str) -> list[Glyph]:
        """Glyphs of one line of left-to-right text, in order.

        Every character is drawn by the glyph that the font names for it, or by an alternate that looks the same. What
        the font would put in its place in this text (an ``x`` between digits that becomes a multiplication sign, two
        letters that become one) is drawn without the font's substitutions.
        """
        proportional = _PROPORTIONAL["en" if language == "en" else "zh"]
        marks = [(found.start(), found.end(), 1) for found in proportional.finditer(text)]
        width: _Features = {"pwid": marks} if marks else {}
        glyphs = self._shape(text, language, "ltr", _FEATURES | width if marks else _FEATURES)
        if self.stray(text, glyphs, language) is not None:
            glyphs = self._shape(text, language, "ltr", _BARE | width)
        return glyphs

    def shape_vertical(self, text: str, language: str) -> list[Glyph]:
        """Glyphs of one column set from top to bottom, with the font's vertical forms; ``advance`` is downwards."""
        return self._shape(text, language, "ttb", _FEATURES)

    def _shape(self, text: str, language: str, direction: str, features: _Features) -> list[Glyph]:
        buffer = hb.Buffer()
        buffer.add_str(text)
        buffer.guess_segment_properties()
        buffer.direction = direction
        buffer.language = _TAGS.get(language, "und")
        hb.shape(self._font, buffer, features)
        infos, positions = buffer.glyph_infos, buffer.glyph_positions
        starts = [info.cluster for info in infos] + [len(text)]
        ends = [next((s for s in starts[i + 1 :] if s > starts[i]), len(text)) for i in range(len(infos))]
        k, vertical = 1 / self.upem, direction == "ttb"
        return [
            Glyph(
                info.codepoint,
                info.cluster,
                end,
                (-p.y_advance if vertical else p.x_advance) * k,
                p.x_offset * k,
                p.y_offset * k,
            )
            for info, p, end in zip(infos, positions, ends, strict=True)
        ]

    def localizes(self, language: str) -> bool:
        """Whether the font has forms of its own for traditional Chinese of a region (``zh-Hant-TW``, ``zh-Hant-HK``)."""
        scripts = range(len(hb.ot_layout_table_get_script_tags(self._face, "GSUB")))
        return any(_SYSTEMS[language] in hb.ot_layout_script_get_language_tags(self._face, "GSUB", s) for s in scripts)

    def stray(self, text: str, glyphs: Sequence[Glyph], language: str) -> str | None:
        """The first characters of a horizontal text that do not have a glyph of their own, or whose glyph shows another.

        In traditional Chinese the glyph of a Chinese character is the one of its region.
        """
        if [glyph.id for glyph in glyphs] == [self._nominal[character] for character in text]:
            return None
        regional = language in _SYSTEMS
        spans = ((text[g.start : g.end], g.id) for g in glyphs)
        return next((span for span, glyph in spans if not self._is_itself(span, glyph, regional)), None)

    def _is_itself(self, text: str, glyph: int, regional: bool) -> bool:
        """Whether ``glyph`` is what a reader takes for ``text``: one character, with its combining marks if it has any."""
        if len(text) > 1:
            return sum(not unicodedata.combining(character) for character in text) == 1
        nominal = self.nominal(text)
        if nominal == glyph or text.isspace() or text in _WIDE_MARKS or (regional and ord(text) >= _EAST_ASIAN):
            return True
        known = self._alike.get((nominal, glyph))
        if known is None:
            known = nominal != 0 and overlap(self.outline(nominal), self.outline(glyph)) >= SAME
            self._alike[nominal, glyph] = known
        return known

    def outline(self, glyph: int) -> skia.Path:
        """The glyph's outline with 1 em = 1, y downwards, origin at the pen."""
        return self._outline(glyph)[0]

    def with_outline(self, path: skia.Path) -> tuple[Face, int]:
        """The face with one glyph of another outline, such as a damaged character's, and that glyph's id."""
        other, bounds = copy.copy(self), path.computeTightBounds()
        other._outlines = {_OWN: (path, (bounds.left(), bounds.top(), bounds.right(), bounds.bottom()))}
        other._united, other._strokes, other._bridges = {}, {}, {}
        return other, _OWN

    def united(self, glyph: int) -> skia.Path:
        """The edge of its ink: the outline with contours that overlap made one."""
        known = self._united.get(glyph)
        if known is None:
            known = self._united[glyph] = united(self.outline(glyph))
        return known

    def bridges(self, glyph: int) -> list[skia.Rect]:
        """The bars of a stencil across the glyph's enclosed spaces; see ``contours.bridges``."""
        if glyph not in self._bridges:
            self._bridges[glyph] = bridges(self.united(glyph))
        return self._bridges[glyph]

    def stroke(self, glyph: int) -> tuple[float, float]:
        """The inked area of a glyph in em², and the length of its edges in em."""
        known = self._strokes.get(glyph)
        if known is None:
            known = self._strokes[glyph] = area_and_edge(self.united(glyph))
        return known

    def ink(self, glyph: int) -> Box | None:
        """Box of the outline (x0 y0 x1 y1 in em, y downwards), None when it is empty."""
        return self._outline(glyph)[1]

    @cached_property
    def x_height(self) -> float:
        """Height of the small letters, in em; of the face's other letters where it has none."""
        box = self.ink(self.nominal("x"))
        return box[3] - box[1] if box else 1.0

    def _outline(self, glyph: int) -> tuple[skia.Path, Box | None]:
        known = self._outlines.get(glyph)
        if known is None:
            path = self._trace(glyph)
            b = path.computeTightBounds()
            box = None if path.isEmpty() or b.isEmpty() else (b.left(), b.top(), b.right(), b.bottom())
            known = (path, box)
            if (
                len(self._outlines) < _MAX_OUTLINES
            ):  # Never evict: a pass over a whole charset would evict every entry before its reuse.
                self._outlines[glyph] = known
        return known

    def _trace(self, glyph: int) -> skia.Path:
        path, k = skia.Path(), 1 / self.upem
        funcs = hb.DrawFuncs()
        funcs.set_move_to_func(lambda x, y, _: path.moveTo(x * k, -y * k))
        funcs.set_line_to_func(lambda x, y, _: path.lineTo(x * k, -y * k))
        funcs.set_quadratic_to_func(lambda a, b, x, y, _: path.quadTo(a * k, -b * k, x * k, -y * k))
        funcs.set_cubic_to_func(lambda a, b, c, d, x, y, _: path.cubicTo(a * k, -b * k, c * k, -d * k, x * k, -y * k))
        funcs.set_close_path_func(lambda _: path.close())
        self._font.draw_glyph(glyph, funcs)
        return path


class _Nominal(dict[str, int]):
    """Character -> the glyph that a font's character map names, looked up once."""

    def __init__(self, font: hb.Font) -> None:
        self._font = font

    def __missing__(self, character: str) -> int:
        glyph = self[character] = self._font.get_nominal_glyph(ord(character)) or 0
        return glyph


@lru_cache(maxsize=1024)
def blob(path: str) -> hb.Blob:
    """A font file, mapped once."""
    return hb.Blob.from_file_path(path)


@lru_cache(maxsize=1024)
def open_face(path: Path, index: int, wght: int | None) -> Face:
    """A face, kept in the process."""
    return Face(path, index, wght)


def _weight(face: hb.Face) -> int:
    """The weight class of OS/2, regular where there is none."""
    table = face.reference_table("OS/2").data
    return int(struct.unpack(">H", table[4:6])[0]) if len(table) >= 6 else 400


def _em_box(face: hb.Face) -> tuple[float, float]:
    """Height of the em box above and below the baseline, in em, summing to 1.

    OS/2's typographic ascender and descender, which CJK fonts set to the ideographic em box; other
    fonts are scaled to it in proportion.
    """
    table = face.reference_table("OS/2").data
    ascent, descent = struct.unpack(">hh", table[68:72]) if len(table) >= 72 else (0, 0)
    if ascent <= 0 or descent > 0:
        return 0.88, 0.12
    return ascent / (ascent - descent), -descent / (ascent - descent)
