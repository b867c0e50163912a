"""What a recipe makes, a sample: a picture whose text and geometry are known exactly.

    Recipe.render(index) ──> Sample ──encode()──> lossless bytes for a shard

Quads are in pixels of ``Sample.image``, final: every placement, jitter and shift happened before.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from typing import Literal

from PIL import Image

from synth.language import CaptionLanguage, Language

Level = Literal["glyph", "word", "line", "paragraph"]

PALETTE = 256
"""Up to this many colors WebP's method 1 writes a palette. Measured at 512 px: 6 kB in 2.6 ms, against 32 kB in 4.0 ms
with method 0 and 19 kB in 4.9 ms as PNG; with more colors method 0 is five times as fast."""


@dataclass(frozen=True)
class Region:
    """A piece of visible text and where it is.

    ``quad``: x1 y1 .. x4 y4 in px, clockwise from the text's own top left: in ``ltr`` the first edge runs along the
    reading direction, in a column (``ttb``) across it. A glyph's quad is
    the box of the pixels its ink touches; words, lines and paragraphs span the font's em box across
    the reading direction, so that their height does not depend on which letters they hold.
    """

    text: str
    quad: tuple[float, ...]
    level: Level
    direction: Literal["ltr", "ttb"] = "ltr"
    damage: str | None = None  # of a glyph that is not whole: "stroke missing", "contour moved" ...


@dataclass(frozen=True)
class Caption:
    """A sentence about the picture; it quotes the text exactly and names nothing that is not there."""

    text: str
    language: CaptionLanguage
    source: str = "template"


@dataclass(frozen=True)
class Sample:
    """One made picture. ``text`` has a newline where the picture starts a new line."""

    id: str  # 32 hex digits: sha256 over recipe digest, seed and index
    recipe: str
    index: int
    image: Image.Image  # RGB
    text: str
    text_language: Language
    text_level: int  # 1 character or word, 2 line, 3 several lines or regions, 4 paragraph
    captions: list[Caption]
    regions: list[Region]  # glyphs, words, lines, paragraphs; each in reading order
    license: str  # SPDX expression of what the picture shows; "unknown" for a corpus without a stated license
    parents: list[str]  # fonts and corpora it was made from: "font:NAME@sha12", "corpus:NAME@sha12"
    task: Literal["t2i", "ti2i", "i2i"] = "t2i"
    reference: Image.Image | None = None  # of an edit: the picture before it
    instructions: list[Caption] = field(default_factory=list)  # of an edit
    strategy: str = "pure"  # pure, scene, template, edit
    medium: str | None = None  # of a scene the key in ``strategy.media``, of a template its family
    fonts: list[str] = field(default_factory=list)  # families
    colors: list[str] = field(default_factory=list)  # English names of the text's colors
    effects: list[str] = field(default_factory=list)  # an Effect of synth.drawing.style, vertical, curved
    pair: str | None = None  # of bilingual twins: 32 hex digits that both have in common
    photographic: bool = False  # whether a photograph is behind the text
    discarded: int = 0  # texts drawn and thrown away before this one, because they could not be shown whole
    missing_glyphs: dict[str, int] = field(
        default_factory=dict
    )  # character no font drew -> how many of those texts had it
    domain: str = field(default="synthetic", init=False)

    @property
    def abnormal(self) -> bool:
        """Whether a character of it is damaged."""
        return any(region.damage for region in self.regions)

    def encode(self) -> tuple[bytes, str]:
        """The picture as ``encode`` gives it; pictures of an edit are always lossless, so that untouched pixels stay equal."""
        return encode(self.image, self.photographic and self.reference is None)


def encode(image: Image.Image, photographic: bool = False) -> tuple[bytes, str]:
    """A picture's bytes and Pillow's name of the container; same pixels, same bytes.

    Drawn pictures become lossless WebP. Photographs, which came out of a JPEG themselves, become JPEG of quality 95
    without subsampled color. Measured on scenes of 512 px: 70 kB in 2 ms, against 330 kB in 12 ms.
    """
    out = io.BytesIO()
    if photographic:
        image.save(out, "JPEG", quality=95, subsampling=0)
        return out.getvalue(), "JPEG"
    method = 0 if image.getcolors(PALETTE) is None else 1
    image.save(out, "WEBP", lossless=True, quality=0, method=method)
    return out.getvalue(), "WEBP"
