"""A document as items, at the largest size at which all of it fits a page.

Lengths are in em of the body unless said otherwise; all numbers are chosen.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from synth.content.base import Text
from synth.corpus.subjects import Document, Part
from synth.errors import Undrawable
from synth.fonts.face import Face
from synth.strategies.dense.flow import GUTTER, Flow, Item, Placed, Table
from synth.strategies.dense.fonts import Fonts
from synth.typeset.setting import Align
from synth.typeset.shaped import Run, Shaped

_STEP = 0.125  # px that sizes are searched to
_NOTES = 0.85  # size of notes to the body


class Page:
    def __init__(
        self,
        document: Document,
        text: Text,
        fonts: Fonts,
        box: tuple[float, float, float, float],
        align: Align,
    ) -> None:
        self._fonts, self._tag, self._align, self.box = fonts, text.tag, align, box
        self._indent = 2.0 if document.language == "zh" else 0.0
        title = Shaped(fonts.bold, document.title, text.tag) if document.title else None
        self.title = Item("heading", title, 1.9, 1.25) if title else None
        self.items = [
            item for before, part in pairwise((None, *document.parts)) if part for item in self._items(part, before)
        ]
        self.notes = [
            Item("footnote", Shaped(fonts.body, f"[{k + 1}] {note.text}", text.tag), _NOTES, 1.35)
            for k, note in enumerate(document.notes)
        ]

    def _items(self, part: Part, before: Part | None) -> Iterator[Item | Table]:
        fonts, tag = self._fonts, self._tag
        if part.kind == "table":
            rows = tuple(
                tuple(Shaped(fonts.body if n else fonts.bold, c, tag) for c in r) for n, r in enumerate(part.rows)
            )
            yield Table(rows, tuple(max(row[k].advance for row in rows) + 1.2 for k in range(len(rows[0]))))
        elif part.kind == "heading":
            yield Item("heading", Shaped(fonts.bold, part.text, tag), 1.25, 1.25, before=0.7, keep=True)
        elif part.kind == "item":
            hang = -sum(g.advance for g in fonts.body.shape("• ", tag))
            text = Shaped(fonts.body, f"• {part.text}", tag)
            begins = before is None or before.kind != "item"
            yield Item("body", text, indent=hang, before=0.1, left=0.5, keep=begins)
        elif part.kind == "code":
            yield from self._code(part.text)
        elif part.kind == "formula":
            yield Item("formula", Shaped(fonts.italic or fonts.body, part.text, tag), 1.05, before=0.5, align="center")
        else:
            yield Item("body", self._paragraph(part), indent=self._indent, before=0.4, align=self._align)

    def _code(self, text: str) -> Iterator[Item]:
        """A line each, indented as it is written."""
        for number, line in enumerate(text.split("\n")):
            depth = len(line) - len(line.lstrip(" "))
            shaped = Shaped(self._fonts.code, line.strip(), "en")
            yield Item("code", shaped, 0.85, 1.4, before=0.0 if number else 0.5, left=1.0 + 0.45 * depth)

    def _paragraph(self, part: Part) -> Shaped:
        faces = [(start, end, self._fonts.emphasized(emphasis)) for start, end, emphasis in part.runs]
        runs = [
            Run(start, end, face) for start, end, face in faces if face and not _face_lacks(face, part.text[start:end])
        ]
        return Shaped(self._fonts.body, part.text, self._tag, runs=runs)

    def largest(self, columns: int, low: float, high: float, cap: float) -> list[Placed]:
        """Everything in so many columns at the largest body size within px. Raises Undrawable where it does not fit at
        ``low``."""
        high = max(low, min(high, cap))
        found = self.at(columns, low)
        if found is None:
            raise Undrawable(f"a page of {len(self.items)} parts does not fit at {low:g} px")
        while high - low > _STEP:
            middle = (low + high) / 2
            placed = self.at(columns, middle)
            low, high, found = (middle, high, placed) if placed else (low, middle, found)
        return found

    def at(self, columns: int, size: float) -> list[Placed] | None:
        """Everything at one body size, None where it does not fit."""
        x0, y0, x1, y1 = self.box
        placed: list[Placed] = []
        if self.title:
            lines = self.title.lines(x1 - x0, size)
            if lines is None or len(lines) > 3:
                return None
            placed.append(Placed((x0, y0), size, self.title, lines))
            y0 += self.title.measure(x1 - x0, size).height_of(lines, size * self.title.scale) + 0.9 * size
        foot = self._foot(columns, size)
        if foot is None:
            return None
        notes, y1 = foot
        width = (x1 - x0 - (columns - 1) * GUTTER * size) / columns
        body = Flow(self.items, columns, size, width, (x0, y0), y1).run() if width > 8 * size else None
        return None if body is None else [*placed, *body, *notes]

    def _foot(self, columns: int, size: float) -> tuple[list[Placed], float] | None:
        """The notes under a rule at the foot of the page, and where the columns end."""
        x0, _, x1, y1 = self.box
        wrapped = [(note, note.lines(x1 - x0, size)) for note in self.notes]
        if not wrapped:
            return [], y1
        own, top, placed = size * _NOTES, y1, list[Placed]()
        for note, lines in reversed(wrapped):
            if lines is None:
                return None
            top -= note.measure(x1 - x0, size).height_of(lines, own) + 0.3 * own
            placed.insert(0, Placed((x0, top), size, note, lines))
        rule = Placed((x0, top - 0.6 * own), size, width=(x1 - x0) / (2 * columns + 1))
        return [rule, *placed], top - 1.8 * own


def _face_lacks(face: Face, text: str) -> bool:
    """Whether a face has no glyph of its own for a character of ``text``."""
    return any(not c.isspace() and not face.draws(c) for c in text)
