"""Pages: a heading over paragraphs or a list, in one or more columns, as large as fits.

    PageText ──largest size that fits──> blocks with their places, in reading order

The body's size is searched so that every line finds room; heading and spacing follow from it. A paragraph that goes
on in the next column is two blocks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from synth.content.page import Page, PageText
from synth.drawing.colors import pick, pick_other
from synth.drawing.layers import Drawing, TextLayer
from synth.drawing.style import TextStyle
from synth.errors import Undrawable
from synth.fonts.face import Face
from synth.geometry import Matrix, translation
from synth.strategies.base import Composition, DrawRequest
from synth.strategies.ground import ground_layers
from synth.typeset.block import Block
from synth.typeset.layout import LONG_LINE, Measure, can_be_justified, compose, may_be_justified
from synth.typeset.setting import Align
from synth.typeset.shaped import Shaped

_LARGEST = 0.09  # chosen: of the canvas's shorter side; the body of a page is never set larger
_ALONE, _COLUMN = 4.0, 10.0  # chosen, em: the narrowest body, alone and of several columns
_INDENT = {"zh": 2.0, "en": 1.4}  # em: Chinese indents by two characters (clreq)


def draw_page(request: DrawRequest, content: Page) -> Composition:
    """A page on a clean ground, as large as fits. Raises Undrawable."""
    context, rng, layout = request.context, request.rng, request.layout
    canvas = request.canvas()
    page = content.write(request.turn)
    title_font, body_font = context.font(page.text, rng), context.font(page.text, rng)
    margin = max(layout.margin, 0.04) * min(canvas)
    box = (margin, margin, canvas[0] - margin, canvas[1] - margin)
    several = canvas[0] > 0.8 * canvas[1] and not page.markers
    columns = int(rng.integers(content.columns[0], content.columns[1] + 1)) if several else 1
    align: Align = "left" if page.markers or rng.random() < 0.4 else "justify"
    centered = rng.random() < 0.5 and not page.markers  # over a list it would stand apart
    setting = _Setting(columns, align, rng.uniform(1.3, 1.7), rng.uniform(1.3, 2.0), centered)
    low, high = layout.sizes(math.inf)
    faces = title_font.face(title_font.wghts[-1]), body_font.face(body_font.wghts[len(body_font.wghts) // 3])
    blocks = _lay_out(page, *faces, box, setting, (low, max(low, min(high, _LARGEST * min(canvas)))))
    ground, color = pick(context.colors, rng)
    other = pick_other(context.colors, ground, color, rng)
    layers = [
        TextLayer(b.block, TextStyle(other if b.role == "heading" else color), b.matrix, role=b.role) for b in blocks
    ]
    drawing = Drawing(canvas, (*ground_layers(ground, canvas, rng), *layers))
    used = 1 + max(each.column for each in blocks)
    return Composition(page.text, (title_font, body_font), drawing, ground=ground, body=page.body, columns=used)


@dataclass(frozen=True, eq=False)
class _Placed:
    """A block, its place on the canvas, what it is for."""

    block: Block
    matrix: Matrix
    role: str
    column: int = 0


@dataclass(frozen=True)
class _Setting:
    """How a page is set; all lengths in em of the body."""

    columns: int
    align: Align
    spacing: float
    heading: float  # size of the heading
    centered: bool  # whether the heading is
    gutter: float = 2.0
    between: float = 0.45  # after a paragraph
    under: float = 1.3  # between heading and body


def _lay_out(
    text: PageText,
    title_face: Face,
    body_face: Face,
    box: tuple[float, float, float, float],
    setting: _Setting,
    sizes: tuple[float, float],
) -> list[_Placed]:
    """The page's blocks in ``box`` (x0 y0 x1 y1, px) at the largest size within ``sizes`` (px). Raises Undrawable."""
    page = _Page(text, title_face, body_face, box, setting)
    low, high = sizes
    if page.at(low) is None:
        raise Undrawable(f"a page of {len(text.items)} items does not fit at {low:g} px")
    if page.at(high) is None:
        while high - low > 0.25:
            middle = (low + high) / 2
            low, high = (middle, high) if page.at(middle) is not None else (low, middle)
        high = low
    found = page.at(high)
    assert found is not None
    return found


class _Page:
    def __init__(
        self,
        text: PageText,
        title_face: Face,
        body_face: Face,
        box: tuple[float, float, float, float],
        setting: _Setting,
    ) -> None:
        self.text, self.box, self.setting = text, box, setting
        self.title = Shaped(title_face, text.title, text.text.tag) if text.title else None
        self.items = [Shaped(body_face, line, text.text.tag) for line in text.lines]
        self.indents = (
            [-sum(g.advance for g in body_face.shape(m + text.glue, text.text.tag)) for m in text.markers]
            if text.markers
            else [_INDENT[text.language]] * len(self.items)
        )

    def at(self, size: float) -> list[_Placed] | None:
        """Everything at one body size, None where it does not fit."""
        s = self.setting
        x0, y0, x1, y1 = self.box
        placed: list[_Placed] = []
        top = y0
        if self.title:
            head = size * s.heading
            measure = Measure(x1 - x0, y1 - y0, 1.25, 0.0, True)
            lines = measure.lines(self.title, head)
            if lines is None or len(lines) > 2:
                return None
            if in_sense := measure.in_sense(self.title, [head], 2):
                lines = in_sense[1]
            else:
                measure, lines = measure.in_words(self.title, head, lines)
                lines = measure.balanced(self.title, head, lines)
            block = compose(self.title, lines, head, measure, "center" if s.centered else "left")
            width = block.box[2] - block.box[0]
            left = x0 + ((x1 - x0 - width) / 2 - block.box[0] if s.centered else 0.0)
            placed.append(_Placed(block, translation(left, top), "heading"))
            top += measure.height_of(lines, head) + s.under * size
        width = (x1 - x0 - (s.columns - 1) * s.gutter * size) / s.columns
        if width < (_COLUMN if s.columns > 1 else _ALONE) * size:
            return None
        body = self._flow(size, width, top)
        return None if body is None else placed + body

    def _flow(self, size: float, width: float, top: float) -> list[_Placed] | None:
        """The body from ``top`` on, column after column."""
        s = self.setting
        x0, _, _, bottom = self.box
        placed: list[_Placed] = []
        narrow = width < LONG_LINE * size
        align: Align = s.align if may_be_justified(self.text.language, width / size) else "left"
        measures = [
            Measure(width, 0.0, s.spacing, 0.0, True, min(indent, 0.0) if narrow else indent) for indent in self.indents
        ]
        wrapped = [measure.lines(shaped, size) for measure, shaped in zip(measures, self.items, strict=True)]
        column, y = 0, top
        paragraphs = [each for each in zip(self.items, measures, wrapped, strict=True) if each[2]]
        if align == "justify" and not all(can_be_justified(a, c or (), size, b) for a, b, c in paragraphs):
            align = "left"  # a page is justified as a whole
        for shaped, measure, lines in zip(self.items, measures, wrapped, strict=True):
            if lines is None:
                return None
            while lines:
                room = int((bottom - y - size) / (s.spacing * size) + 1 + 1e-6) if y + size <= bottom else 0
                if room == 0:
                    column, y = column + 1, top
                    if column == s.columns or top + size > bottom:
                        return None
                    continue
                part, lines = lines[:room], lines[room:]
                block = compose(shaped, part, size, measure, align)
                left = x0 + column * (width + s.gutter * size)
                placed.append(_Placed(block, translation(left, y), "body", column))
                y += len(part) * s.spacing * size
            y += s.between * size
        return placed
