"""Dense pages: a document in columns, as large as fits, its notes at the foot.

    Document ──shaped once──> items ──largest size at which they flow into the columns──> layers

Lengths are in em of the body unless said otherwise; all numbers are chosen. A heading stays with the lines under it, a
table in one piece, a paragraph may go on in the next column.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from synth.choice import choose
from synth.content.base import Text
from synth.content.dense import Dense, said
from synth.corpus.subjects import Document, Emphasis, Part
from synth.drawing.colors import Color, pick, pick_other
from synth.drawing.layers import Drawing, Layer, ShapeLayer, TextLayer
from synth.drawing.style import TextStyle
from synth.errors import Undrawable
from synth.fonts.face import Face
from synth.fonts.source import FontFile
from synth.geometry import translation
from synth.strategies.base import Composition, DrawRequest
from synth.strategies.context import RenderContext
from synth.strategies.ground import ground_layers
from synth.typeset.layout import Measure, compose
from synth.typeset.setting import Align
from synth.typeset.shaped import Run, Shaped, Span

_LARGEST = 0.05  # of the canvas's shorter side
_MARGIN = 0.05  # of the canvas's shorter side, at least
_STEP = 0.125  # px that sizes are searched to
_GUTTER = 2.0
_NOTES = 0.8  # size of notes to the body
_ROW = 1.5  # height of a table's row
_BODY_STYLES = ("sans", "serif", "kai", None)
_REGULAR, _BOLD = 400, 700
_KEEP = 2  # lines that stand under a heading in its column


def draw_dense(request: DrawRequest, content: Dense) -> Composition:
    """A page of a document on a clean ground. Raises Undrawable where it does not fit at the layout's smallest size."""
    context, rng = request.context, request.rng
    canvas = request.canvas()
    document, script = content.write(request.turn)
    text = said(document, script, content.corpus)
    fonts = _fonts(context, text, rng)
    margin = max(request.layout.margin, _MARGIN) * min(canvas)
    columns = int(rng.integers(content.columns[0], content.columns[1] + 1)) if canvas[0] > 0.6 * canvas[1] else 1
    align: Align = "justify" if rng.random() < 0.6 else "left"
    page = _Page(document, text, fonts, (margin, margin, canvas[0] - margin, canvas[1] - margin), columns, align)
    placed = page.largest(*request.layout.sizes(math.inf), _LARGEST * min(canvas))
    ground, color = pick(context.colors, rng)
    other = pick_other(context.colors, ground, color, rng)
    drawing = Drawing(canvas, (*ground_layers(ground, canvas, rng), *_layers(placed, color, other)))
    return Composition(text, fonts.files, drawing, ground=ground, body="dense")


@dataclass(frozen=True, eq=False)
class _Fonts:
    """The faces of a page; ``files``: where they are from, the body's last."""

    body: Face
    bold: Face
    italic: Face | None
    code: Face
    files: tuple[FontFile, ...]

    def emphasized(self, emphasis: Emphasis) -> Face | None:
        return self.bold if emphasis == "bold" else self.italic


def _fonts(context: RenderContext, text: Text, rng: np.random.Generator) -> _Fonts:
    """A body font in print, with its own bold and italic where it has them, and a mono font for code."""
    able = [f for f in context.fonts if f.writes(text.tag) and not f.missing(text.text)]
    printed = [f for f in able if f.source.style in _BODY_STYLES and not _is_italic(f)] or able
    if not printed:
        context.font(text, rng)  # says which character is missing
        raise Undrawable("no printed face covers the page")
    body = printed[choose(rng, [f.source.weight for f in printed])]
    italic = next((f for f in able if _is_italic(f) and f.path.parent == body.path.parent), None)
    mono = [f for f in able if f.source.style == "mono" and not _is_italic(f)]
    code = mono[int(rng.integers(len(mono)))] if mono else body
    regular = _nearest(body, _REGULAR)
    files = tuple(dict.fromkeys([*([italic] if italic else []), code, body]))
    slanted = _nearest(italic, _REGULAR) if italic else None
    return _Fonts(regular, _nearest(body, _BOLD), slanted, _nearest(code, _REGULAR), files)


def _is_italic(font: FontFile) -> bool:
    return "italic" in font.path.stem.lower()


def _nearest(font: FontFile, weight: int) -> Face:
    return min(map(font.face, font.wghts), key=lambda face: abs(face.weight - weight))


@dataclass(frozen=True, eq=False)
class _Item:
    """A text as it is set: ``scale`` to the body, ``before``: room above; ``keep``: stays with what follows."""

    role: str
    shaped: Shaped
    scale: float = 1.0
    spacing: float = 1.45
    indent: float = 0.0
    before: float = 0.0
    align: Align = "left"
    left: float = 0.0
    keep: bool = False

    def measure(self, width: float, size: float) -> Measure:
        return Measure(width - self.left * size, 0.0, self.spacing, 0.0, True, self.indent)

    def lines(self, width: float, size: float) -> list[Span] | None:
        """Its lines where the body has ``size`` px in a column of ``width`` px."""
        return self.measure(width, size).lines(self.shaped, size * self.scale)


