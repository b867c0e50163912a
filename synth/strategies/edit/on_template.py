"""Edit pairs of a designed picture: one of a template's texts replaced, added, removed or recolored, or nothing at all.

    Sheet: shapes, texts ──pick a text──> layers before and after, the change

Other words come from the same place of the template, drawn once more, and are set in the same face and size.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from synth.content.base import Text
from synth.drawing.colors import PALETTE, contrast, told_apart
from synth.drawing.layers import Layer, PictureLayer, TextLayer
from synth.errors import Undrawable
from synth.geometry import Box
from synth.strategies.base import Change, DrawRequest
from synth.strategies.edit.operations import Edited, Operation, named_place
from synth.strategies.template.expand import Item
from synth.strategies.template.nodes import MINOR_ROLES
from synth.strategies.template.render import Sheet, lay_out
from synth.strategies.template.strategy import TemplateDrawer
from synth.strategies.template.texts import Pending

_LONGEST = 60  # chosen: characters of a text that an instruction quotes
_LARGE = 12.0  # chosen, px: smaller text is not edited
_FREE = frozenset(
    [
        "name",
        "author",
        "signature",
        "seat",
        "speaker",
        "artist",
    ]
)
"""Roles of which another text is as true as the one that stands there, if nothing else repeats it."""
_TRIES = 12  # times that the facts of a template are drawn for other words
_LISTED = 3  # texts of one role that are a list
_SHORT = 3  # letters of a word that may come anywhere
_CONTRAST = 4.5  # WCAG contrast of a recolored text to what is behind it


@dataclass(frozen=True, eq=False)
class TemplatePair:
    """A pair, the text that was edited, the sheet, and the template's name."""

    edited: Edited
    text: Text
    sheet: Sheet
    family: str


@dataclass(frozen=True, eq=False)
class _Target:
    """The text to edit. ``shown``: what every other text of the sheet says."""

    sheet: Sheet
    pending: Pending
    layer: TextLayer
    shown: frozenset[str]
    rng: np.random.Generator

    @property
    def said(self) -> str:
        return _said(self.pending)

    def layers(self, instead: TextLayer | None) -> tuple[Layer, ...]:
        """All layers, with ``instead`` in place of the target or nothing."""
        layers = [instead if layer is self.layer else layer for layer in self.sheet.layers()]
        return tuple(layer for layer in layers if layer)


def template_pair(request: DrawRequest, drawer: TemplateDrawer, operation: Operation) -> TemplatePair:
    """A pair on a template. Raises Undrawable where nothing of it can be edited so."""
    family, canvas, language = drawer.chosen(request)
    sheet = lay_out(request.context, family, drawer.templates[family][0], canvas, language, request.rng, drawer.photos)
    counts = Counter(_said(pending) for pending, _ in sheet.texts)
    told = "\n".join(_said(pending) for pending, _ in sheet.texts)  # a word of a longer text would be meant as well
    alone = [(p, layer) for p, layer in sheet.texts if counts[_said(p)] == 1 and told.count(_said(p)) == 1]
    able = [(p, layer) for p, layer in alone if _may_be_edited(p, layer, operation)]
    if operation == "remove":  # of a list, what is left beside it would stand there without a sense
        roles = Counter(layer.role for _, layer in sheet.texts)
        able = [(p, layer) for p, layer in able if roles[layer.role] < _LISTED] or able
    if not able:
        raise Undrawable("no text of the template can be edited")
    pending, layer = able[int(request.rng.integers(len(able)))]
    target = _Target(sheet, pending, layer, frozenset(counts) - {_said(pending)}, request.rng)
    before, after, change = ON_TEMPLATES[operation](target)
    text = Text(target.said, language, "line", f"slots-{language}")
    return TemplatePair(Edited(before, after, replace(change, several=True), sheet.ground()), text, sheet, family)


_Pair = tuple[tuple[Layer, ...], tuple[Layer, ...], Change]


