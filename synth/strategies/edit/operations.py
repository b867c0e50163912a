"""What an edit pair may differ in: one function for each operation, by name in ``OPERATIONS``.

    Edit: an operation, a canvas, its texts, the one to edit ──apply──> Edited: layers before and after, the change

A new operation is a function here, its name in ``Operation`` and ``OPERATIONS``, and sentences that ask for it in
``synth/caption``. Layers that an operation does not touch are shared by both pictures, so that they are
pixel-identical outside of the edit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

from synth.choice import choose
from synth.drawing.colors import Ground, contrast, pick, readable, shades_of, told_apart
from synth.drawing.layers import Layer
from synth.drawing.outlines import clear_for_lines, stem
from synth.drawing.style import OFF_FILL, Effect, EffectConfig, TextStyle, pick_style
from synth.errors import Undrawable
from synth.geometry import Box, in_corner, translation
from synth.language import language_of
from synth.strategies.base import Change, DrawRequest
from synth.strategies.edit.canvas import EditCanvas, PlacedText, place_text_like
from synth.strategies.ground import ground_layers
from synth.strategies.scene.lighting import bears, light_for

Operation = Literal["replace", "add", "remove", "recolor", "restyle", "move", "translate", "background", "reconstruct"]
_TRIES = 20  # texts or grounds drawn for one edit before the pair is given up
_APART = 0.06  # chosen: of the canvas's shorter side, what is kept free around a text that is moved
_MIN_MOVE = 0.15  # chosen: of the canvas's side; a text that moves less has not visibly moved
_MOVABLE = 0.5  # chosen: of the canvas's width, which a text that goes to a side takes at most
_EFFECTS: tuple[Effect, ...] = ("stroke", "hollow", "shadow", "glow")
_CORNERS: dict[str, tuple[float | None, float | None]] = {
    "top left": (0.0, 0.0),
    "top": (None, 0.0),
    "top right": (1.0, 0.0),
    "left": (0.0, None),
    "center": (0.5, 0.5),
    "right": (1.0, None),
    "bottom left": (0.0, 1.0),
    "bottom": (None, 1.0),
    "bottom right": (1.0, 1.0),
}
"""Where a text may be moved to: the fraction of the free room that is left of it, and above it; None: it stays there."""
_OUTER, _MIDDLE = 0.28, 0.08  # chosen: of the canvas, where the middle of what stands at an edge may be; off the middle


@dataclass(frozen=True, eq=False)
class Edit:
    """What is to be done: an operation to ``target``, one of the ``texts`` on a canvas."""

    operation: Operation
    request: DrawRequest
    canvas: EditCanvas
    texts: Sequence[PlacedText]
    target: PlacedText

    @property
    def change(self) -> Change:
        """What is known of the change before it is made."""
        color = self.target.layer.style.color
        return Change(self.operation, before=self.target.text, color_before=color, several=len(self.texts) > 1)

    def layers(self, instead: PlacedText | None) -> tuple[Layer, ...]:
        """All layers of a picture, with ``instead`` in place of the target, or with nothing there."""
        texts = [instead if text is self.target else text for text in self.texts]
        return (*self.canvas.behind, *(text.layer for text in texts if text))

    def replaced(self, new: PlacedText, change: Change) -> Edited:
        """The pair in which ``new`` stands where the target was."""
        return Edited(self.layers(self.target), self.layers(new), change, self.canvas.ground, new)

    def restyled(self, style: TextStyle, change: Change) -> Edited:
        """The pair in which the target takes another style."""
        return self.replaced(replace(self.target, layer=replace(self.target.layer, style=style)), change)


@dataclass(frozen=True, eq=False)
class Edited:
    """The layers of both pictures, the change, the ground of the second picture and the text that is new in it."""

    before: tuple[Layer, ...]
    after: tuple[Layer, ...]
    change: Change
    ground: Ground | None
    new: PlacedText | None = None


def apply(edit: Edit) -> Edited:
    """Both pictures of a pair. Raises Undrawable where the operation cannot be done to this text."""
    return OPERATIONS[edit.operation](edit)


def _replace(edit: Edit) -> Edited:
    """Another text of the same language, in the same size, style, setting and place."""
    old = edit.target
    language, shown = old.shaped_text.text.tag, {text.text for text in edit.texts}
    for _ in range(_TRIES):
        text = edit.request.other_text(instead=old.shaped_text.text)
        wraps_alike = text.wrap == old.shaped_text.text.wrap
        about_alike = text.unit != "item" or text.topic == old.shaped_text.text.topic
        alike = wraps_alike and about_alike and _case(text.text) == _case(old.text)
        if alike and text.tag == language and text.text not in shown and not old.font.missing(text.text):
            try:
                new = place_text_like(edit.request, old, text, old.font, old.layer.block.face)
            except Undrawable:
                continue  # it does not fit; another may
            return edit.replaced(new, replace(edit.change, after=text.text))
    raise Undrawable("no other text of the same language that fits came up")


def _case(text: str) -> tuple[bool, bool]:
    """Whether it begins with a capital, and whether all of it is in capitals."""
    return text[:1].isupper(), text.isupper()


def _add(edit: Edit) -> Edited:
    """The target, on a canvas that had only the other texts."""
    target = edit.target
    color = target.layer.style.color
    style, place = target.layer.style, _named_place(edit)
    effect = style.effect if style.effect not in ("plain", "gradient") else None
    change = Change(edit.operation, after=target.text, color_after=color, place=place, effect=effect, edge=style.edge)
    return Edited(edit.layers(None), edit.layers(target), change, edit.canvas.ground)


def _remove(edit: Edit) -> Edited:
    return Edited(edit.layers(edit.target), edit.layers(None), edit.change, edit.canvas.ground)


def _recolor(edit: Edit) -> Edited:
    """Another color that can be read here, beside the text's own edge too; effects stay."""
    layer, rng = edit.target.layer, edit.request.rng
    style = layer.style
    edges = [style.stroke.rgb] if style.stroke and style.fill else []
    edges += [shadow.rgb for shadow in style.shadows if shadow.glows]
    others = [
        c
        for c in edit.canvas.colors
        if told_apart(c, style.color)
        and all(contrast(c.rgb, edge) >= OFF_FILL for edge in edges)
        and light_for(layer.light, [c]) is layer.light  # else the light on the letters would have to change
        and bears(layer.bend, c)
    ]
    if not others or style.to:
        raise Undrawable("no other color can be read here, or the text has two")
    color = others[int(rng.integers(len(others)))]
    recolored = replace(style, fill=color) if style.fill else replace(style, stroke=color)
    return edit.restyled(recolored, replace(edit.change, color_after=color))