@dataclass(frozen=True, eq=False)
class _Table:
    """Rows of cells, each on a line of its own; ``widths``: of the columns."""

    rows: tuple[tuple[Shaped, ...], ...]
    widths: tuple[float, ...]
    before: float = 0.8


@dataclass(frozen=True, eq=False)
class _Placed:
    """Something at its place in px: lines of an item, or a rule from ``at`` on, ``width`` px long."""

    at: tuple[float, float]
    size: float
    item: _Item | None = None
    lines: Sequence[Span] = ()
    width: float = 0.0


class _Page:
    def __init__(
        self,
        document: Document,
        text: Text,
        fonts: _Fonts,
        box: tuple[float, float, float, float],
        columns: int,
        align: Align,
    ) -> None:
        self._fonts, self._tag, self._align, self.box, self.columns = fonts, text.tag, align, box, columns
        self._indent = 2.0 if document.language == "zh" else 0.0
        title = Shaped(fonts.bold, document.title, text.tag) if document.title else None
        self.title = _Item("heading", title, 1.9, 1.25) if title else None
        self.items = [item for part in document.parts for item in self._items(part)]
        self.notes = [
            _Item("footnote", Shaped(fonts.body, f"[{k + 1}] {note.text}", text.tag), _NOTES, 1.35)
            for k, note in enumerate(document.notes)
        ]

    def _items(self, part: Part) -> Iterator[_Item | _Table]:
        fonts, tag = self._fonts, self._tag
        if part.kind == "table":
            rows = tuple(
                tuple(Shaped(fonts.body if n else fonts.bold, c, tag) for c in r) for n, r in enumerate(part.rows)
            )
            yield _Table(rows, tuple(max(row[k].advance for row in rows) + 1.2 for k in range(len(rows[0]))))
        elif part.kind == "heading":
            yield _Item("heading", Shaped(fonts.bold, part.text, tag), 1.25, 1.25, before=0.7, keep=True)
        elif part.kind == "item":
            hang = -sum(g.advance for g in fonts.body.shape("• ", tag))
            yield _Item("body", Shaped(fonts.body, f"• {part.text}", tag), indent=hang, before=0.1, left=0.5)
        elif part.kind == "code":
            yield from self._code(part.text)
        elif part.kind == "formula":
            yield _Item("formula", Shaped(fonts.italic or fonts.body, part.text, tag), 1.05, before=0.5, align="center")
        else:
            yield _Item("body", self._paragraph(part), indent=self._indent, before=0.4, align=self._align)

    def _code(self, text: str) -> Iterator[_Item]:
        """A line each, indented as it is written."""
        for number, line in enumerate(text.split("\n")):
            depth = len(line) - len(line.lstrip(" "))
            shaped = Shaped(self._fonts.code, line.strip(), "en")
            yield _Item("code", shaped, 0.85, 1.4, before=0.0 if number else 0.5, left=1.0 + 0.45 * depth)

    def _paragraph(self, part: Part) -> Shaped:
        faces = [(start, end, self._fonts.emphasized(emphasis)) for start, end, emphasis in part.runs]
        runs = [
            Run(start, end, face) for start, end, face in faces if face and not _face_lacks(face, part.text[start:end])
        ]
        return Shaped(self._fonts.body, part.text, self._tag, runs=runs)

    def largest(self, low: float, high: float, cap: float) -> list[_Placed]:
        """Everything at the largest body size within px. Raises Undrawable where it does not fit at ``low``."""
        high = max(low, min(high, cap))
        found = self.at(low)
        if found is None:
            raise Undrawable(f"a page of {len(self.items)} parts does not fit at {low:g} px")
        while high - low > _STEP:
            middle = (low + high) / 2
            placed = self.at(middle)
            low, high, found = (middle, high, placed) if placed else (low, middle, found)
        return found

    def at(self, size: float) -> list[_Placed] | None:
        """Everything at one body size, None where it does not fit."""
        x0, y0, x1, y1 = self.box
        placed: list[_Placed] = []
        if self.title:
            lines = self.title.lines(x1 - x0, size)
            if lines is None or len(lines) > 3:
                return None
            placed.append(_Placed((x0, y0), size, self.title, lines))
            y0 += self.title.measure(x1 - x0, size).height_of(lines, size * self.title.scale) + 0.9 * size
        foot = self._foot(size)
        if foot is None:
            return None
        notes, y1 = foot
        width = (x1 - x0 - (self.columns - 1) * _GUTTER * size) / self.columns
        body = _Flow(self, size, width, (x0, y0), y1).run() if width > 8 * size else None
        return None if body is None else [*placed, *body, *notes]

    def _foot(self, size: float) -> tuple[list[_Placed], float] | None:
        """The notes under a rule at the foot of the page, and where the columns end."""
        x0, _, x1, y1 = self.box
        wrapped = [(note, note.lines(x1 - x0, size)) for note in self.notes]
        if not wrapped:
            return [], y1
        own, top, placed = size * _NOTES, y1, list[_Placed]()
        for note, lines in reversed(wrapped):
            if lines is None:
                return None
            top -= note.measure(x1 - x0, size).height_of(lines, own) + 0.3 * own
            placed.insert(0, _Placed((x0, top), size, note, lines))
        rule = _Placed((x0, top - 0.5 * own), size, width=(x1 - x0) / 3)
        return [rule, *placed], top - 1.2 * own


