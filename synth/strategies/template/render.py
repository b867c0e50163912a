"""Templates: declarative files that say how a family of pictures is built (report, "complex rendering").

    family.yaml ──read──> Template ──choose palette, faces──> tree of boxes ──lay out──> shapes, then texts

A file is a tree of rows and columns, as in a style sheet's flexible boxes. Lengths are in hundredths of the canvas's
shorter side (u). A node takes ``size`` u along its parent's axis, or a share ``flex`` of what is left; with ``flex``
0, a group takes as many shares as it has children. Text is set in
its box at the largest size that fits, and all texts of one node (the items of a list) at one size; so nothing
overlaps, leaves its panel or is cut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from configs.errors import UserError
from synth.choice import choose
from synth.content.base import Text
from synth.drawing.colors import PALETTE, RGB, Color, Ground, contrast
from synth.drawing.layers import Drawing, GroundLayer, Layer, PictureLayer, ShapeLayer, TextLayer
from synth.drawing.style import TextStyle
from synth.errors import Undrawable
from synth.fonts.families import Style
from synth.fonts.source import FontFile
from synth.geometry import Box, translation
from synth.language import CaptionLanguage
from synth.photos import Backdrop, Photos
from synth.strategies.base import Composition
from synth.strategies.context import RenderContext
from synth.strategies.template.chart import chart
from synth.strategies.template.nodes import (
    AnyNode,
    ChartNode,
    Choice,
    Group,
    Picture,
    Repeat,
    Rule,
    Space,
    Template,
    TextNode,
)
from synth.strategies.template.slots import Filler
from synth.typeset.layout import SLACK, Measure, compose
from synth.typeset.shaped import Shaped, Span

_MIN_CONTRAST = 4.5  # WCAG contrast ratio of a text to what is behind it
_MIN_SIZE = 8.0  # px: no text is set smaller
_TRIES = 8  # texts drawn for a slot before the picture is given up
_MAX_BALANCED = 4  # lines: a text of up to so many is broken evenly, so that no word is left alone on a line
_TEXT_STYLES: tuple[Style, ...] = ("sans", "serif", "kai")  # that long texts are set in
_MIN_SQUEEZE = 0.75  # where a canvas is too small for fixed sizes, they may shrink to this fraction


def render(
    context: RenderContext,
    family: str,
    template: Template,
    canvas: tuple[int, int],
    language: CaptionLanguage,
    rng: np.random.Generator,
    photos: Photos | None = None,
) -> Composition:
    """A picture of ``family`` on a ``canvas`` (px). Raises Undrawable where a text does not fit."""
    sheet = _Sheet(context, template, canvas, language, rng, photos)
    root = template.layouts[int(rng.integers(len(template.layouts)))]
    sheet.lay(root, (0.0, 0.0, float(canvas[0]), float(canvas[1])))
    drawing = Drawing(canvas, sheet.layers())
    texts = drawing.texts
    if not texts:
        raise Undrawable("the template came out without text")
    main = next((t for t in texts if t.role == "title"), texts[0])
    said = ("" if language == "zh" else " ").join(line.text for line in main.block.lines)
    return Composition(
        Text(said, language, "line", f"slots-{language}"),
        tuple(dict.fromkeys(sheet.used)),
        drawing,
        ground=Ground((sheet.color("ground"),)),
        medium=family,
        family=template.names,
        pictures=tuple(sheet.pictures),
    )


@dataclass(frozen=True, eq=False)
class _Pending:
    """A text whose size is not known yet: all of one node get the smallest."""

    node: TextNode
    box: Box
    shaped: Shaped
    measure: Measure
    largest: float


class _Sheet:
    """One picture being laid out."""

    def __init__(
        self,
        context: RenderContext,
        template: Template,
        canvas: tuple[int, int],
        language: CaptionLanguage,
        rng: np.random.Generator,
        photos: Photos | None,
    ) -> None:
        self._context, self._rng, self._language, self._photos = context, rng, language, photos
        self._canvas = canvas
        self._u = min(canvas) / 100
        self._palette = template.palettes[int(rng.integers(len(template.palettes)))]
        self._filler = Filler(language, rng)
        self._shapes: list[Layer] = [GroundLayer(Ground((self.color("ground"),)))]
        self._texts: list[_Pending] = []
        self._fonts = {face: self._pick(styles) for face, styles in template.faces.items()}
        self.used: list[FontFile] = []
        self.pictures: list[Backdrop] = []

    def color(self, role: str) -> Color:
        """The palette's color for a role. Raises UserError for one it lacks."""
        name = self._palette.get(role)
        if name is None:
            raise UserError(f"template: the color '{role}' is missing in a palette; it has {', '.join(self._palette)}")
        return PALETTE[name]

    def lay(self, node: AnyNode, box: Box) -> None:
        """A node and all below it in ``box`` (px)."""
        if isinstance(node, Picture) and self._photos:
            self._lay_picture(box)
            return
        if node.fill or node.outline:
            self._panel(node, box)
        inner = _inset(box, node.pad * self._u)
        if isinstance(node, TextNode):
            self._lay_text(node, inner)
        elif isinstance(node, Group):
            self._lay_group(node, inner)
        elif isinstance(node, Rule):
            y = (inner[1] + inner[3]) / 2
            dash = tuple(d * self._u for d in node.dash)
            color = self.color(node.color).rgb
            width = max(node.thickness * self._u, 0.6)
            self._shapes.append(ShapeLayer("line", (inner[0], y, inner[2], y), stroke=color, width=width, dash=dash))
        elif isinstance(node, ChartNode):
            self._lay_chart(node, inner)

    def layers(self) -> tuple[Layer, ...]:
        """Shapes from back to front, then the texts in reading order."""
        sizes: dict[int, float] = {}
        for text in self._texts:
            sizes[id(text.node)] = min(sizes.get(id(text.node), text.largest), text.largest)
        return (*self._shapes, *(self._set(text, sizes[id(text.node)]) for text in self._texts))

    def _panel(self, node: AnyNode, box: Box) -> None:
        fill = self.color(node.fill) if node.fill else None
        outline = self.color(node.outline).rgb if node.outline else None
        width = max(0.35 * self._u, 0.8)
        kind: Literal["rect", "ellipse", "polygon"] = "rect"
        points = box
        if isinstance(node, Space) and node.shape != "rect":
            box = _square(box)
            points = box
            kind = "ellipse" if node.shape == "ellipse" else "polygon"
            if kind == "polygon":
                points = (box[0], box[3], (box[0] + box[2]) / 2, box[1], box[2], box[3])  # type: ignore[assignment]
        self._shapes.append(
            ShapeLayer(
                kind, points, fill.rgb if fill else None, stroke=outline, width=width, radius=node.radius * self._u
            )
        )

    def _lay_picture(self, box: Box) -> None:
        assert self._photos
        x0, y0, x1, y1 = (round(v) for v in box)
        photo = self._photos.choose((max(x1 - x0, 1), max(y1 - y0, 1)), self._rng)
        self.pictures.append(photo)
        self._shapes.append(PictureLayer(photo.pixels, translation(x0, y0)))

    def _lay_group(self, node: Group, box: Box) -> None:
        children = [child for child in self._expanded(node.of) if self._rng.random() < child.chance]
        if node.kind == "stack":
            for child in children:
                self.lay(child, box)
            return
        if not children:
            return
        axis = 0 if node.kind == "row" else 1
        gap = node.gap * self._u
        room = box[axis + 2] - box[axis] - gap * (len(children) - 1)
        fixed = sum(child.size * self._u for child in children if child.size is not None)
        flex = sum(child.flex for child in children if child.size is None)
        shrink = min(1.0, room / fixed) if fixed else 1.0
        if shrink < _MIN_SQUEEZE or (flex and room - fixed < 0.03 * room):
            raise Undrawable(f"a {node.kind} of {len(children)} does not fit the canvas")
        at = box[axis]
        for child in children:
            length = child.size * self._u * shrink if child.size is not None else (room - fixed) * child.flex / flex
            part = (at, box[1], at + length, box[3]) if axis == 0 else (box[0], at, box[2], at + length)
            self.lay(child, part)
            at += length + gap

    def _expanded(self, nodes: Sequence[AnyNode]) -> list[AnyNode]:
        """Children with repeats and choices carried out."""
        found: list[AnyNode] = []
        for node in nodes:
            if isinstance(node, Repeat):
                for _ in range(int(self._rng.integers(node.count[0], node.count[1] + 1))):
                    found += self._expanded((node.of,))
            elif isinstance(node, Choice):
                found += self._expanded((node.of[int(self._rng.integers(len(node.of)))],))
            elif isinstance(node, Group) and not node.flex:
                children = tuple(self._expanded(node.of))
                found.append(replace(node, of=children, flex=float(len(children))))
            else:
                found.append(node)
        return found

    def _lay_text(self, node: TextNode, box: Box) -> None:
        for _ in range(_TRIES if node.slot else 1):
            said = node.say[self._language] if node.say else self._filler.fill(node.slot)
            pending = self._fitted(node, f"{node.before}{said}{node.after}", box)
            if pending:
                self._texts.append(pending)
                return
        raise Undrawable(f"no text for '{node.slot or node.say}' fits {box[2] - box[0]:.0f} x {box[3] - box[1]:.0f} px")

    def _fitted(self, node: TextNode, said: str, box: Box) -> _Pending | None:
        font = self._covering(node.face, said)
        wghts = [w for w in font.wghts if w is not None]
        wght = (max(wghts) if node.bold else min(wghts, key=lambda w: abs(w - 400))) if wghts else None
        shaped = Shaped(font.face(wght), said, self._language)
        measure = Measure(box[2] - box[0], box[3] - box[1], 1.35, 0.0, wrap=node.lines > 1)
        low, high = (max(v * self._u, _MIN_SIZE) for v in node.height)
        largest = measure.largest_size(shaped, low, high)
        while largest is not None and len(measure.lines(shaped, largest) or ()) > node.lines:
            largest = largest * 0.94 if largest * 0.94 >= low else None
        if largest is None:
            return None
        self.used.append(font)
        return _Pending(node, box, shaped, measure, largest)

    def _readable(self, role: str, ground: RGB) -> Color:
        """The role's color, or the palette's best one where that cannot be read on the ground."""
        color = self.color(role)
        if contrast(color.rgb, ground) >= _MIN_CONTRAST:
            return color
        others = [*(PALETTE[name] for name in self._palette.values()), PALETTE["black"], PALETTE["white"]]
        return max(others, key=lambda c: contrast(c.rgb, ground))

    def _lay_chart(self, node: ChartNode, box: Box) -> None:
        kind = node.charts[int(self._rng.integers(len(node.charts)))]
        count = int(self._rng.integers(3, 6))
        names = [self._filler.fill("category") for _ in range(count)]
        hues = [self.color(role) for role in ("accent", "second", "third", "muted") if role in self._palette]
        lines = self.color("muted").rgb
        shapes, labels = chart(kind, names, box, self._u, hues, lines, self._rng)
        self._shapes += shapes
        # One node for each group of labels, so that they come out alike in size.
        alike: dict[str, Literal["left", "center", "right"]] = {"label": "center", "tick": "right", "legend": "left"}
        groups = {
            role: TextNode(kind="text", slot="category", height=node.height, align=align, role=role)
            for role, align in alike.items()
        }
        for label in labels:
            own = groups[label.role]
            pending = self._fitted(own, label.text, label.box)
            if pending is None:
                raise Undrawable(f"the label '{label.text}' does not fit its chart")
            self._texts.append(pending)

    def _set(self, text: _Pending, size: float) -> TextLayer:
        node, box = text.node, text.box
        lines: list[Span] = text.measure.lines(text.shaped, size) or []
        measure, lines = text.measure.in_words(text.shaped, size, lines)
        if 1 < len(lines) <= _MAX_BALANCED:
            lines = measure.balanced(text.shaped, size, lines)
        block = compose(text.shaped, lines, size, measure, node.align)
        x0, y0, x1, y1 = block.box
        slack = {"top": 0.0, "middle": 0.5, "bottom": 1.0}[node.valign]
        left = box[0] + (box[2] - box[0] - (x1 - x0)) * SLACK[node.align]
        top = box[1] + (box[3] - box[1] - (y1 - y0)) * slack
        left = min(max(left, 1.0), self._canvas[0] - 1.0 - (x1 - x0))
        color = self._readable(node.color, self._behind(box))
        return TextLayer(block, TextStyle(color), translation(left - x0, top - y0), role=node.role or node.slot)

    def _behind(self, box: Box) -> RGB:
        """The color on top of all shapes in the middle of a box."""
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        for shape in reversed(self._shapes):
            if isinstance(shape, ShapeLayer) and shape.kind == "rect" and shape.fill:
                x0, y0, x1, y1 = shape.points
                if x0 <= x <= x1 and y0 <= y <= y1:
                    return shape.fill
        return self.color("ground").rgb

    def _pick(self, styles: Sequence[Style]) -> FontFile:
        """A font of the language in one of the styles, or any of the language.

        A style of text that only one family has takes the others as well: Chinese is set in Song where English has
        one of nine sans-serif faces, and all of its pages would look alike.
        """
        mine = [f for f in self._context.fonts if f.writes(self._language) and "Italic" not in f.path.stem]
        style = styles[int(self._rng.integers(len(styles)))]
        if len({f.family for f in mine if f.source.style == style}) == 1 and style in _TEXT_STYLES:
            there = [s for s in _TEXT_STYLES if any(f.source.style == s for f in mine)]
            style = there[int(self._rng.integers(len(there)))]
        fitting = [f for f in mine if f.source.style == style] or mine
        if not fitting:
            raise UserError(f"fonts: none is for language '{self._language}'")
        return fitting[choose(self._rng, [f.source.weight for f in fitting])]

    def _covering(self, face: Literal["title", "body"], said: str) -> FontFile:
        font = self._fonts.get(face) or self._fonts["body"]
        return (
            font
            if font.missing(said) is None
            else self._context.font(Text(said, self._language, "line", ""), self._rng)
        )


def _square(box: Box) -> Box:
    """The largest square in the middle of a box."""
    cx, cy = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    half = min(box[2] - box[0], box[3] - box[1]) / 2
    return (cx - half, cy - half, cx + half, cy + half)


def _inset(box: Box, by: float) -> Box:
    return (box[0] + by, box[1] + by, box[2] - by, box[3] - by)