def _restyle(edit: Edit) -> Edited:
    """An effect, in the same color, where there is none: two of them crowd the letters."""
    layer, request = edit.target.layer, edit.request
    old = layer.style
    if old.effects or layer.block.size < request.context.effects.min_size:
        raise Undrawable("the text has an effect, or is too small for one")
    for number in request.rng.permutation(len(_EFFECTS)):
        effect = _EFFECTS[number]
        config = EffectConfig(weights={effect: 1.0})
        new = pick_style(config, old.color, edit.canvas.shades, request.rng, lambda: stem(layer.block))
        open_enough = not new.stroke or clear_for_lines(layer.block)
        if new.effect == effect and open_enough and new.drawn_at(layer.block.size):
            return edit.restyled(new, replace(edit.change, effect=effect, edge=new.edge))
    raise Undrawable("no effect would be seen here")


def _move(edit: Edit) -> Edited:
    """To another corner, edge or the center, in its own size, clear of the other texts."""
    x0, y0, x1, y1 = edit.target.box()
    w, h = edit.canvas.canvas
    edge, gap = 0.08 * min(w, h), _APART * min(w, h)
    taken = [text.box() for text in edit.texts if text is not edit.target]
    if taken and edit.target is edit.texts[0]:
        raise Undrawable("the first text leads the others")
    places = []
    for name, (fx, fy) in _CORNERS.items():
        if fx is not None and taken:
            continue  # beside others it would leave their axis
        left = x0 if fx is None else edge + fx * (w - 2 * edge - (x1 - x0))
        top = y0 if fy is None else edge + fy * (h - 2 * edge - (y1 - y0))
        moved = (left - gap, top - gap, left + x1 - x0 + gap, top + y1 - y0 + gap)
        far = max(abs(left - x0) / w, abs(top - y0) / h) > _MIN_MOVE
        wide = fx is not None and x1 - x0 > _MOVABLE * w
        # A wide text in a corner stands in the middle as well, and words would not tell where it went.
        told = fx is None or fy is None or named_place((left, top, left + x1 - x0, top + y1 - y0), (w, h)) == name
        if far and told and not wide and not any(_overlap(moved, box) for box in taken):
            places.append((name, left - x0, top - y0))
    if not places:
        raise Undrawable("there is no free place to move the text to")
    name, dx, dy = places[int(edit.request.rng.integers(len(places)))]
    # Whole pixels, so that the glyphs are rasterized exactly as before.
    matrix = translation(round(dx), round(dy)) @ edit.target.layer.matrix
    moved_text = replace(edit.target, layer=replace(edit.target.layer, matrix=matrix))
    return edit.replaced(moved_text, replace(edit.change, place=name))


