"""Edit pairs (TI2I): a picture, an instruction, the picture after it. Reconstruction (I2I): the same picture twice.

    stage: ground or photograph with one to three texts ──operation on one text──> source and target drawings

Both drawings share every layer that the edit does not touch, so outside of it they are pixel-identical.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np

from synth.caption.instructions import instruct
from synth.choice import check_shares, choose_key
from synth.content.base import Text
from synth.corpus.builtin import pairs, translations
from synth.drawing.colors import Color, Ground, opposite, pick, readable
from synth.drawing.layers import Drawing, Layer, Light, TextLayer
from synth.drawing.paint import paint, paint_twice
from synth.drawing.regions import layer_regions
from synth.drawing.style import EffectConfig, TextStyle, pick_style
from synth.errors import Undrawable
from synth.geometry import Matrix, translation
from synth.language import language_of
from synth.photos import Backdrop
from synth.sample import CaptionLanguage
from synth.strategies.base import Change, Composition, RenderContext, ShapedText
from synth.strategies.pure import ground_layers
from synth.strategies.scene.scene import SceneStrategy, check_visible, find_place
from synth.typeset.layout import LayoutConfig, arrange
from synth.typeset.shaped import Shaped

Operation = Literal["replace", "add", "remove", "recolor", "restyle", "move", "translate", "background", "reconstruct"]
ALL: tuple[Operation, ...] = (
    *("replace", "add", "remove", "recolor", "restyle", "move", "translate", "background", "reconstruct"),
)
SMALLEST = 0.55  # of the size before: a new text that would have to be smaller is drawn again (ours)


@dataclass(frozen=True)
class EditStrategy:
    """``operations``: shares. ``texts``: how many stand on a plain ground, [least, most].

    ``scene``: where given, this ``photographed`` part of the pairs is made from photographs, with one text each.
    """

    kind: Literal["edit"]
    operations: dict[Operation, float] = field(default_factory=lambda: dict.fromkeys(ALL, 1.0))
    texts: tuple[int, int] = (1, 3)
    scene: SceneStrategy | None = None
    photographed: float = 0.5
    languages: dict[CaptionLanguage, float] = field(
        default_factory=lambda: {"zh": 1.0, "en": 1.0}
    )  # of the instruction

    def __post_init__(self) -> None:
        check_shares("operations", self.operations)
        check_shares("languages", self.languages)
        if not 1 <= self.texts[0] <= self.texts[1] <= 4:
            raise ValueError(f"texts must be [least, most] within 1..4, found {list(self.texts)}")
        if not 0 <= self.photographed <= 1:
            raise ValueError(f"photographed must be within 0..1, found {self.photographed:g}")


@dataclass(frozen=True, eq=False)
class Area:
    """A place for one text: a box of ``size`` px and what takes it to the canvas."""

    size: tuple[int, int]
    matrix: Matrix


@dataclass(frozen=True, eq=False)
class EditCanvas:
    """What a pair is drawn on. ``colors``: for text. ``ground`` None: a photograph straight."""

    canvas: tuple[int, int]
    behind: tuple[Layer, ...]
    slots: tuple[Area, ...]
    colors: tuple[Color, ...]
    ground: Ground | None
    medium: str | None = None
    backdrop: Backdrop | None = None
    light: Light | None = None

    @property
    def grounds(self) -> tuple[Color, ...]:
        """The colours under the text, as far as they are known."""
        return self.ground.colors if self.ground else (opposite(self.colors[0]),)


@dataclass(frozen=True, eq=False)
class PlacedText:
    """A text set into a slot."""

    words: ShapedText
    layer: TextLayer
    slot: int

    @property
    def said(self) -> str:
        """The text as an instruction quotes it."""
        return self.words.text.text


def draw(
    tools: RenderContext,
    strategy: EditStrategy,
    write: Callable[[np.random.Generator], Text],
    backdrop: Callable[[], Backdrop] | None,
    canvas: tuple[int, int],
    layout: LayoutConfig,
    rng: np.random.Generator,
) -> Composition:
    """One pair. ``write`` gives a new text of the recipe's content. Raises Undrawable."""
    operation = choose_key(rng, strategy.operations)
    photographed = backdrop is not None and strategy.scene is not None and rng.random() < strategy.photographed
    if photographed and operation in ("move", "background"):
        photographed = False  # a photograph has one place for text, and no ground to change
    texts = _texts(operation, write, strategy, photographed, rng)
    if photographed:
        assert strategy.scene is not None
        assert backdrop is not None
        stage = _photo_stage(tools, strategy.scene, backdrop(), texts[0], layout, rng)
    else:
        stage = _plain_stage(tools, canvas, len(texts), rng)
    placed = [_put(tools, stage, slot, text, layout, rng) for slot, text in enumerate(texts)]
    chosen = int(rng.integers(len(placed)))
    editor = _Editor(tools, stage, placed, chosen, write, layout, rng)
    before, after, change = editor.apply(operation)
    source, target = (Drawing(stage.canvas, (*layers,)) for layers in (before, after))
    image = paint(target)
    if stage.backdrop:
        visible = source if operation == "remove" else target
        check_visible(visible, *paint_twice(visible))
    spoken = choose_key(rng, strategy.languages)
    fonts = tuple(dict.fromkeys(placed_text.words.font for placed_text in (*placed, *editor.added)))
    return Composition(
        texts[chosen],
        fonts,
        target,
        image,
        editor.ground,
        stage.medium,
        backdrop=stage.backdrop,
        source=source,
        instruction=instruct(change, spoken, rng),
        spoken=spoken,
    )


