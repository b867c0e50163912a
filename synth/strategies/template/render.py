"""Templates: declarative files that say how a family of pictures is built (report, "complex rendering").

    family.yaml ──read──> Template ──draw facts, choose layout, palette, faces──> items (expand.py)
                                   ──lay out (boxes.py)──> shapes, then texts (texts.py)

A file is a tree of rows and columns, as in a style sheet's flexible boxes. Lengths are in hundredths of the canvas's
shorter side (u). A node takes ``size`` u along its parent's axis, the length of what is in it (``fit``), or a share
``flex`` of what is left; with ``flex`` 0, a group takes as many shares as it has children. Text is set in
its box at the largest size that fits, and all texts of one node (the items of a list) at one size; so nothing
overlaps, leaves its panel or is cut.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from typing import Literal

import numpy as np

from configs.errors import UserError
from synth.content.base import Text
from synth.drawing.colors import PALETTE, RGB, Color, Ground, contrast
from synth.drawing.layers import Drawing, GroundLayer, Layer, OutlineLayer, PictureLayer, ShapeLayer, TextLayer
from synth.drawing.style import TextStyle
from synth.errors import Undrawable
from synth.fonts.source import FontFile
from synth.geometry import Box, translation
from synth.language import CaptionLanguage
from synth.photo_list import Kind, Theme
from synth.photos import Backdrop, Photos
from synth.strategies.base import Composition
from synth.strategies.context import RenderContext
from synth.strategies.template.boxes import inner_box, parts, ratio_box
from synth.strategies.template.chart import chart, follow
from synth.strategies.template.expand import Expander, Item
from synth.strategies.template.facts import draw_facts
from synth.strategies.template.icons import icon
from synth.strategies.template.nodes import (
    AnyNode,
    ChartNode,
    Group,
    Icon,
    Node,
    Picture,
    Rule,
    Space,
    Template,
    TextNode,
)
from synth.strategies.template.slots import Filler
from synth.strategies.template.texts import Pending, Typesetter

_MIN_CONTRAST = 4.5  # WCAG contrast ratio of a text to what is behind it
_TRIES = 8  # texts drawn for a slot before the picture is given up
_PHOTOGRAPHS = 30  # that are looked at for a picture
_LOST = 0.08  # chosen: of a photograph's subject, which a picture of a template may cut off
_UNIT = 0.7  # chosen: of the largest type of a chart
_STANDING = 0.7  # chosen: of the largest type size, from which on a title stands out
_LINE = 0.35  # u: the outline of a panel
_TAIL = (1.7, 4.0)  # chosen, u: half of a tail's width, and how far it reaches out of its balloon
_FARTHEST = 14.0  # chosen, u: how far a tail may reach
_GROUND = 0.5  # chosen: of the canvas that the background takes at least


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
    sheet = lay_out(context, family, template, canvas, language, rng, photos)
    main = _main([layer for _, layer in sheet.texts])
    said = ("" if language == "zh" else " ").join(line.text for line in main.block.lines)
    return Composition(
        Text(said, language, "line", f"slots-{language}"),
        sheet.fonts,
        Drawing(canvas, sheet.layers()),
        ground=sheet.ground(),
        medium=family,
        family=template.names,
        pictures=tuple(sheet.pictures),
    )


def lay_out(
    context: RenderContext,
    family: str,
    template: Template,
    canvas: tuple[int, int],
    language: CaptionLanguage,
    rng: np.random.Generator,
    photos: Photos | None = None,
) -> Sheet:
    """All of a picture in its place. Raises Undrawable where a text does not fit, or there is none."""
    suiting = [root for root in template.layouts if _suits(root, canvas)]
    if not suiting:
        raise Undrawable(f"no layout of '{family}' suits {canvas[0]} x {canvas[1]} px")
    root = suiting[int(rng.integers(len(suiting)))]
    sheet = Sheet(context, template, root, canvas, language, rng, photos)
    try:
        item = sheet.expanded()
    except ValueError as error:
        raise UserError(f"template '{family}': {error}") from None
    sheet.lay(item, (0.0, 0.0, float(canvas[0]), float(canvas[1])), min(canvas) / 100)
    if not sheet.texts:
        raise Undrawable("the template came out without text")
    return sheet


def _main(texts: Sequence[TextLayer]) -> TextLayer:
    """What stands out: the title, or the first of the largest texts where they are clearly larger."""
    largest = max(text.block.size for text in texts)
    standing = [text for text in texts if text.block.size >= _STANDING * largest]
    return next((text for text in standing if text.role == "title"), standing[0])


def _suits(root: Node, canvas: tuple[int, int]) -> bool:
    """Whether a layout is meant for canvases of this shape."""
    return not isinstance(root, Group) or root.aspect[0] <= canvas[0] / canvas[1] <= root.aspect[1]


class Sheet:
    """One picture being laid out."""

    def __init__(
        self,
        context: RenderContext,
        template: Template,
        root: AnyNode,
        canvas: tuple[int, int],
        language: CaptionLanguage,
        rng: np.random.Generator,
        photos: Photos | None,
    ) -> None:
        self._rng, self._photos, self.canvas = rng, photos, canvas
        self._template, self._root, self._language = template, root, language
        self._palette = template.palettes[int(rng.integers(len(template.palettes)))]
        self._filler = Filler(language, rng)
        self._expander = Expander(language, self._filler, rng)
        self._typesetter = Typesetter(context, template, language, rng)
        self._shapes: list[Layer] = [GroundLayer(Ground((self.color("ground"),)))]
        self._pending: list[Pending] = []
        self._bullets: dict[int, int] = {}  # the text of each shape that stands at its first line
        self._hugging: dict[int, tuple[int, float]] = {}  # the text of each panel around it, and px between them
        self.pictures: list[Backdrop] = []

    def expanded(self) -> Item:
        """The layout with facts and texts drawn for it, others each time. Raises ValueError for a fact that there is not."""
        (item,) = self._expander.expand(self._root, draw_facts(self._template.facts, self._language, self._rng))
        return item

    @property
    def fonts(self) -> tuple[FontFile, ...]:
        """Those that its texts are set in."""
        return tuple(dict.fromkeys(self._typesetter.used))

    def color(self, role: str) -> Color:
        """The palette's color for a role. Raises UserError for one it lacks."""
        name = self._palette.get(role)
        if name is None:
            raise UserError(f"template: the color '{role}' is missing in a palette; it has {', '.join(self._palette)}")
        return PALETTE[name]

    def ground(self) -> Ground | None:
        """What a person would call the background: the color of all four corners and of much of the rest, None where there
        is none."""
        xs, ys = (np.linspace(1.0, side - 1.0, 9) for side in self.canvas)
        seen = [[self.behind((x, y, x, y)) for x in xs] for y in ys]
        corners = {seen[0][0], seen[0][-1], seen[-1][0], seen[-1][-1]}
        much = [color for color in corners if sum(row.count(color) for row in seen) > _GROUND * len(xs) * len(ys)]
        named = [color for color in PALETTE.values() if [color.rgb] == much] if len(corners) == 1 else []
        return Ground((named[0],)) if named and not self.pictures else None

    def lay(self, item: Item, box: Box, u: float) -> None:
        """An item and all below it in ``box`` (px). ``u``: px of a hundredth of its sheet's shorter side."""
        node = item.node
        if node.ratio:
            box = ratio_box(box, node.ratio)
            u = min(box[2] - box[0], box[3] - box[1]) / 100
        if isinstance(node, Picture) and self._photos:
            self._lay_picture(node, item.said.split(), box)
            return
        if node.fill or node.outline:
            self._panel(node, box, u)
            if node.hug:
                self._hugging[len(self._shapes) - 1] = (len(self._pending), node.pad * u)
        inner = inner_box(box, node.pad * u)
        if isinstance(node, TextNode):
            self._lay_text(item, inner, u)
        elif isinstance(node, Group):
            self._lay_children(parts(item, inner, u, self._typesetter), u)
        elif isinstance(node, Icon):
            self._shapes.append(icon(item.said, inner, self._seen(node.color, self.behind(inner)).rgb))
        elif isinstance(node, Rule):
            self._lay_rule(node, inner, u)
        elif isinstance(node, ChartNode):
            self._lay_chart(item, inner, u)

    def layers(self) -> tuple[Layer, ...]:
        """Shapes from back to front, then the texts in reading order."""
        return (*self._settled, *(layer for _, layer in self.texts))

    @cached_property
    def _settled(self) -> list[Layer]:
        """The shapes, moved and narrowed as the texts beside or in them came out."""
        texts = [layer for _, layer in self.texts]
        shapes = list(self._shapes)
        for shape, text in self._bullets.items():
            shapes[shape] = _at_first_line(shapes[shape], texts[text])
        for shape, (text, pad) in self._hugging.items():
            shapes[shape] = _around(shapes[shape], texts[text], pad)
        return shapes

    @cached_property
    def texts(self) -> list[tuple[Pending, TextLayer]]:
        """The texts in reading order, each as it was fitted and as it is set. To be asked for once all is laid."""
        sizes: dict[str | int, float] = {}
        for text in self._pending:
            sizes[text.alike] = min(sizes.get(text.alike, text.largest), text.largest)
        return [(text, self.set(text, sizes[text.alike])) for text in self._pending]

    def again(self, text: Pending, said: str, size: float) -> Pending | None:
        """Other words in the place of a text at ``size`` px, None where they do not fit."""
        return self._typesetter.again(text, said, size)

    def _lay_children(self, children: Sequence[tuple[Item, Box]], u: float) -> None:
        """Children in their boxes, with what ties some to their neighbors: a bullet to its text, a balloon to its figure."""
        bullet: int | None = None
        for k, (child, box) in enumerate(children):
            shapes, texts = len(self._shapes), len(self._pending)
            other = k + {"before": -1, "after": 1}[child.node.tail] if child.node.tail else -1
            if 0 <= other < len(children):
                self._lay_balloon(child, box, *children[other], u)
            else:
                self.lay(child, box, u)
            if bullet is not None and len(self._pending) > texts:
                self._bullets[bullet] = texts
            bullet = shapes if child.node.bullet else None

    def _lay_balloon(self, item: Item, box: Box, figure: Item, beside: Box, u: float) -> None:
        """A balloon with a tail towards a figure, the first of its row. The tail is drawn twice: with its outline under the
        balloon, then without, so that no line parts them."""
        fill = self.color(item.node.fill or "ground").rgb
        outline = self.color(item.node.outline).rgb if item.node.outline else None
        width = max(_LINE * u, 0.8)
        speaker = (0.5 if isinstance(figure.node, Icon) else 0.25) * (beside[2] - beside[0]) + beside[0]
        beside = beside if isinstance(figure.node, Icon) else _head(beside)
        tail = _tail(box, beside, speaker, u)
        self._shapes.append(ShapeLayer("polygon", tail, fill, stroke=outline, width=width))
        self.lay(item, box, u)
        self._shapes.append(ShapeLayer("polygon", _tail(box, beside, speaker, u, width), fill))

    def _panel(self, node: Node, box: Box, u: float) -> None:
        fill = self.color(node.fill).rgb if node.fill else None
        outline = self.color(node.outline).rgb if node.outline else None
        width, radius = max(_LINE * u, 0.8), node.radius * u
        if node.shadow:
            below = (box[0], box[1] + 0.8 * u, box[2], box[3] + 0.8 * u)
            self._shapes.append(ShapeLayer("rect", below, (0, 0, 0), radius=radius, alpha=0.3, blur=max(u, 1.0)))
        kind: Literal["rect", "ellipse", "polygon"] = "rect"
        points: tuple[float, ...] = box
        if isinstance(node, Space) and node.shape != "rect":
            x0, y0, x1, y1 = points = _square(box)
            kind = "ellipse" if node.shape == "ellipse" else "polygon"
            points = (x0, y1, (x0 + x1) / 2, y0, x1, y1) if kind == "polygon" else points
        self._shapes.append(ShapeLayer(kind, points, fill, stroke=outline, width=width, radius=radius))

    def _lay_rule(self, node: Rule, box: Box, u: float) -> None:
        color, width = self.color(node.color).rgb, max(node.thickness * u, 0.6)
        dash = tuple(d * u for d in node.dash)
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        upright = box[3] - box[1] > box[2] - box[0]
        line = (x, box[1], x, box[3]) if upright else (box[0], y, box[2], y)
        self._shapes.append(ShapeLayer("line", line, stroke=color, width=width, dash=dash))

    def _lay_picture(self, node: Picture, themes: Sequence[str], box: Box) -> None:
        assert self._photos
        x0, y0, x1, y1 = (round(v) for v in box)

        def fits(kind: Kind | None, theme: Theme | None) -> bool:
            return kind is None or (kind in node.kinds and (not themes or theme in themes))

        for _ in range(_PHOTOGRAPHS):
            photo = self._photos.choose((max(x1 - x0, 1), max(y1 - y0, 1)), self._rng, fits)
            if photo.lost <= _LOST:
                break
        else:
            raise Undrawable(f"no photograph of {' or '.join(node.kinds)} came up that suits the place")
        self.pictures.append(photo)
        self._shapes.append(PictureLayer(photo.pixels, translation(x0, y0)))

    def _lay_text(self, item: Item, box: Box, u: float) -> None:
        node = item.node
        assert isinstance(node, TextNode)
        if not item.said:
            return
        for attempt in range(_TRIES if node.slot else 1):
            said = item.said if not attempt else node.before + self._filler.fill(node.slot) + node.after
            pending = self._typesetter.fitted(node, said, box, u, item.indent)
            if pending:
                self._pending.append(replace(pending, bound=item.bound))
                return
        raise Undrawable(f"no text like '{item.said}' fits {box[2] - box[0]:.0f} x {box[3] - box[1]:.0f} px")

    def _lay_chart(self, item: Item, box: Box, u: float) -> None:
        node = item.node
        assert isinstance(node, ChartNode)
        names = [str(record["name"]) for record in item.records]
        kinds = [kind for kind in node.charts if kind != "line" or follow(names)] or ["bars"]
        kind = kinds[int(self._rng.integers(len(kinds)))]
        hues = [self.color(role) for role in ("accent", "second", "third", "muted") if role in self._palette]
        values = np.array([float(record["value"]) for record in item.records])
        shapes, labels = chart(kind, names, values, item.said, box, u, hues, self.color("muted").rgb)
        self._shapes += shapes
        # One node for each group of labels, so that they come out alike in size.
        alike: dict[str, Literal["left", "center", "right"]] = {
            "label": "center",
            "tick": "right",
            "legend": "left",
            "unit": "left",
        }
        groups = {
            role: TextNode(
                kind="text",
                say="-",
                height=_small(node.height) if role == "unit" else node.height,
                align=align,
                role=role,
                alike="" if role == "unit" else f"labels of {id(item)}",
            )
            for role, align in alike.items()
        }
        for label in labels:
            pending = self._typesetter.fitted(groups[label.role], label.text, label.box, u)
            if pending is None:
                raise Undrawable(f"the label '{label.text}' does not fit its chart")
            self._pending.append(pending)

    def set(self, text: Pending, size: float) -> TextLayer:
        """The text in its place at ``size`` px."""
        block = text.block(size)
        left, top = text.place(block, self.canvas[0])
        color = self._readable(text.node.color, self.behind(text.box))
        return TextLayer(block, TextStyle(color), translation(left, top), role=text.node.role or text.node.slot)

    def _readable(self, role: str, ground: RGB) -> Color:
        """The role's color, or the palette's best one where that cannot be read on the ground."""
        return self._seen(role, ground, _MIN_CONTRAST)

    def _seen(self, role: str, ground: RGB, least: float = 1.6) -> Color:
        color = self.color(role)
        if contrast(color.rgb, ground) >= least:
            return color
        others = [*(PALETTE[name] for name in self._palette.values()), PALETTE["black"], PALETTE["white"]]
        return max(others, key=lambda c: contrast(c.rgb, ground))

    def behind(self, box: Box) -> RGB:
        """The color on top of all shapes in the middle of a box."""
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        for shape in reversed(self._shapes):
            if isinstance(shape, ShapeLayer) and shape.kind in ("rect", "ellipse") and shape.fill and not shape.blur:
                x0, y0, x1, y1 = shape.points
                if x0 <= x <= x1 and y0 <= y <= y1:
                    return shape.fill
        return self.color("ground").rgb