def _replace(target: _Target) -> _Pair:
    if any(word in " ".join(target.shown).lower() for word in _words(target.said)):
        raise Undrawable("the text is told elsewhere on the template too")
    for _ in range(_TRIES):
        others = {item.said for item in _items(target.sheet.expanded()) if item.node is target.pending.node}
        for said in sorted(others - {target.said} - target.shown):
            new = target.sheet.again(target.pending, said, target.layer.block.size) if _agrees_with_all(said) else None
            if new:
                layer = target.sheet.set(new, target.layer.block.size)
                layer = replace(layer, style=target.layer.style)
                change = Change("replace", before=target.said, after=said, color_before=target.layer.style.color)
                return target.layers(target.layer), target.layers(layer), change
    raise Undrawable("no other text fits the template here")


def _add(target: _Target) -> _Pair:
    place = named_place(target.layer.bounds(), target.sheet.canvas)
    if place is None or not _outermost(target, place):
        raise Undrawable("nothing would say where the text goes")
    change = Change("add", after=target.said, color_after=target.layer.style.color, place=place)
    return target.layers(None), target.layers(target.layer), change


def _outermost(target: _Target, place: str) -> bool:
    """Whether no other text stands further towards the edge that a place names."""
    others = [layer.bounds() for _, layer in target.sheet.texts if layer is not target.layer]
    _, top, _, bottom = target.layer.bounds()
    above = any(box[3] <= top for box in others)
    below = any(box[1] >= bottom for box in others)
    return not ("top" in place and above) and not ("bottom" in place and below)


def _remove(target: _Target) -> _Pair:
    change = Change("remove", before=target.said, color_before=target.layer.style.color)
    return target.layers(target.layer), target.layers(None), change


def _recolor(target: _Target) -> _Pair:
    """Another color of the palette that can be read where the text stands."""
    old, box = target.layer.style.color, target.layer.bounds()
    pictures = [layer for layer in target.sheet.layers() if isinstance(layer, PictureLayer)]
    if any(_meets(box, picture) for picture in pictures):
        raise Undrawable("on a photograph no color is sure to be read")
    behind = target.sheet.behind(target.pending.box)
    others = [c for c in PALETTE.values() if c.en != old.en and contrast(c.rgb, behind) >= _CONTRAST]
    others = [c for c in others if told_apart(c, old)]
    if not others:
        raise Undrawable("no other color can be read here")
    color = others[int(target.rng.integers(len(others)))]
    layer = replace(target.layer, style=replace(target.layer.style, fill=color))
    change = Change("recolor", before=target.said, color_before=old, color_after=color)
    return target.layers(target.layer), target.layers(layer), change


def _reconstruct(target: _Target) -> _Pair:
    layers = target.layers(target.layer)
    return layers, layers, Change("reconstruct", before=target.said)


ON_TEMPLATES: dict[Operation, Callable[[_Target], _Pair]] = {
    "replace": _replace,
    "add": _add,
    "remove": _remove,
    "recolor": _recolor,
    "reconstruct": _reconstruct,
}
"""What can be done to a template: a design has no free place to move a text to, and one ground for all."""


def _may_be_edited(pending: Pending, layer: TextLayer, operation: Operation) -> bool:
    said = _said(pending)
    if layer.role in MINOR_ROLES or len(said) > _LONGEST or layer.block.size < _LARGE or len(said.strip()) < 2:
        return False
    # Of a menu's section or a slide's point another one would contradict what stands below it.
    return operation != "replace" or ((not pending.bound or layer.role in _FREE) and _agrees_with_all(said))


def _agrees_with_all(said: str) -> bool:
    """Whether other words would leave the rest true: numbers, addresses and names on the web belong together."""
    return not any(character.isdigit() or character in "@/:：¥$%" for character in said)


def _words(said: str) -> list[str]:
    """What would tell that another text speaks of the same: longer words, pairs of Chinese characters."""
    words = [word.lower() for word in said.split() if len(word) > _SHORT]
    return words if words and words[0].isascii() else [said[k : k + 2] for k in range(len(said) - 1)]


def _said(pending: Pending) -> str:
    return " ".join(pending.shaped.paragraphs)


def _items(item: Item) -> list[Item]:
    return [item, *(found for child in item.children for found in _items(child))]


def _meets(box: Box, picture: PictureLayer) -> bool:
    (x, y), (h, w) = picture.matrix[:2, 2], picture.pixels.shape[:2]
    return min(box[2], x + w) > max(box[0], x) and min(box[3], y + h) > max(box[1], y)