def _translate(edit: Edit) -> Edited:
    """The same in the other language, in a face of the same kind and weight that covers it, else nothing new."""
    old, rng = edit.target, edit.request.rng
    known = old.shaped_text.text
    other = known.counterpart
    text = replace(known, text=other, language=language_of(other), script="zh-Hans", counterpart=known.text)
    faces = edit.request.context.counterparts(text, old.font, old.layer.block.face)
    if not faces:
        raise Undrawable("no face of the same kind and weight has the translation")
    font, face = faces[choose(rng, [font.source.weight for font, _ in faces])]
    return edit.replaced(place_text_like(edit.request, old, text, font, face), replace(edit.change, after=other))


def _background(edit: Edit) -> Edited:
    """Another ground on which all texts can be read, under unchanged texts."""
    context, rng, old = edit.request.context, edit.request.rng, edit.canvas.ground
    if old is None:
        raise Undrawable("a photograph has no ground to change")
    colors = [text.layer.style.color for text in edit.texts]
    for _ in range(_TRIES):
        ground, _ = pick(context.colors, rng)
        names = {c.en for c in readable(context.colors, ground)}
        seen = all(text.layer.style.seen_on(shades_of(ground.colors)) for text in edit.texts)
        if seen and {c.en for c in ground.colors} != {c.en for c in old.colors} and all(c.en in names for c in colors):
            behind = ground_layers(ground, edit.canvas.canvas, rng)
            after = (*behind, *(text.layer for text in edit.texts))
            return Edited(edit.layers(edit.target), after, replace(edit.change, ground=ground), ground)
    raise Undrawable("no other ground suits all texts")


def _reconstruct(edit: Edit) -> Edited:
    """Nothing changes: the picture is to be reproduced."""
    layers = edit.layers(edit.target)
    return Edited(layers, layers, edit.change, edit.canvas.ground)


OPERATIONS: dict[Operation, Callable[[Edit], Edited]] = {
    "replace": _replace,
    "add": _add,
    "remove": _remove,
    "recolor": _recolor,
    "restyle": _restyle,
    "move": _move,
    "translate": _translate,
    "background": _background,
    "reconstruct": _reconstruct,
}


def _named_place(edit: Edit) -> str | None:
    """Where the target stands, in words; None on a photograph, and where words would not tell."""
    if edit.canvas.ground is None or edit.canvas.medium:
        return None
    return named_place(edit.target.box(), edit.canvas.canvas)


def named_place(box: Box, canvas: tuple[int, int]) -> str | None:
    """Where a box stands on a canvas (px), in words; None where they would not tell."""
    (x0, y0, x1, y1), (w, h) = box, canvas
    row, column = _third((y0 + y1) / 2 / h, "top", "bottom"), _third((x0 + x1) / 2 / w, "left", "right")
    if row is None or column is None or (row and column and not in_corner(box, canvas)):
        return None
    return f"{row} {column}".strip() or "center"


def _third(middle: float, low: str, high: str) -> str | None:
    """Where a text with its middle at 0..1 of the canvas stands; "" in its middle, None between."""
    if abs(middle - 0.5) < _MIDDLE:
        return ""
    return low if middle < _OUTER else high if middle > 1 - _OUTER else None


def _overlap(a: Box, b: Box) -> bool:
    return min(a[2], b[2]) > max(a[0], b[0]) and min(a[3], b[3]) > max(a[1], b[1])