def _tail(balloon: Box, figure: Box, speaker: float, u: float, line: float = 0.0) -> tuple[float, ...]:
    """Corners of a tail from a balloon to the box of a figure beside it, or above or below it, where it points to the x of the
    ``speaker``; narrower by the width of a ``line`` on all sides."""
    half, reach = _TAIL[0] * u - line, _TAIL[1] * u - 2 * line
    between = max(figure[1] - balloon[3], balloon[1] - figure[3])
    reach = max(reach, min(between, _FARTHEST * u) - u - 2 * line)
    x0, y0, x1, y1 = balloon
    if figure[0] >= x1 or figure[2] <= x0:
        edge, out = (x1, reach) if figure[0] >= x1 else (x0, -reach)
        at, inside = (y0 + y1) / 2, math.copysign(2 * u, out)
        return edge - inside, at - half, edge - inside, at + half, edge + out, at
    edge, out = (y1, reach) if figure[1] >= y1 else (y0, -reach)
    inside = math.copysign(2 * u, out)
    at = min(max(speaker, x0 + 4 * half), x1 - 4 * half)
    return at - half, edge - inside, at + half, edge - inside, (at + speaker) / 2, edge + out


def _head(row: Box) -> Box:
    """The first of two icons in the box of a row: as high as it is drawn."""
    x0, y0, x1, y1 = row
    middle, half = (y0 + y1) / 2, min((x1 - x0) / 4, (y1 - y0) / 2)
    return x0, middle - half, (x0 + x1) / 2, middle + half