def _texts(
    operation: Operation,
    write: Callable[[np.random.Generator], Text],
    strategy: EditStrategy,
    photographed: bool,
    rng: np.random.Generator,
) -> list[Text]:
    """Different texts, one for each slot; for a translation those that are known in both languages."""
    count = 1 if photographed else int(rng.integers(strategy.texts[0], strategy.texts[1] + 1))
    found: dict[str, Text] = {}
    for _ in range(20):
        if operation == "translate":
            pair = pairs()[int(rng.integers(len(pairs())))]
            said = pair[int(rng.integers(2))]
            text = Text(said, language_of(said), "line", "pairs")
        else:
            text = write(rng)
        if translations().get(text.text) not in found:  # its translation would be there already
            found.setdefault(text.text, text)
        if len(found) == count:
            return list(found.values())
    raise Undrawable("not enough different texts came up")


def _plain_stage(tools: RenderContext, canvas: tuple[int, int], count: int, rng: np.random.Generator) -> EditCanvas:
    """Bands of the canvas, one for each text."""
    w, h = canvas
    margin = 0.05 * min(w, h)
    height = (h - 2 * margin) / count
    size = (int(w - 2 * margin), int(height * (0.86 if count > 1 else 1.0)))
    slots = tuple(Area(size, translation(margin, margin + k * height)) for k in range(count))
    ground, _ = pick(tools.colors, rng)
    return EditCanvas(canvas, ground_layers(ground, canvas, rng), slots, tuple(readable(tools.colors, ground)), ground)


def _photo_stage(
    tools: RenderContext,
    strategy: SceneStrategy,
    backdrop: Backdrop,
    text: Text,
    layout: LayoutConfig,
    rng: np.random.Generator,
) -> EditCanvas:
    words = tools.words(text, replace(layout, directions={"horizontal": 1.0}), rng)
    place = find_place(strategy, backdrop, words.aspect(rng), rng)
    ground = Ground(place.ground) if place.ground else None
    slots = (Area(place.size, place.matrix),)
    return EditCanvas(backdrop.canvas, place.behind, slots, place.colors, ground, place.medium, backdrop, place.light)


def _put(
    tools: RenderContext,
    stage: EditCanvas,
    slot: int,
    text: Text,
    layout: LayoutConfig,
    rng: np.random.Generator,
    like: PlacedText | None = None,
) -> PlacedText:
    """A text set into a slot in a style of its own, or in the size, face and style of another. Raises Undrawable."""
    box = stage.slots[slot]
    flat = replace(layout, directions={"horizontal": 1.0})
    if like is None:
        words = tools.words(text, flat, rng)
        block, matrix = arrange(words.shaped, box.size, flat, rng, text.wrap, stroke_margin=tools.effects.stroke_margin)
        style = tools.style(block, stage.colors[int(rng.integers(len(stage.colors)))], stage.grounds, rng)
    else:
        face = like.layer.block.face
        words = ShapedText(text, like.words.font, Shaped(face, text.text, text.language))
        size = like.layer.block.size
        same = replace(
            flat, size="fit", fill=(1.0, 1.0), min_size=SMALLEST * size, max_size=size, jitter=0.0, rotate=(0.0, 0.0)
        )
        block, matrix = arrange(words.shaped, box.size, same, rng, text.wrap, stroke_margin=tools.effects.stroke_margin)
        style = like.layer.style
    layer = TextLayer(block, style, box.matrix @ matrix, light=stage.light, one_word=words.one)
    return PlacedText(words, layer, slot)


