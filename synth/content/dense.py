"""Long pages: hundreds to thousands of characters in sections with headings, lists, tables, formulas, code and footnotes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import numpy as np

from synth.choice import choose_key
from synth.content.base import Content, ContentRequest, Text, both
from synth.corpus import subjects
from synth.corpus.subjects import Document, Kind, Part
from synth.corpus.traditional import Script, pick_traditional, to_traditional
from synth.language import CaptionLanguage, language_of

Extra = Literal["item", "table", "formula", "code", "note"]


@dataclass(frozen=True, kw_only=True)
class Dense(Content):
    """A document that fills a page. Strategy pure sets it in columns; the others show it as one paragraph.

    ``characters``: of a page, drawn so that short ones are as frequent as long ones. ``extras``: chance of each kind of part
    beside paragraphs. ``corpus``: a corpus of the recipe whose paragraphs take the place of ours.
    """

    ranges: ClassVar[tuple[str, ...]] = ("characters",)

    kind: Literal["dense"]
    languages: dict[CaptionLanguage, float] = field(default_factory=both)
    characters: tuple[int, int] = (500, 5000)
    columns: tuple[int, int] = (1, 3)
    extras: dict[Extra, float] = field(
        default_factory=lambda: {"item": 0.6, "table": 0.6, "formula": 0.4, "code": 0.4, "note": 0.5}
    )
    corpus: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.columns[0] <= self.columns[1] <= 4:
            raise ValueError(f"columns must be [least, most] within 1..4, found {list(self.columns)}")
        for name, chance in self.extras.items():
            if not 0 <= chance <= 1:
                raise ValueError(f"extras.{name} must be within 0..1, found {chance:g}")

    def text(self, request: ContentRequest) -> Text:
        return said(*self.write(request), self._source())

    def write(self, request: ContentRequest) -> tuple[Document, Script]:
        """The document, and the standard that its Chinese is in."""
        rng = request.rng
        low, high = self.characters
        count = int(low * (high / low) ** rng.random())
        document = self._from_corpus(request, count) if self.corpus else self._ours(count, rng)
        if self.traditional and document.language == "zh" and rng.random() < self.traditional:
            script = pick_traditional(rng)
            return _in_script(document, script), script
        return document, "zh-Hans"

    def _ours(self, count: int, rng: np.random.Generator) -> Document:
        kinds: frozenset[Kind] = frozenset(kind for kind, chance in self.extras.items() if rng.random() < chance)
        return subjects.write(choose_key(rng, self.languages), count, kinds, rng)

    def _from_corpus(self, request: ContentRequest, count: int) -> Document:
        """Paragraphs of the user's corpus, the first sentence's beginning as a title is none of ours to make: untitled."""
        corpus = request.corpora[self.corpus]
        parts: list[Part] = []
        while sum(part.length for part in parts) < count:
            parts.append(Part("paragraph", corpus.pick("paragraph", (20, max(count, 20)), request.rng)))
        language = language_of(" ".join(part.text for part in parts))
        return Document("", tuple(parts), (), "zh" if language == "zh" else "en")

    def _source(self) -> str:
        return self.corpus


def said(document: Document, script: Script, corpus: str) -> Text:
    """All of a document as one running text, as it is read."""
    texts = [document.title, *(_running(part) for part in document.parts), *(note.text for note in document.notes)]
    running = " ".join(filter(None, texts))
    return Text(running, document.language, "paragraph", corpus or f"subjects-{document.language}", script=script)


def _running(part: Part) -> str:
    return " ".join(" ".join(row) for row in part.rows) if part.rows else " ".join(part.text.split())


def _in_script(document: Document, script: Script) -> Document:
    """In traditional characters; marks of bold keep their places, since characters are exchanged one for one."""

    def part_of(part: Part) -> Part:
        rows = tuple(tuple(to_traditional(cell, script) for cell in row) for row in part.rows)
        text = to_traditional(part.text, script)
        return replace(part, text=text, rows=rows, runs=part.runs if len(text) == len(part.text) else ())

    parts, notes = (tuple(map(part_of, each)) for each in (document.parts, document.notes))
    return replace(document, title=to_traditional(document.title, script), parts=parts, notes=notes)
