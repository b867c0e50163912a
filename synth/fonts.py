"""Fonts: finding the files a recipe names, and glyphs as outlines.

    FontSource ──find──> FontFile (path, sha256) ──face(wght)──> Face: shape(text) -> glyphs in em
                                                                       outline(glyph) -> skia.Path in em

HarfBuzz does both the shaping and the outlines; Skia only fills them. So a glyph's box is the box of
what is painted, at any position and size, and the system's font settings play no part.
"""

from __future__ import annotations

import hashlib
import importlib.util
import struct
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import skia
import uharfbuzz as hb

from configs.errors import UserError

Box = tuple[float, float, float, float]
SUFFIXES = (".ttf", ".otf", ".ttc", ".otc")
OUTLINES_KEPT = 2048  # per face and weight, some 3 kB each for Han characters
WGHT_STEP = 100  # weights are drawn in CSS's steps, so that outlines are worth keeping
FEATURES = {"liga": False, "clig": False, "dlig": False}
"""No ligatures: each character keeps a glyph, and a box, of its own."""
ENGLISH = FEATURES | {"pwid": True}
"""CJK fonts draw quotation marks a whole em wide unless told that the text is not Chinese."""


@dataclass(frozen=True)
class FontSource:
    """A font a recipe may draw with.

    ``file``: a font or a folder of fonts; relative to the Python package ``package`` when that is given,
    else to the working directory. ``wght``: lowest and highest weight drawn from a variable font.
    """

    file: str
    package: str | None = None
    face: int = 0  # index within a collection; Noto CJK: 0 is Japanese, 2 simplified Chinese
    wght: tuple[int, int] | None = None
    languages: tuple[str, ...] = ("zh", "en", "other")
    handwriting: bool = False  # captions may say "handwritten" with this font
    share: float = 1.0

    def __post_init__(self) -> None:
        if self.share <= 0:
            raise ValueError(f"share must be above 0, found {self.share}")
        if self.wght is not None and not 1 <= self.wght[0] <= self.wght[1] <= 1000:
            raise ValueError(f"wght must be [low, high] within 1..1000, found {list(self.wght)}")


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


