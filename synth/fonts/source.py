"""Fonts of a recipe: where they lie, what they cover, how often they come.

    FontSource ──find──> FontFile (path, sha256, license) ──face(wght)──> Face

A font named by itself must be there and be usable. In a folder or a collection, one that is damaged, or whose
license does not allow it, is left out; ``SkippedFont`` says which and why.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Literal

import uharfbuzz as hb

from configs.errors import UserError
from configs.files import find_package, package_folder
from synth.choice import check_weights
from synth.fonts.face import Face, blob, open_face
from synth.fonts.families import CHINESE, LATIN, STYLES, ChineseFamily, Style, debian_files, latin_files, npm_folder
from synth.fonts.license import license_of, refusal
from synth.fonts.webfonts import PACKED, groups, joined, slices_of, unpacked

_SUFFIXES = (".ttf", ".otf", ".ttc", ".otc", *PACKED)
_FAMILY, _TYPOGRAPHIC_FAMILY = 1, 16  # ids of OpenType's name table; 1 has the default weight in it: "Bitter Thin"
_REGULAR = 400  # the weight that a variable font is drawn in unless the recipe says otherwise
_WGHT_STEP = 100  # weights are drawn in CSS's steps, so that outlines are worth keeping


@dataclass(frozen=True)
class FontSource:
    """Fonts a recipe may draw with: one file, a folder, or a collection that needs no file of the user's.

    ``file``: a font or a folder of fonts, npm's @fontsource packages among them; relative to the Python package ``package`` when that is given,
    else to the working directory. ``wght``: lowest and highest weight drawn from a variable font, regular where it is
    not given.
    ``collection``: "latin" or "chinese", the families that come with the installation (Chinese ones of npm join by
    ``make fonts``) in the ``styles``' weights, or "debian-chinese", what Debian's font packages brought. ``weight``: how
    often its fonts come beside other sources'.
    """

    renamed: ClassVar[dict[str, str]] = {"share": "weight"}

    file: str = ""
    package: str | None = None
    collection: Literal["latin", "chinese", "debian-chinese"] | None = None
    styles: dict[Style, float] = field(default_factory=lambda: dict.fromkeys(STYLES, 1.0))
    face: int = 0  # index within a collection file; Noto CJK: 0 is Japanese, 2 simplified Chinese
    wght: tuple[int, int] | None = None
    languages: tuple[str, ...] = ("zh", "en", "other")
    style: Style | None = None
    handwriting: bool = False  # captions may say "handwritten" with this font
    allow_unlicensed: bool = False  # draw with fonts, too, whose license is not known to allow it
    weight: float = 1.0

    def __post_init__(self) -> None:
        if bool(self.file) == bool(self.collection):
            raise ValueError("a font needs either file or collection")
        check_weights("styles", self.styles)
        if self.weight <= 0:
            raise ValueError(f"weight must be above 0, found {self.weight}")
        if self.wght is not None and not 1 <= self.wght[0] <= self.wght[1] <= 1000:
            raise ValueError(f"wght must be [low, high] within 1..1000, found {list(self.wght)}")


@dataclass(frozen=True)
class SkippedFont:
    """A font of a folder or collection that is not used, and why."""

    path: Path
    reason: str


class FontFile:
    """A font file on disk with the settings of the source that named it."""

    def __init__(self, path: Path, source: FontSource, where: str) -> None:
        self.source = source
        self.path = path = unpacked(path, where) if path.suffix.lower() in PACKED else path
        self.sha256, faces = _read(path, where)
        if not 0 <= source.face < faces:
            raise UserError(f"{where}.face: {path} has no face {source.face}; it holds faces 0..{faces - 1}")
        self.wghts = self._weights(where)
        self._drawn: set[str] = set()  # characters that it is known to draw, and those it is known not to
        self._missing: set[str] = set()

    @property
    def id(self) -> str:
        """Name in ``Sample.parents``: the file and the content it had."""
        return f"font:{self.path.name}#{self.source.face}@{self.sha256[:12]}"

    @cached_property
    def family(self) -> str:
        """Family in the name table, or the file's name where it has none."""
        face = self.face(self.wghts[0])
        return face.name(_TYPOGRAPHIC_FAMILY) or face.name(_FAMILY) or self.path.stem

    @cached_property
    def license(self) -> str:
        """SPDX id of its license as far as it is known."""
        return license_of(self.face(self.wghts[0]))

    @property
    def handwriting(self) -> bool:
        """Whether a person would call what it draws handwritten."""
        return self.source.handwriting or self.source.style == "handwriting"

    @property
    def italic(self) -> bool:
        """Whether its file is named as a slanted one."""
        return "italic" in self.path.stem.lower()

    def writes(self, language: str) -> bool:
        """Whether the recipe draws a language with it; traditional Chinese where it is named, or the font has its forms."""
        if language in self.source.languages or not language.startswith("zh-Hant"):
            return language in self.source.languages
        return "zh-Hant" in self.source.languages or ("zh" in self.source.languages and self._localizes(language))

    def _localizes(self, language: str) -> bool:
        return self.face(self.wghts[0]).localizes(language)

    def missing(self, text: str) -> str | None:
        """The first visible character of ``text`` that the font does not draw, or None."""
        if self._drawn.issuperset(text):  # every font of a recipe is asked about every text
            return None
        for character in text:
            known = self._drawn if character.isspace() or self._knows(character) else self._missing
            known.add(character)
            if known is self._missing:
                return character
        return None

    def _knows(self, character: str) -> bool:
        return character in self._drawn or (character not in self._missing and self._draws(character))

    def _draws(self, character: str) -> bool:
        face = self.face(self.wghts[0])
        return face.draws(character) and not (character.islower() and face.capitals_only)

    def face(self, wght: int | None) -> Face:
        """The font at one weight, kept in the process."""
        return open_face(self.path, self.source.face, wght)

    def _weights(self, where: str) -> list[int | None]:
        """The weights to draw from: the steps of 100 that both recipe and font allow; None: the font has but one."""
        face = hb.Face(blob(str(self.path)), self.source.face)
        axis = next((a for a in face.axis_infos if a.tag == "wght"), None)
        if axis is None:
            return [None]
        regular = min(max(_REGULAR, axis.min_value), axis.max_value)
        low, high = self.source.wght or (regular, regular)
        if low > axis.max_value or high < axis.min_value:
            found, allowed = f"[{low:g}, {high:g}]", f"{axis.min_value:g}..{axis.max_value:g}"
            raise UserError(f"{where}.wght: {self.path.name} has weights {allowed}, found {found}")
        low, high = max(low, axis.min_value), min(high, axis.max_value)
        first = -(-int(low) // _WGHT_STEP) * _WGHT_STEP
        return list(range(first, int(high) + 1, _WGHT_STEP)) or [int(low)]


def find(sources: Sequence[FontSource]) -> list[FontFile]:
    """Every font file the sources name, in a stable order. Raises UserError naming ``fonts.N.file``."""
    return find_all(sources)[0]


def find_all(sources: Sequence[FontSource]) -> tuple[list[FontFile], list[SkippedFont]]:
    """Fonts to draw with, and those of folders and collections that are left out. Raises UserError."""
    found: list[FontFile] = []
    skipped: list[SkippedFont] = []
    for number, source in enumerate(sources):
        where = f"fonts.{number}"
        several = _expanded(source, where)
        usable = []
        for path, own in several:
            try:
                font = FontFile(path, own, where)
                reason = None if source.allow_unlicensed else refusal(font.face(font.wghts[0]))
            except UserError as error:
                if len(several) == 1:
                    raise
                reason = str(error).removeprefix(f"{where}.file: ").removeprefix(f"{path} ")
            if reason is None:
                usable.append(font)
            elif len(several) == 1:
                raise UserError(f"{where}: {path} is left out: {reason}; allow_unlicensed: true takes it all the same")
            else:
                skipped.append(SkippedFont(path, reason))
        if not usable:
            raise UserError(
                f"{where}: none of {len(several)} fonts can be used; the first: {skipped[-1].path}: {skipped[-1].reason}"
            )
        found += usable
    return found, skipped


def _expanded(source: FontSource, where: str) -> list[tuple[Path, FontSource]]:
    """Files with a source of their own each. Weights are divided: a family counts once, however many files it has."""
    if source.collection == "latin":
        return _latin(source, where)
    if source.collection == "chinese":
        return _chinese(source, where)
    if source.collection == "debian-chinese":
        files = debian_files()
        if not files:
            raise UserError(
                f"{where}.collection: no Chinese font of Debian is installed; sudo apt-get install fonts-lxgw-wenkai"
            )
        weight = source.weight / len(files)
        return [
            (p, replace(source, face=face, style=style, weight=weight, languages=("zh",))) for p, face, style in files
        ]
    path = _locate(source, f"{where}.file")
    if not path.is_dir():
        return [(path, source)]
    slices = groups(path)
    parts = set(slices_of(path))
    paths = sorted(p for p in path.rglob("*") if p.suffix.lower() in _SUFFIXES and p not in parts)
    paths += [joined(group, where) for group in slices]
    if not paths:
        looked = f"{', '.join(_SUFFIXES)}, and packages of @fontsource"
        raise UserError(f"{where}.file: the folder {path} holds no font; looked for {looked}")
    return [(p, source) for p in paths]


def _latin(source: FontSource, where: str) -> list[tuple[Path, FontSource]]:
    total = sum(source.styles[style] for style in source.styles if style in LATIN)
    found = []
    for style, style_weight in source.styles.items():
        families = [files for family in LATIN.get(style, ()) if (files := latin_files(family))]
        for files in families if style_weight else []:
            weight = source.weight * style_weight / total / len(families) / len(files)
            own = replace(source, style=style, weight=weight, languages=("en", "other"), wght=source.wght or (300, 800))
            found += [(path, own) for path in files]
    if not found:
        raise UserError(f"{where}.collection: no family of it is installed; make setup")
    return found


def _chinese(source: FontSource, where: str) -> list[tuple[Path, FontSource]]:
    """The families that are there; those of one standard share the source's weight by style, then alike."""
    there = {family: files for family in CHINESE if (files := _family_files(family, where))}
    found = []
    for family, files in there.items():
        peers = [f for f in there if f.traditional == family.traditional]
        styles = {f.style: source.styles.get(f.style, 0.0) for f in peers}
        alike = sum(f.style == family.style for f in peers) * len(files)
        weight = source.weight * styles[family.style] / (sum(styles.values()) or 1.0) / alike
        latin = family.style not in ("display", "handwriting")  # whose Latin letters are an afterthought
        languages = ("zh-Hant",) if family.traditional else source.languages if latin else ("zh",)
        own = replace(
            source, face=family.face, style=family.style, languages=languages, wght=source.wght or family.wght
        )
        found += [(path, replace(own, weight=weight)) for path in files if weight]
    if not found:
        raise UserError(f"{where}.collection: no family of it is installed; make setup")
    return found


def _family_files(family: ChineseFamily, where: str) -> list[Path]:
    if family.file:
        folder = find_package(family.package)
        return [folder / family.file] if folder else []
    folder = npm_folder(family.package)
    return [joined(slices, where) for slices in groups(folder)] if folder else []


def _locate(source: FontSource, where: str) -> Path:
    path = Path(source.file).expanduser()
    if source.package is not None:
        path = package_folder(source.package, where) / path
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
