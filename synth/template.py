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
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

import configs
from configs.errors import UserError
from synth.chart import ChartKind, chart
from synth.choice import check_shares, choose
from synth.content.base import Text
from synth.drawing.colors import PALETTE, RGB, Color, Ground, contrast
from synth.drawing.layers import Drawing, GroundLayer, Layer, PictureLayer, ShapeLayer, TextLayer
from synth.drawing.style import TextStyle
from synth.errors import Undrawable
from synth.fonts.families import Style
from synth.fonts.source import FontFile
from synth.geometry import Box, translation
from synth.photos import Backdrop, Photos, PhotoSource
from synth.sample import Spoken
from synth.slots import Filler, known
from synth.strategies.base import Made, Tools
from synth.typeset.layout import SLACK, Measure, compose
from synth.typeset.shaped import Shaped, Span

FOLDER = Path(__file__).parent / "templates"
READABLE = 4.5  # least WCAG contrast of a text to what is behind it
LEAST = 8.0  # px: no text is set smaller
TRIES = 8  # texts drawn for a slot before the picture is given up
BALANCED = 4  # lines: up to so many are made alike in length, so that no word is left alone
SQUEEZE = 0.75  # fixed sizes may shrink to this where a canvas is too small for them


@dataclass(frozen=True, kw_only=True)
class Node:
    """What all nodes share. ``fill``, ``outline``: colour roles of the palette. ``pad``, ``radius``: u."""

    size: float | None = None
    flex: float = 1.0
    fill: str | None = None
    outline: str | None = None
    pad: float = 0.0
    radius: float = 0.0
    chance: float = 1.0  # whether it is there

    def __post_init__(self) -> None:
        for name in ("size", "flex", "pad", "radius", "gap"):
            value = getattr(self, name, None)
            if value is not None and value < 0:
                raise ValueError(f"{name} must be at least 0, found {value:g}")
        for name in ("height", "count"):
            low, high = getattr(self, name, (1, 1))
            if not 0 <= low <= high or high == 0:
                raise ValueError(f"{name} must be [least, most] from 0 on, found [{low:g}, {high:g}]")


@dataclass(frozen=True, kw_only=True)
class TextNode(Node):
    """A slot's text. ``height``: type size [least, most] in u. ``before``, ``after``: fixed text around it.

    ``say``: fixed text in both languages instead of a slot. ``face``: which of the picture's two faces.
    """

    kind: Literal["text"]
    slot: str = ""
    say: dict[Spoken, str] = field(default_factory=dict)
    before: str = ""
    after: str = ""
    color: str = "text"
    height: tuple[float, float] = (3.0, 6.0)
    face: Literal["title", "body"] = "body"
    bold: bool = False
    align: Literal["left", "center", "right"] = "left"
    valign: Literal["top", "middle", "bottom"] = "middle"
    lines: int = 1
    role: str | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if bool(self.slot) == bool(self.say):
            raise ValueError("text needs either slot or say")
        if self.slot and not known(self.slot):
            raise ValueError(f"slot '{self.slot}' is none that synth/slots.py fills")
        if self.say and set(self.say) != {"zh", "en"}:
            raise ValueError("say needs zh and en")


@dataclass(frozen=True, kw_only=True)
class Group(Node):
    """Children one after the other, along (row) or down (column) the box; or all in the same box (stack)."""

    kind: Literal["row", "column", "stack"]
    of: tuple[AnyNode, ...]
    gap: float = 0.0  # u


@dataclass(frozen=True, kw_only=True)
class Repeat(Node):
    """``of`` as often as ``count`` [least, most] says, as children of the group around it."""

    kind: Literal["repeat"]
    of: AnyNode
    count: tuple[int, int]


@dataclass(frozen=True, kw_only=True)
class Choice(Node):
    """One of several."""

    kind: Literal["choice"]
    of: tuple[AnyNode, ...]


@dataclass(frozen=True, kw_only=True)
class Space(Node):
    """Nothing, or a filled box."""

    kind: Literal["space"]
    shape: Literal["rect", "ellipse", "triangle"] = "rect"


@dataclass(frozen=True, kw_only=True)
class Picture(Node):
    """A photograph of the recipe's; the panel ``fill`` where it has none."""

    kind: Literal["picture"]

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.fill:
            raise ValueError("picture needs a fill for recipes without photographs")


