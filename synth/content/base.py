"""What a kind of content is: how the texts of a recipe are found.

    contents: [{kind: ...}] ──> Content ──draw(ContentRequest)──> Text

A kind is a frozen dataclass derived from ``Content``: its fields are those of an entry of the recipe's ``contents:``.
The ones that ship are named in ``synth/recipe.py``'s ``AnyContent``; one of your own joins by
``kind: package.module:Class``.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import ClassVar, Literal

import numpy as np

from synth.choice import check_weights
from synth.content.canvas import Canvas
from synth.corpus.corpus import Corpora
from synth.corpus.signs import Setting
from synth.corpus.traditional import Script, pick_traditional, to_traditional
from synth.language import CaptionLanguage, Language
from synth.typeset.layout import LayoutConfig

_LONGEST = 5_000  # chosen: characters of a text, words of a line, sentences of a paragraph; more never fits a canvas
Unit = Literal["item", "line", "sentence", "paragraph"]


def both() -> dict[CaptionLanguage, float]:
    """Chinese and English equally often."""
    return {"zh": 1.0, "en": 1.0}


@dataclass(frozen=True)
class Text:
    """Text to show.

    ``script``: the standard whose characters its Chinese is in: simplified, or traditional as in Taiwan or Hong Kong.
    ``unit``: how much of a text it is. ``corpus``: where its words come from; ``license``: SPDX expression of such
    words as come from no corpus of the recipe, of a package or of ours. ``counterpart``: the same in the other of both
    languages, where it is known. ``topic``: what it is about, by the content's own names; ``order``: where it stands
    among several on one picture, from the top; ``setting``: whether it makes sense inside or outside alone.
    """

    text: str
    language: Language
    unit: Unit
    corpus: str
    license: str = "unknown"
    script: Script = "zh-Hans"
    counterpart: str = ""
    topic: str = ""
    order: int = 0
    setting: Setting = ""

    @property
    def tag(self) -> str:
        """The language that it is shaped in: ``language``, or the tag of traditional Chinese."""
        return self.script if self.language == "zh" and self.script != "zh-Hans" else self.language

    @property
    def wrap(self) -> bool:
        """Whether it may be broken into lines."""
        return self.unit in ("sentence", "paragraph")


@dataclass(frozen=True)
class ContentRequest:
    """What a content draws a text from.

    ``ordinal``: how many samples of this content come before. ``key``: the recipe's seed and the content's number, so
    that two contents walk one set in different orders. ``beside``: texts of the same content that stand on the picture
    already; ``instead``: the one whose place the text takes. Kinds whose texts have nothing to do with each other ignore
    both.
    """

    rng: np.random.Generator
    ordinal: int
    key: tuple[int, int]
    corpora: Corpora
    beside: tuple[Text, ...] = ()
    instead: Text | None = None


@dataclass(frozen=True, kw_only=True)
class Content:
    """A kind of text, with the settings that all kinds have; the base class of the contents' configs.

    ``canvases`` and ``layout``, where given, replace the whole of the recipe's. ``alone``: no other text stands beside
    one of these, for kinds whose texts have nothing to do with each other.
    """

    renamed: ClassVar[dict[str, str]] = {"share": "weight"}
    ranges: ClassVar[tuple[str, ...]] = ()  # the fields that are [least, most]

    kind: str
    weight: float = 1.0
    canvases: tuple[Canvas, ...] = ()
    layout: LayoutConfig | None = None
    alone: bool = False
    traditional: float = 0.0  # of the Chinese texts are written in traditional characters (OpenCC)

    def __post_init__(self) -> None:
        if self.weight <= 0:
            raise ValueError(f"weight must be above 0, found {self.weight:g}")
        if not 0 <= self.traditional <= 1:
            raise ValueError(f"traditional must be within 0..1, found {self.traditional:g}")
        for name in ("languages", "forms", "cases"):
            if hasattr(self, name):
                check_weights(name, getattr(self, name))
        for name in self.ranges:
            low, high = getattr(self, name)
            if not 1 <= low <= high <= _LONGEST:
                raise ValueError(f"{name} must be [least, most] within 1..{_LONGEST}, found [{low}, {high}]")

    @property
    def packages(self) -> tuple[str, ...]:
        """Python packages whose version decides what is drawn."""
        return ("OpenCC",) if self.traditional else ()

    def text(self, request: ContentRequest) -> Text:
        """The text of one sample: what ``draw`` gives, in the characters that ``traditional`` asks for."""
        text = self.draw(request)
        if self.traditional and text.language == "zh" and request.rng.random() < self.traditional:
            script = pick_traditional(request.rng)
            return replace(text, text=to_traditional(text.text, script), script=script)
        return text

    def draw(self, request: ContentRequest) -> Text:
        """The words of one sample, a pure function of the request. Raises ValueError where none can be found."""
        raise TypeError(f"{type(self).__name__} defines no draw")

    def held_out(self, corpora: Corpora) -> list[str]:
        """The texts this content never renders, kept for evaluation; empty unless it has such a set."""
        return []


def is_held_out(text: str, fraction: float) -> bool:
    """Whether ``text`` belongs to the held-out ``fraction`` (0..1): by a hash of the text alone, the same in every recipe."""
    return (
        fraction > 0
        and int.from_bytes(hashlib.sha256(f"held out: {text}".encode()).digest()[:8], "big") < fraction * 2**64
    )


def cycled(items: Sequence[str], request: ContentRequest) -> str:
    """The ordinal's item of endless shuffled rounds through ``items``, each of which shows every item once."""
    if not items:
        raise ValueError("no item is left to draw; widen length or lower held_out_fraction")
    round_, place = divmod(request.ordinal, len(items))
    return items[int(_order(request.key, round_, len(items))[place])]


@lru_cache(maxsize=64)
def _order(key: tuple[int, int], round_: int, count: int) -> np.ndarray:
    return np.random.Generator(np.random.PCG64([*key, round_, count])).permutation(count)