class _Editor:
    """One operation on one text of a stage: the layers before, the layers after, and what was done."""

    def __init__(
        self,
        tools: RenderContext,
        stage: EditCanvas,
        placed: Sequence[PlacedText],
        chosen: int,
        write: Callable[[np.random.Generator], Text],
        layout: LayoutConfig,
        rng: np.random.Generator,
    ) -> None:
        self.tools, self.stage, self.placed, self.chosen = tools, stage, placed, chosen
        self.write, self.layout, self.rng = write, layout, rng
        self.added: list[PlacedText] = []
        self.ground = stage.ground

    @property
    def placed_text(self) -> PlacedText:
        return self.placed[self.chosen]

    def apply(self, operation: Operation) -> tuple[list[Layer], list[Layer], Change]:
        """Layers before and after, and the change. Raises Undrawable where it cannot be done here."""
        before = self._layers(self.placed_text)
        change = Change(
            operation,
            before=self.placed_text.said,
            color_before=self.placed_text.layer.style.color,
            several=len(self.placed) > 1,
        )
        if operation == "reconstruct":
            return before, before, change
        if operation == "remove":
            return before, self._layers(None), change
        if operation == "add":
            added = Change(
                "add", after=self.placed_text.said, color_after=self.placed_text.layer.style.color, place=self._place()
            )
            return self._layers(None), before, added
        if operation == "background":
            return self._background(before, change)
        new, change = getattr(self, f"_{operation}")(change)
        self.added.append(new)
        return before, self._layers(new), change

    def _replace(self, change: Change) -> tuple[PlacedText, Change]:
        for _ in range(20):
            text = self.write(self.rng)
            if text.language == self.placed_text.words.text.language and text.text not in {p.said for p in self.placed}:
                new = _put(
                    self.tools, self.stage, self.placed_text.slot, text, self.layout, self.rng, like=self.placed_text
                )
                return new, replace(change, after=text.text)
        raise Undrawable("no other text of the same language came up")

    def _translate(self, change: Change) -> tuple[PlacedText, Change]:
        other = translations()[self.placed_text.said]
        text = Text(other, language_of(other), "line", "pairs")
        font = self.tools.font(text, self.rng)
        wght = font.wghts[int(self.rng.integers(len(font.wghts)))]
        anchor = replace(self.placed_text, words=replace(self.placed_text.words, font=font))
        anchor = replace(anchor, layer=replace(anchor.layer, block=replace(anchor.layer.block, face=font.face(wght))))
        new = _put(self.tools, self.stage, self.placed_text.slot, text, self.layout, self.rng, like=anchor)
        return new, replace(change, after=other)

    def _recolor(self, change: Change) -> tuple[PlacedText, Change]:
        style = self.placed_text.layer.style
        others = [c for c in self.stage.colors if c.en != style.color.en]
        if not others:
            raise Undrawable("no other colour can be read here")
        color = others[int(self.rng.integers(len(others)))]
        plain = TextStyle(color) if style.fill else replace(style, stroke=color)
        keep = replace(plain, shadows=style.shadows) if style.fill else plain
        return self._styled(keep), replace(change, color_after=color)

    def _restyle(self, change: Change) -> tuple[PlacedText, Change]:
        """Another effect: an outline, a shadow, or hollow letters, from plain ones."""
        color = self.placed_text.layer.style.color
        effect = ("stroke", "hollow", "shadow", "glow")[int(self.rng.integers(4))]
        if (
            effect == self.placed_text.layer.style.effect
            or self.placed_text.layer.block.size < self.tools.effects.least
        ):
            raise Undrawable("the text has this effect, or is too small for one")
        style = pick_style(EffectConfig(shares={effect: 1.0}), color, self.stage.grounds, self.rng)  # type: ignore[dict-item]
        return self._styled(style), replace(change, effect=effect)

    def _move(self, change: Change) -> tuple[PlacedText, Change]:
        """To another corner or edge, in its own size, clear of the other texts."""
        quads = [region.quad for region in layer_regions(self.placed_text.layer) if region.level == "line"]
        x0, y0 = min(min(q[::2]) for q in quads), min(min(q[1::2]) for q in quads)
        x1, y1 = max(max(q[::2]) for q in quads), max(max(q[1::2]) for q in quads)
        w, h = self.stage.canvas
        edge = 0.05 * min(w, h)
        taken = [self._box(placed_text) for placed_text in self.placed if placed_text is not self.placed_text]
        places = []
        for name, (fx, fy) in PLACES.items():
            left, top = edge + fx * (w - 2 * edge - (x1 - x0)), edge + fy * (h - 2 * edge - (y1 - y0))
            moved = (left, top, left + x1 - x0, top + y1 - y0)
            far = abs(left - x0) + abs(top - y0) > 0.15 * min(w, h)
            if far and not any(_overlap(moved, box) for box in taken):
                places.append((name, left - x0, top - y0))
        if not places:
            raise Undrawable("there is no free place to move the text to")
        name, dx, dy = places[int(self.rng.integers(len(places)))]
        layer = replace(
            self.placed_text.layer, matrix=translation(round(dx), round(dy)) @ self.placed_text.layer.matrix
        )
        return replace(self.placed_text, layer=layer), replace(change, place=name)

    def _background(self, before: list[Layer], change: Change) -> tuple[list[Layer], list[Layer], Change]:
        colors = [placed_text.layer.style.color for placed_text in self.placed]
        assert self.stage.ground is not None
        for _ in range(20):
            ground, _ = pick(self.tools.colors, self.rng)
            names = {c.en for c in readable(self.tools.colors, ground)}
            new = {c.en for c in ground.colors} != {c.en for c in self.stage.ground.colors}
            if new and all(c.en in names for c in colors):
                self.ground = ground
                after = [
                    *ground_layers(ground, self.stage.canvas, self.rng),
                    *(placed_text.layer for placed_text in self.placed),
                ]
                return before, after, replace(change, ground=ground)
        raise Undrawable("no other ground suits all texts")

    def _styled(self, style: TextStyle) -> PlacedText:
        return replace(self.placed_text, layer=replace(self.placed_text.layer, style=style))

    def _layers(self, instead: PlacedText | None) -> list[Layer]:
        """All layers, with ``instead`` for the chosen text, or without it."""
        placed = [instead if placed_text is self.placed_text else placed_text for placed_text in self.placed]
        return [*self.stage.behind, *(placed_text.layer for placed_text in placed if placed_text)]

    def _place(self) -> str | None:
        """Where the chosen text stands, in words; None on a photograph."""
        if self.stage.ground is None or self.stage.medium:
            return None
        x0, y0, x1, y1 = self._box(self.placed_text)
        w, h = self.stage.canvas
        row = "top" if (y0 + y1) / 2 < 0.36 * h else "bottom" if (y0 + y1) / 2 > 0.64 * h else ""
        column = "left" if x1 < 0.56 * w else "right" if x0 > 0.44 * w else ""
        return f"{row} {column}".strip() or "center"

    def _box(self, placed_text: PlacedText) -> tuple[float, float, float, float]:
        quads = [region.quad for region in layer_regions(placed_text.layer) if region.level == "line"]
        return (
            min(min(q[::2]) for q in quads),
            min(min(q[1::2]) for q in quads),
            max(max(q[::2]) for q in quads),
            max(max(q[1::2]) for q in quads),
        )


PLACES = {
    "top left": (0.0, 0.0),
    "top": (0.5, 0.0),
    "top right": (1.0, 0.0),
    "left": (0.0, 0.5),
    "center": (0.5, 0.5),
    "right": (1.0, 0.5),
    "bottom left": (0.0, 1.0),
    "bottom": (0.5, 1.0),
    "bottom right": (1.0, 1.0),
}


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])