@dataclass(frozen=True, kw_only=True)
class Rule(Node):
    """A line across the box's middle. ``thickness`` in u; ``dash`` u on, u off."""

    kind: Literal["rule"]
    color: str = "muted"
    thickness: float = 0.3
    dash: tuple[float, ...] = ()
    size: float | None = 1.0


@dataclass(frozen=True, kw_only=True)
class ChartNode(Node):
    """Bars, a line or a pie from random numbers, with labels."""

    kind: Literal["chart"]
    charts: tuple[ChartKind, ...] = ("bars", "line", "pie")
    height: tuple[float, float] = (2.5, 4.0)


AnyNode = TextNode | Group | Repeat | Choice | Space | Picture | Rule | ChartNode


@dataclass(frozen=True)
class Template:
    """One family. ``names``: for captions. ``aspect``: width to height of canvases that suit it, [least, most]."""

    names: dict[Spoken, str]
    palettes: tuple[dict[str, str], ...]
    layouts: tuple[AnyNode, ...]
    aspect: tuple[float, float] = (0.4, 2.5)
    faces: dict[Literal["title", "body"], tuple[Style, ...]] = field(
        default_factory=lambda: {"title": ("sans", "serif"), "body": ("sans",)}
    )

    def __post_init__(self) -> None:
        if set(self.names) != {"zh", "en"}:
            raise ValueError("names needs zh and en")
        if not self.palettes or not self.layouts:
            raise ValueError("palettes and layouts must hold at least one entry each")
        if not 0 < self.aspect[0] <= self.aspect[1]:
            raise ValueError(f"aspect must be [least, most] above 0, found {list(self.aspect)}")
        for palette in self.palettes:
            for role, name in palette.items():
                if name not in PALETTE:
                    raise ValueError(f"palettes: '{role}' is '{name}', no colour of the palette: {', '.join(PALETTE)}")


@dataclass(frozen=True)
class TemplateStrategy:
    """``families``: shares by the names of files in synth/templates, empty for all alike. ``files``: own ones beside them.

    ``photos``: photographs for the pictures in them.
    """

    kind: Literal["template"]
    families: dict[str, float] = field(default_factory=dict)
    files: tuple[str, ...] = ()
    photos: tuple[PhotoSource, ...] = ()
    languages: dict[Spoken, float] = field(default_factory=lambda: {"zh": 1.0, "en": 1.0})

    def __post_init__(self) -> None:
        check_shares("languages", self.languages)
        if self.families:
            check_shares("families", self.families)


def load_templates(strategy: TemplateStrategy) -> dict[str, tuple[Template, float]]:
    """Templates with their shares, by family. Raises UserError for an unknown family or a wrong file."""
    paths = {path.stem: path for path in sorted(FOLDER.glob("*.yaml"))}
    for name in strategy.files:
        path = Path(name).expanduser()
        if not path.exists():
            raise UserError(f"strategy.files: {path} does not exist")
        paths |= {p.stem: p for p in (sorted(path.glob("*.yaml")) if path.is_dir() else [path])}
    for family in strategy.families:
        if family not in paths:
            raise UserError(f"strategy.families: no template '{family}'; there are {', '.join(paths)}")
    wanted = strategy.families or dict.fromkeys(paths, 1.0)
    return {family: (_read(paths[family]), share) for family, share in wanted.items()}


@lru_cache(maxsize=256)
def _read(path: Path) -> Template:
    return configs.load(path, Template)