class FontFile:
    """A font file on disk with the settings of the source that named it."""

    def __init__(self, path: Path, source: FontSource, where: str) -> None:
        self.path = path
        self.source = source
        self.sha256, faces = _read(path, where)
        if not 0 <= source.face < faces:
            raise UserError(f"{where}.face: {path} has no face {source.face}; it holds faces 0..{faces - 1}")
        self.wghts = self._weights(where)

    @property
    def id(self) -> str:
        """Name in ``Sample.parents``: the file and the content it had."""
        return f"font:{self.path.name}#{self.source.face}@{self.sha256[:12]}"

    @cached_property
    def family(self) -> str:
        """Family in the name table, or the file's name where it has none."""
        return self.face(self.wghts[0]).name(1) or self.path.stem

    def face(self, wght: int | None) -> Face:
        """The font at one weight, kept in the process."""
        return _face(self.path, self.source.face, wght)

    def _weights(self, where: str) -> list[int | None]:
        """The weights to draw from: the steps of 100 that both recipe and font allow; None: the font has but one."""
        face = hb.Face(_blob(str(self.path)), self.source.face)
        axis = next((a for a in face.axis_infos if a.tag == "wght"), None)
        if axis is None:
            return [None]
        low, high = self.source.wght or (axis.default_value, axis.default_value)
        if low > axis.max_value or high < axis.min_value:
            found, allowed = f"[{low:g}, {high:g}]", f"{axis.min_value:g}..{axis.max_value:g}"
            raise UserError(f"{where}.wght: {self.path.name} has weights {allowed}, found {found}")
        low, high = max(low, axis.min_value), min(high, axis.max_value)
        first = -(-int(low) // WGHT_STEP) * WGHT_STEP
        return list(range(first, int(high) + 1, WGHT_STEP)) or [int(low)]


class Face:
    """One face at one weight: shapes text and gives outlines."""

    def __init__(self, path: Path, index: int, wght: int | None) -> None:
        self._face = hb.Face(_blob(str(path)), index)
        self._font = hb.Font(self._face)
        if wght is not None:
            self._font.set_variations({"wght": wght})
        self.upem = self._face.upem
        self.ascent, self.descent = _em_box(self._face)
        self._outlines: dict[int, tuple[skia.Path, Box | None]] = {}

    def draws(self, character: str) -> bool:
        """Whether the font has a glyph with an outline for one character."""
        glyph = self._font.get_nominal_glyph(ord(character))
        return bool(glyph) and self.ink(glyph) is not None

    def name(self, name_id: int) -> str:
        """An entry of the OpenType name table in English, empty when there is none."""
        return self._face.get_name(name_id) or ""

    def shape(self, text: str, language: str) -> list[Glyph]:
        """Glyphs of one line of left-to-right text, in order."""
        return self._shape(text, language, "ltr", ENGLISH if language == "en" else FEATURES)

    def shape_vertical(self, text: str, language: str) -> list[Glyph]:
        """Glyphs of one column set from top to bottom, with the font's vertical forms; ``advance`` is downwards."""
        return self._shape(text, language, "ttb", FEATURES)

    def _shape(self, text: str, language: str, direction: str, features: dict[str, bool]) -> list[Glyph]:
        buffer = hb.Buffer()
        buffer.add_str(text)
        buffer.guess_segment_properties()
        buffer.direction = direction
        buffer.language = {"zh": "zh-Hans", "en": "en"}.get(language, "und")
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

    def outline(self, glyph: int) -> skia.Path:
        """The glyph's outline with 1 em = 1, y downwards, origin at the pen."""
        return self._outline(glyph)[0]

    def ink(self, glyph: int) -> Box | None:
        """Box of the outline (x0 y0 x1 y1 in em, y downwards), None when it is empty."""
        return self._outline(glyph)[1]

    def _outline(self, glyph: int) -> tuple[skia.Path, Box | None]:
        known = self._outlines.get(glyph)
        if known is None:
            path = self._trace(glyph)
            b = path.computeTightBounds()
            box = None if path.isEmpty() or b.isEmpty() else (b.left(), b.top(), b.right(), b.bottom())
            if len(self._outlines) >= OUTLINES_KEPT:
                self._outlines.pop(next(iter(self._outlines)))
            known = self._outlines[glyph] = (path, box)
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


def find(sources: Sequence[FontSource]) -> list[FontFile]:
    """Every font file the sources name, in a stable order. Raises UserError naming ``fonts.N.file``."""
    found = []
    for number, source in enumerate(sources):
        where = f"fonts.{number}.file"
        path = _locate(source, where)
        if path.is_dir():
            paths = sorted(p for p in path.rglob("*") if p.suffix.lower() in SUFFIXES)
            if not paths:
                raise UserError(f"{where}: the folder {path} holds no font; looked for {', '.join(SUFFIXES)}")
        else:
            paths = [path]
        found += [FontFile(p, source, f"fonts.{number}") for p in paths]
    return found


def _locate(source: FontSource, where: str) -> Path:
    path = Path(source.file).expanduser()
    if source.package is not None:
        try:
            spec = importlib.util.find_spec(source.package)
        except (ImportError, ValueError):
            spec = None
        if spec is None or not spec.submodule_search_locations:
            raise UserError(f"{where}: the Python package '{source.package}' that should hold it is not installed")
        path = Path(next(iter(spec.submodule_search_locations))) / path
    if not path.exists():
        raise UserError(f"{where}: no font at {path}")
    return path


def _read(path: Path, where: str) -> tuple[str, int]:
    """sha256 and number of faces of a font file. Raises UserError when it is not a font."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise UserError(f"{where}.file: {path} cannot be read: {error.strerror}") from None
    face = hb.Face(data, 0)
    if face.glyph_count == 0 or not face.unicodes:
        raise UserError(
            f"{where}.file: {path} is not a font that can be used; expected TrueType or OpenType with a Unicode map"
        )
    return hashlib.sha256(data).hexdigest(), face.count


@lru_cache(maxsize=256)
def _blob(path: str) -> hb.Blob:
    return hb.Blob.from_file_path(path)


@lru_cache(maxsize=256)
def _face(path: Path, index: int, wght: int | None) -> Face:
    return Face(path, index, wght)


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