class _Flow:
    """Items into columns, one after the other; ``run`` gives None where they do not fit."""

    def __init__(self, page: _Page, size: float, width: float, start: tuple[float, float], bottom: float) -> None:
        self.page, self.size, self.width, self.bottom = page, size, width, bottom
        self.left, self.top = start
        self.column, self.y, self.placed = 0, self.top, list[_Placed]()

    def run(self) -> list[_Placed] | None:
        for number, item in enumerate(self.page.items):
            following = self.page.items[number + 1] if number + 1 < len(self.page.items) else None
            if not (self._table(item) if isinstance(item, _Table) else self._text(item, following)):
                return None
        return self.placed

    @property
    def x(self) -> float:
        return self.left + self.column * (self.width + _GUTTER * self.size)

    def _next_column(self) -> bool:
        self.column, self.y = self.column + 1, self.top
        return self.column < self.page.columns

    def _space(self, before: float) -> None:
        if self.y > self.top:
            self.y += before * self.size

    def _text(self, item: _Item, following: _Item | _Table | None) -> bool:
        lines = item.lines(self.width, self.size)
        if lines is None:
            return False
        own = self.size * item.scale
        self._space(item.before)
        under = _KEEP * 1.5 * self.size if item.keep and following else 0.0
        height = item.measure(self.width, self.size).height_of(lines, own)
        if item.keep and self.y + height + under > self.bottom and not self._next_column():
            return False
        while lines:
            room = (
                int((self.bottom - self.y - own) / (item.spacing * own) + 1 + 1e-6)
                if self.y + own <= self.bottom
                else 0
            )
            if room == 0:
                if self.top + own > self.bottom or not self._next_column():
                    return False
                continue
            part, lines = lines[:room], lines[room:]
            at = (self.x + item.left * self.size, self.y)
            self.placed.append(_Placed(at, self.size, item, part, self.width - item.left * self.size))
            self.y += len(part) * item.spacing * own
        return True

    def _table(self, table: _Table) -> bool:
        """All of its rows in one column, rules above and below its header and at its end."""
        height, stretch = _ROW * self.size, self.width / (sum(table.widths) * self.size)
        if stretch < 1:
            return False
        stretch = min(stretch, 1.6)
        self._space(table.before)
        if self.y + len(table.rows) * height > self.bottom and not self._next_column():
            return False
        if self.y + len(table.rows) * height > self.bottom:
            return False
        across = [sum(table.widths[:k]) * stretch * self.size for k in range(len(table.widths) + 1)]
        for above in (0, 1, len(table.rows)):
            self.placed.append(
                _Placed((self.x, self.y + above * height - 0.1 * self.size), self.size, width=across[-1])
            )
        for number, row in enumerate(table.rows):
            for k, cell in enumerate(row):
                item = _Item("cell", cell)
                lines = cell.wrap(math.inf, 0.0)
                assert lines  # in endless room everything fits
                self.placed.append(
                    _Placed((self.x + across[k], self.y + number * height + 0.2 * self.size), self.size, item, lines)
                )
        self.y += (len(table.rows) + 0.4) * height
        return True


def _layers(placed: Sequence[_Placed], color: Color, other: Color) -> Iterator[Layer]:
    """Text in the body's color, headings in theirs, rules as thin lines."""
    body, heading = TextStyle(color), TextStyle(other)
    for each in placed:
        x, y = each.at
        item = each.item
        if item is None:
            yield ShapeLayer("line", (x, y, x + each.width, y), stroke=color.rgb, width=max(0.05 * each.size, 0.75))
            continue
        yield _text_layer(each, item, heading if item.role == "heading" else body)


def _text_layer(each: _Placed, item: _Item, style: TextStyle) -> TextLayer:
    size, (x, y) = each.size * item.scale, each.at
    block = compose(
        item.shaped, each.lines, size, Measure(each.width, 0.0, item.spacing, 0.0, True, item.indent), item.align
    )
    if item.align == "center":
        x += max((each.width - (block.box[2] - block.box[0])) / 2 - block.box[0], 0.0)
    return TextLayer(block, style, translation(x, y), role=item.role)


def _face_lacks(face: Face, text: str) -> bool:
    """Whether a face has no glyph of its own for a character of ``text``."""
    return any(not c.isspace() and not face.draws(c) for c in text)