def draw(
    tools: Tools,
    templates: dict[str, tuple[Template, float]],
    canvas: tuple[int, int],
    language: Spoken,
    rng: np.random.Generator,
    photos: Photos | None = None,
) -> Made:
    """A picture of a family that suits the canvas. Raises Undrawable."""
    aspect = canvas[0] / canvas[1]
    fitting = {f: t for f, t in templates.items() if t[0].aspect[0] <= aspect <= t[0].aspect[1]}
    if not fitting:
        raise Undrawable(f"no template suits a canvas of {canvas[0]} x {canvas[1]}")
    family = list(fitting)[choose(rng, [share for _, share in fitting.values()])]
    template = fitting[family][0]
    sheet = _Sheet(tools, template, canvas, language, rng, photos)
    root = template.layouts[int(rng.integers(len(template.layouts)))]
    sheet.lay(root, (0.0, 0.0, float(canvas[0]), float(canvas[1])))
    layers = sheet.layers()
    drawing = Drawing(canvas, layers)
    texts = drawing.texts
    if not texts:
        raise Undrawable("the template came out without text")
    main = next((t for t in texts if t.role == "title"), texts[0])
    said = ("" if language == "zh" else " ").join(line.text for line in main.block.lines)
    fonts = tuple(dict.fromkeys(sheet.used))
    return Made(
        Text(said, language, "line", f"slots-{language}"),
        fonts,
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
        tools: Tools,
        template: Template,
        canvas: tuple[int, int],
        language: Spoken,
        rng: np.random.Generator,
        photos: Photos | None,
    ) -> None:
        self._tools, self._rng, self._language, self._photos = tools, rng, language, photos
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
        """The palette's colour for a role. Raises UserError for one it lacks."""
        name = self._palette.get(role)
        if name is None:
            raise UserError(f"template: the colour '{role}' is missing in a palette; it has {', '.join(self._palette)}")
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
        if shrink < SQUEEZE or (flex and room - fixed < 0.03 * room):
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
        for _ in range(TRIES if node.slot else 1):
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
        low, high = (max(v * self._u, LEAST) for v in node.height)
        largest = measure.largest_size(shaped, low, high)
        while largest is not None and len(measure.lines(shaped, largest) or ()) > node.lines:
            largest = largest * 0.94 if largest * 0.94 >= low else None
        if largest is None:
            return None
        self.used.append(font)
        return _Pending(node, box, shaped, measure, largest)

    def _readable(self, role: str, ground: RGB) -> Color:
        """The role's colour, or the palette's best one where that cannot be read on the ground."""
        color = self.color(role)
        if contrast(color.rgb, ground) >= READABLE:
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
        if 1 < len(lines) <= BALANCED:
            lines = text.measure.balanced(text.shaped, size, lines)
        block = compose(text.shaped, lines, size, text.measure, node.align)
        x0, y0, x1, y1 = block.box
        slack = {"top": 0.0, "middle": 0.5, "bottom": 1.0}[node.valign]
        left = box[0] + (box[2] - box[0] - (x1 - x0)) * SLACK[node.align]
        top = box[1] + (box[3] - box[1] - (y1 - y0)) * slack
        left = min(max(left, 1.0), self._canvas[0] - 1.0 - (x1 - x0))
        color = self._readable(node.color, self._behind(box))
        return TextLayer(block, TextStyle(color), translation(left - x0, top - y0), role=node.role or node.slot)

    def _behind(self, box: Box) -> RGB:
        """The colour on top of all shapes in the middle of a box."""
        x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
        for shape in reversed(self._shapes):
            if isinstance(shape, ShapeLayer) and shape.kind == "rect" and shape.fill:
                x0, y0, x1, y1 = shape.points
                if x0 <= x <= x1 and y0 <= y <= y1:
                    return shape.fill
        return self.color("ground").rgb

    def _pick(self, styles: Sequence[Style]) -> FontFile:
        """A font of the language in one of the styles, or any of the language."""
        mine = [f for f in self._tools.fonts if self._language in f.source.languages]
        style = styles[int(self._rng.integers(len(styles)))]
        fitting = [f for f in mine if f.source.style == style and "Italic" not in f.path.stem] or mine
        if not fitting:
            raise UserError(f"fonts: none is for language '{self._language}'")
        return fitting[choose(self._rng, [f.source.share for f in fitting])]

    def _covering(self, face: Literal["title", "body"], said: str) -> FontFile:
        font = self._fonts.get(face) or self._fonts["body"]
        return (
            font if font.missing(said) is None else self._tools.font(Text(said, self._language, "line", ""), self._rng)
        )


def _square(box: Box) -> Box:
    """The largest square in the middle of a box."""
    cx, cy = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    half = min(box[2] - box[0], box[3] - box[1]) / 2
    return (cx - half, cy - half, cx + half, cy + half)


def _inset(box: Box, by: float) -> Box:
    return (box[0] + by, box[1] + by, box[2] - by, box[3] - by)