def _at_first_line(shape: Layer, text: TextLayer) -> Layer:
    """A bullet beside the first line of its text."""
    if len(text.block.lines) < 2:
        return shape
    first, whole = text.block.lines[0].box, text.block.box
    up = ((first[1] + first[3]) - (whole[1] + whole[3])) / 2
    if isinstance(shape, ShapeLayer):
        return replace(shape, points=tuple(v + up * (k % 2) for k, v in enumerate(shape.points)))
    if isinstance(shape, OutlineLayer):
        return replace(shape, at=(shape.at[0], shape.at[1] + up))
    return shape


def _around(panel: Layer, text: TextLayer, pad: float) -> Layer:
    """A panel as wide as the line in it, with ``pad`` px on both sides."""
    assert isinstance(panel, ShapeLayer)
    x0, y0, x1, y1 = panel.points
    left, _, right, _ = text.block.box
    shift = text.matrix[0, 2]
    return replace(panel, points=(max(x0, left + shift - pad), y0, min(x1, right + shift + pad), y1))


def _square(box: Box) -> Box:
    """The largest square in the middle of a box."""
    cx, cy = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    half = min(box[2] - box[0], box[3] - box[1]) / 2
    return (cx - half, cy - half, cx + half, cy + half)


def _small(height: tuple[float, float]) -> tuple[float, float]:
    """Of a chart's unit: larger than its names it would read as a title."""
    return height[0], max(height[0], _UNIT * height[1])
