"""The form of a template file: facts, nodes, palettes, layouts."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

from synth.drawing.colors import PALETTE
from synth.fonts.families import Style
from synth.language import CaptionLanguage
from synth.photo_list import Kind
from synth.strategies.template.chart import ChartKind
from synth.strategies.template.facts import Fact
from synth.strategies.template.icons import is_icon
from synth.strategies.template.slots import known

MINOR_ROLES = frozenset({"tick", "line_number", "day", "page"})
"""Of texts that nobody would name first, or ask to be edited."""


@dataclass(frozen=True, kw_only=True)
class Node:
    """What all nodes share. ``fill``, ``outline``: color roles of the palette. ``pad``, ``radius``: u.

    ``fit``: as long as what is in it, instead of a share. ``ratio``: width to height that it keeps to, [least, most], in the
    middle of its place, as a sheet of its own with its own u. ``when``: a formula over the facts; without it being true
    the node is left out.
    """

    size: float | None = None
    flex: float = 1.0
    fill: str | None = None
    outline: str | None = None
    pad: float = 0.0
    radius: float = 0.0
    chance: float = 1.0  # whether it is there
    fit: bool = False
    ratio: tuple[float, float] | None = None
    when: str = ""
    shadow: bool = False  # a soft one under its panel
    tail: Literal["before", "after"] | None = None  # of a balloon, towards the figure that comes before or after it
    hug: bool = False  # of a panel around one line: no wider than that comes out
    bullet: bool = False  # of an icon or a space: beside the first line of the text behind it, not its middle

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

    ``say``: text with {facts} in both languages instead of a slot, as "English | 中文" or as a mapping. ``face``: which
    of the picture's two faces. ``alike``: texts of all nodes with the same word are of one size, as those of one node are.
    ``indent``: a formula, of how many of its digits it begins further to the right. A text that comes out empty is left
    out, its place stays.
    """

    kind: Literal["text"]
    slot: str = ""
    say: str | dict[CaptionLanguage, str] = ""
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
    alike: str = ""
    indent: str = ""

    def __post_init__(self) -> None:
        super().__post_init__()
        if bool(self.slot) == bool(self.say):
            raise ValueError("text needs either slot or say")
        if self.slot and not known(self.slot):
            raise ValueError(f"slot '{self.slot}' is none that synth/strategies/template/slots.py fills")
        if isinstance(self.say, dict) and set(self.say) != {"zh", "en"}:
            raise ValueError("say needs zh and en")


@dataclass(frozen=True, kw_only=True)
class Group(Node):
    """Children one after the other, along (row) or down (column) the box, whichever of both is longer (flow); or all in
    the same box (stack).

    ``aspect``, of a layout: width to height of the canvases that it suits. ``justify``: where children stand that do not
    fill it; spread apart by what is left. ``drop``: children that find no room are left out, from the last on, but for so many of
    the first ones; 0: none is.
    """

    kind: Literal["row", "column", "flow", "stack"]
    of: tuple[AnyNode, ...]
    gap: float = 0.0  # u
    aspect: tuple[float, float] = (0.0, 100.0)
    justify: Literal["start", "center", "end", "spread"] = "start"
    drop: int = 0


@dataclass(frozen=True, kw_only=True)
class Repeat(Node):
    """``of`` as often as ``count`` [least, most] says, or once for each record of a list of the facts, as children of the
    group around it.

    ``over``: the list; the fields of the record are names in the texts, ``number`` counts from 1. ``part``: only the
    first, second ... [1, 2] of so many parts of it, for columns.
    """

    kind: Literal["repeat"]
    of: AnyNode
    count: tuple[int, int] = (1, 1)
    over: str = ""
    part: tuple[int, int] = (1, 1)


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
class Icon(Node):
    """An icon by its name at https://pictogrammers.com/library/mdi/, with _ for -; may hold {facts}."""

    kind: Literal["icon"]
    icon: str
    color: str = "text"

    def __post_init__(self) -> None:
        super().__post_init__()
        if "{" not in self.icon and not is_icon(self.icon):
            raise ValueError(f"there is no icon '{self.icon}'")


@dataclass(frozen=True, kw_only=True)
class Picture(Node):
    """A photograph of the recipe's; the panel ``fill`` where it has none. ``kinds``, ``about``: what it may show and the themes
    that it may have, with spaces between them, of photographs of which that is known; ``about`` may hold {facts}."""

    kind: Literal["picture"]
    kinds: tuple[Kind, ...] = ("street", "building", "nature", "animal", "people", "still")
    about: str = ""

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
    """Bars, a line or a pie with labels, of a list of the facts whose records have ``name`` and ``value``.

    ``unit``: what stands over the axis; may hold {facts}. A line is drawn through times alone, else bars.
    """

    kind: Literal["chart"]
    over: str
    unit: str = ""
    charts: tuple[ChartKind, ...] = ("bars", "line", "pie")
    height: tuple[float, float] = (2.5, 4.0)


AnyNode = TextNode | Group | Repeat | Choice | Space | Icon | Picture | Rule | ChartNode


@dataclass(frozen=True)
class Template:
    """One family. ``names``: for captions. ``facts``: what agrees in its texts, see ``facts.py``.

    ``aspect``: width to height, [least, most], of canvases that it can fill; ``suits``: of those that it fills well, null
    for all of them.
    """

    names: dict[CaptionLanguage, str]
    palettes: tuple[dict[str, str], ...]
    layouts: tuple[AnyNode, ...]
    aspect: tuple[float, float] = (0.3, 3.4)
    suits: tuple[float, float] | None = None
    facts: dict[str, Fact] = field(default_factory=dict)
    faces: dict[Literal["title", "body"], tuple[Style, ...] | dict[CaptionLanguage, tuple[Style, ...]]] = field(
        default_factory=lambda: {"title": ("sans", "serif"), "body": ("sans",)}
    )

    def __post_init__(self) -> None:
        if set(self.names) != {"zh", "en"}:
            raise ValueError("names needs zh and en")
        if any(isinstance(styles, dict) and set(styles) != {"zh", "en"} for styles in self.faces.values()):
            raise ValueError("faces that differ by language need zh and en")
        if not self.palettes or not self.layouts:
            raise ValueError("palettes and layouts must hold at least one entry each")
        for name in ("aspect", "suits"):
            low, high = getattr(self, name) or self.aspect
            if not 0 < low <= high:
                raise ValueError(f"{name} must be [least, most] above 0, found [{low:g}, {high:g}]")
        for palette in self.palettes:
            for role, name in palette.items():
                if name not in PALETTE:
                    raise ValueError(f"palettes: '{role}' is '{name}', no color of the palette: {', '.join(PALETTE)}")
