"""Pages of text: headings, paragraphs and lists."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import numpy as np

from synth.choice import check_weights, choose_key
from synth.content.base import Content, ContentRequest, Text, both
from synth.corpus import subjects
from synth.corpus.traditional import Script, pick_traditional, to_traditional
from synth.language import CaptionLanguage

Body = Literal["paragraphs", "bullets", "numbers"]
_BULLETS = "•–"
_NUMERALS = "一二三四五六七八九十"


@dataclass(frozen=True)
class PageText:
    """What a page says. ``items``: paragraphs, or list items with ``markers`` in front of them."""

    title: str
    items: tuple[str, ...]
    markers: tuple[str, ...]
    language: CaptionLanguage
    script: Script = "zh-Hans"

    @property
    def text(self) -> Text:
        """All of it as one running text."""
        said = " ".join(filter(None, (self.title, *self.lines)))
        return Text(said, self.language, "paragraph", f"subjects-{self.language}", script=self.script)

    @property
    def lines(self) -> tuple[str, ...]:
        """Every item as it is written, behind its marker."""
        if not self.markers:
            return self.items
        return tuple(f"{m}{self.glue}{t}" for m, t in zip(self.markers, self.items, strict=True))

    @property
    def body(self) -> Body:
        """What stands under the title."""
        if not self.markers:
            return "paragraphs"
        return "bullets" if self.markers[0] in _BULLETS else "numbers"

    @property
    def glue(self) -> str:
        """What stands between marker and item."""
        return "" if self.markers and self.markers[0].endswith("、") else " "


@dataclass(frozen=True, kw_only=True)
class Page(Content):
    """A heading with paragraphs or a list. Strategy pure lays it out as a page; the others show it as one paragraph."""

    ranges: ClassVar[tuple[str, ...]] = ("sentences",)

    kind: Literal["page"]
    languages: dict[CaptionLanguage, float] = field(default_factory=both)
    bodies: dict[Body, float] = field(default_factory=lambda: {"paragraphs": 2.0, "bullets": 1.0, "numbers": 1.0})
    items: tuple[int, int] = (2, 5)
    sentences: tuple[int, int] = (1, 3)  # of a paragraph
    columns: tuple[int, int] = (1, 2)  # of paragraphs on a canvas that is wide enough; lists stand in one
    titled: float = 0.85  # of the pages

    def __post_init__(self) -> None:
        super().__post_init__()
        check_weights("bodies", self.bodies)
        if not 1 <= self.columns[0] <= self.columns[1] <= 3:
            raise ValueError(f"columns must be [least, most] within 1..3, found {list(self.columns)}")
        if not 1 <= self.items[0] <= self.items[1] <= 10:
            raise ValueError(f"items must be [least, most] within 1..10, found {list(self.items)}")

    def text(self, request: ContentRequest) -> Text:
        return self.write(request).text

    def write(self, request: ContentRequest) -> PageText:
        """The words of one page."""
        page = self._write(request.rng)
        if self.traditional and page.language == "zh" and request.rng.random() < self.traditional:
            script = pick_traditional(request.rng)
            title, *items = (to_traditional(text, script) for text in (page.title, *page.items))
            return replace(page, title=title, items=tuple(items), script=script)
        return page

    def _write(self, rng: np.random.Generator) -> PageText:
        language = choose_key(rng, self.languages)
        body = choose_key(rng, self.bodies)
        count = int(rng.integers(self.items[0], self.items[1] + 1))
        titled = rng.random() < self.titled
        if body == "paragraphs":
            lengths = [int(rng.integers(self.sentences[0], self.sentences[1] + 1)) for _ in range(count)]
            title, paragraphs = subjects.passage(language, lengths, rng)
            return PageText(title if titled else "", paragraphs, (), language)
        title, items = subjects.items(language, count, rng)
        return PageText(title if titled else "", items, _markers(body, count, language, rng), language)


def _markers(body: Body, count: int, language: CaptionLanguage, rng: np.random.Generator) -> tuple[str, ...]:
    if body == "bullets":
        return (_BULLETS[0 if rng.random() < 0.7 else 1],) * count
    if language == "zh" and rng.random() < 0.5:
        return tuple(f"{_NUMERALS[k]}、" for k in range(count))
    return tuple(f"{k + 1}." for k in range(count))
