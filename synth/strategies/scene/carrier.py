"""What a medium is, and what its drawing gives to a scene.

Medium.draw(w, h, rng) ──> Carrier: layers in 0..w x 0..h px, the box that text may use, colors that fit
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np

from synth.corpus.signs import Slot
from synth.drawing.bend import Bend
from synth.drawing.colors import PALETTE, RGB, Color
from synth.drawing.layers import PictureLayer, ShapeLayer
from synth.geometry import Box
from synth.strategies.scene.holding import Foot, Holding

DARK_INKS = ("black", "dark blue", "dark red", "dark green", "blue", "red", "purple", "brown")
LIGHT_INKS = ("white", "light yellow", "beige", "light blue", "pink", "light green")


@dataclass(frozen=True, eq=False)
class Carrier:
    """A medium of ``w`` x ``h`` px before it is set into the picture.

    ``room``: the box for text, on the flat sheet where a ``bend`` takes that to the medium's px. ``ground``: the colors
    under it; ``inks``: names of the colors that suit it. ``shades``: what the ground shows besides, where it is not of
    one color. ``shadow``: px that its shadow is soft and off, 0 for none. ``lit``: whether the surroundings shade it.
    ``shaped``: it fills less than its box, so its pictures are shaded instead of the box.
    """

    layers: tuple[ShapeLayer | PictureLayer, ...]
    room: Box
    ground: tuple[Color, ...]
    inks: tuple[str, ...]
    shadow: float
    lit: bool = True
    radius: float = 0.0
    shades: tuple[RGB, ...] = ()
    bend: Bend | None = None
    shaped: bool = False


@dataclass(frozen=True)
class Medium:
    """Something that carries text: how it is drawn, and the words that captions have for it.

    ``en``, ``zh``: its name. ``verb_en``, ``verb_zh``: how text gets onto it: "... painted on a wooden board",
    木板上漆着; the Chinese one ends in 着. ``classifier``: number and measure word before the Chinese name (一块木板),
    empty where the name brings its own. ``aspect``: width to height, drawn between. ``draw(width, height, rng)``, px.
    ``handwritten``: whether most of the texts on it are in a handwriting face; ``hand``: the verbs (English, Chinese)
    that are said instead where one is. ``held``: by what, of which
    one that suits the photograph is drawn; something flat that stands on a table has a ``foot``.
    ``across``: about how much of its width a line of text can take; ``most``: characters that such a thing carries, Latin
    ones counted half, 0 for any number: longer texts are given other media. ``says``: what such a thing says: slots of
    ``corpus/signs.py`` (``say`` for all prose), ``number``, and ``word`` and ``phrase`` for those of other kinds; what it does
    not say is given other media; empty for anything.
    ``places``: of ``corpus/signs.py``, whose lines alone it carries; empty for all. ``centered``: its text is set in the middle.
    Raises ValueError.
    """

    en: str
    zh: str
    verb_en: str
    verb_zh: str
    classifier: str
    aspect: tuple[float, float]
    draw: Callable[[float, float, np.random.Generator], Carrier]
    handwritten: bool = False
    hand: tuple[str, str] | None = None
    held: tuple[Holding, ...] = ("free",)
    foot: Foot | None = None
    across: float = 0.8
    most: int = 0
    says: tuple[Slot | Literal["number", "word", "phrase"], ...] = ()
    places: tuple[str, ...] = ()
    centered: bool = False

    def __post_init__(self) -> None:
        for name in ("en", "zh", "verb_en", "verb_zh"):
            if not getattr(self, name).strip():
                raise ValueError(f"Medium: {name} must not be empty")
        for verb in (self.verb_zh, *(self.hand or ())[1:]):
            if not verb.endswith("着"):
                raise ValueError(f"Medium {self.en}: verb_zh must end in 着, found '{verb}'")
        if not 0 < self.aspect[0] <= self.aspect[1]:
            raise ValueError(f"Medium {self.en}: aspect must be [low, high] above 0, found {list(self.aspect)}")


def any_color(rng: np.random.Generator, names: tuple[str, ...]) -> Color:
    return PALETTE[names[int(rng.integers(len(names)))]]


def inks_on(color: Color) -> tuple[str, ...]:
    """Names of the inks that suit a ground of one color: light ones on a dark one."""
    names = LIGHT_INKS if sum(color.rgb) < 380 else DARK_INKS
    return tuple(name for name in names if name != color.en)


def dimmed(rgb: RGB, light: float) -> RGB:
    """A color in less light, 1 where it stays."""
    return round(rgb[0] * light), round(rgb[1] * light), round(rgb[2] * light)
