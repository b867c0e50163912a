"""A dense page as layers.

    Document ──shaped once──> items ──largest size at which they flow into the columns──> layers

All numbers are chosen.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace

from synth.content.dense import Dense, said
from synth.drawing.colors import Color, pick, pick_other
from synth.drawing.layers import Drawing, Layer, ShapeLayer, TextLayer
from synth.drawing.style import TextStyle
from synth.errors import Undrawable
from synth.geometry import translation
from synth.strategies.base import Composition, DrawRequest
from synth.strategies.dense.flow import Item, Placed
from synth.strategies.dense.fonts import choose_fonts
from synth.strategies.dense.page import Page
from synth.strategies.ground import ground_layers
from synth.typeset.layout import Measure, compose, may_be_justified
from synth.typeset.setting import Align

_MEASURE = 46.0  # em, of the longest lines: about ninety letters
_LARGEST = 0.05  # of the canvas's shorter side
_MARGIN = 0.05  # of the canvas's shorter side, at least


def draw_dense(request: DrawRequest, content: Dense) -> Composition:
    """A page of a document on a clean ground. Raises Undrawable where it does not fit at the layout's smallest size."""
    context, rng = request.context, request.rng
    canvas = request.canvas()
    document, script = content.write(request.turn)
    text = said(document, script, content.corpus)
    code = "".join(part.text for part in document.parts if part.kind == "code")
    fonts = choose_fonts(context, text, code, rng)
    margin = max(request.layout.margin, _MARGIN) * min(canvas)
    columns = int(rng.integers(content.columns[0], content.columns[1] + 1)) if canvas[0] > 0.6 * canvas[1] else 1
    align: Align = "justify" if rng.random() < 0.6 else "left"
    box = (margin, margin, canvas[0] - margin, canvas[1] - margin)
    sizes = (*request.layout.sizes(math.inf), _LARGEST * min(canvas))
    page = Page(document, text, fonts, box, align)
    placed = _in_columns(lambda count: page.largest(count, *sizes), columns, content.columns[1])
    ground, color = pick(context.colors, rng)
    other = pick_other(context.colors, ground, color, rng)
    if not may_be_justified(document.language, _longest(placed)):
        placed = [replace(p, item=replace(p.item, align="left")) if p.item and _is_body(p) else p for p in placed]
    drawing = Drawing(canvas, (*ground_layers(ground, canvas, rng), *_layers(placed, color, other)))
    used = 1 + max(each.column for each in placed)
    return Composition(text, fonts.files, drawing, ground=ground, body="dense", columns=used)


def _in_columns(lay_out: Callable[[int], list[Placed]], columns: int, most: int) -> list[Placed]:
    """The page in so many columns, in more where lines would be too long to read, but ``most``, or in as many as it fills."""
    placed = lay_out(columns)
    wanted = min(math.ceil(columns * _longest(placed) / _MEASURE), most)
    if wanted > columns:
        with suppress(Undrawable):  # long lines are better than no page
            placed, columns = lay_out(wanted), wanted
    used = 1 + max(each.column for each in placed)
    return lay_out(used) if used < columns else placed


def _is_body(placed: Placed) -> bool:
    return placed.item is not None and placed.item.role == "body"


def _longest(placed: Sequence[Placed]) -> float:
    """Em of the longest lines."""
    return max(each.width / each.size for each in placed if _is_body(each))


def _layers(placed: Sequence[Placed], color: Color, other: Color) -> Iterator[Layer]:
    """Text in the body's color, headings in theirs, rules as thin lines."""
    body, heading = TextStyle(color), TextStyle(other)
    for each in placed:
        x, y = each.at
        item = each.item
        if item is None:
            yield ShapeLayer("line", (x, y, x + each.width, y), stroke=color.rgb, width=max(0.05 * each.size, 0.75))
            continue
        yield _text_layer(each, item, heading if item.role == "heading" else body)


def _text_layer(each: Placed, item: Item, style: TextStyle) -> TextLayer:
    size, (x, y) = each.size * item.scale, each.at
    block = compose(
        item.shaped, each.lines, size, Measure(each.width, 0.0, item.spacing, 0.0, True, item.indent), item.align
    )
    if item.align == "center":
        x += max((each.width - (block.box[2] - block.box[0])) / 2 - block.box[0], 0.0)
    return TextLayer(block, style, translation(x, y), role=item.role)
