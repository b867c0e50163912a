"""The boxes of a group's children: sizes, lengths of what is in them, shares of what is left.

Item, box ──parts──> [(child, its box)]
"""

from __future__ import annotations

from collections.abc import Sequence

from synth.errors import Undrawable
from synth.geometry import Box
from synth.strategies.template.expand import Item
from synth.strategies.template.nodes import Group, TextNode
from synth.strategies.template.texts import Typesetter

_MIN_SQUEEZE = 0.75  # where a canvas is too small for fixed sizes, they may shrink to this fraction
_SCALES = (1.0, 0.8, 0.6, 0.4, 0.2, 0.0)  # type sizes that are tried where children are as long as their texts
_FLOW = 1.15  # width to height from which on a flow is a row
_JUSTIFIED = {"start": 0.0, "center": 0.5, "end": 1.0, "spread": 0.0}
_WIDEST = 9.0  # u: no more than this comes between children that are spread; the rest stays below them


def parts(item: Item, box: Box, u: float, texts: Typesetter) -> list[tuple[Item, Box]]:
    """The children of a group with the box (px) of each. Raises Undrawable where they do not fit."""
    node, children = item.node, list(item.children)
    assert isinstance(node, Group)
    if node.kind == "stack" or not children:
        return [(child, box) for child in children]
    axis = _axis(node, box)
    lengths = _lengths(item, children, box, axis, u, texts)
    while lengths is None and node.drop and len(children) > node.drop:
        children.pop()
        lengths = _lengths(item, children, box, axis, u, texts)
    if lengths is None:
        raise Undrawable(f"a {node.kind} of {len(children)} does not fit its place")
    gap = node.gap * u
    left = max(box[axis + 2] - box[axis] - sum(lengths) - gap * (len(children) - 1), 0.0)
    at = box[axis] + left * _JUSTIFIED[node.justify]
    if node.justify == "spread":
        gap += min(left / max(len(children) - 1, 1), _WIDEST * u)
    found = []
    for child, length in zip(children, lengths, strict=True):
        part = (at, box[1], at + length, box[3]) if axis == 0 else (box[0], at, box[2], at + length)
        found.append((child, part))
        at += length + gap
    return found


def _axis(node: Group, box: Box) -> int:
    wide = box[2] - box[0] > _FLOW * (box[3] - box[1])
    return 0 if node.kind == "row" or (node.kind == "flow" and wide) else 1


def _lengths(
    item: Item, children: Sequence[Item], box: Box, axis: int, u: float, texts: Typesetter
) -> list[float] | None:
    """Px along the axis for each child, None where there is no room for them."""
    node = item.node
    assert isinstance(node, Group)
    room = box[axis + 2] - box[axis] - node.gap * u * (len(children) - 1)
    across = box[3 - axis] - box[1 - axis]
    fixed = sum(child.node.size * u for child in children if child.node.size is not None and not child.node.fit)
    flex = sum(child.flex for child in children if child.node.size is None and not child.node.fit)
    shrink = min(1.0, room / fixed) if fixed else 1.0
    if shrink < _MIN_SQUEEZE:
        return None
    for scale in _SCALES:
        fits = [_natural(child, across, room, axis, u, texts, scale) if child.node.fit else 0.0 for child in children]
        left = room - fixed * shrink - sum(fits)
        if left >= (0.03 * room if flex else -0.01):
            break
        if not any(child.node.fit for child in children):
            return None
    else:
        return None
    return [
        fits[k] if c.node.fit else c.node.size * u * shrink if c.node.size is not None else left * c.flex / flex
        for k, c in enumerate(children)
    ]


def _natural(item: Item, across: float, room: float, axis: int, u: float, texts: Typesetter, scale: float) -> float:
    return _natural_height(item, across, u, texts, scale) if axis else min(_natural_width(item, u, texts, scale), room)


def _natural_height(item: Item, width: float, u: float, texts: Typesetter, scale: float) -> float:
    """Px that an item takes from top to bottom in ``width`` px at a scale of type sizes."""
    node, pad = item.node, 2 * item.node.pad * u
    inner = width - pad
    if isinstance(node, TextNode):
        return pad + texts.height(node, item.said, inner, u, scale)
    if not isinstance(node, Group) or not item.children:
        return pad + (node.size or 0.0) * u
    gaps = node.gap * u * (len(item.children) - 1)
    if node.kind == "row":
        widths = _lengths(item, item.children, (0.0, 0.0, inner, inner), 0, u, texts)
        if widths is None:
            return float("inf")
        return pad + max(_natural_height(c, w, u, texts, scale) for c, w in zip(item.children, widths, strict=True))
    heights = [
        c.node.size * u if c.node.size is not None and not c.node.fit else _natural_height(c, inner, u, texts, scale)
        for c in item.children
    ]
    return pad + (max(heights) if node.kind == "stack" else sum(heights) + gaps)


def _natural_width(item: Item, u: float, texts: Typesetter, scale: float) -> float:
    """Px that an item takes from left to right with each text on one line."""
    node, pad = item.node, 2 * item.node.pad * u
    if isinstance(node, TextNode):
        return pad + texts.width(node, item.said, u, scale)
    if not isinstance(node, Group) or not item.children:
        return pad + (node.size or 0.0) * u
    widths = [
        c.node.size * u if node.kind == "row" and c.node.size is not None else _natural_width(c, u, texts, scale)
        for c in item.children
    ]
    return pad + (sum(widths) + node.gap * u * (len(widths) - 1) if node.kind == "row" else max(widths))


def inner_box(box: Box, by: float) -> Box:
    """A box without a border of ``by`` px."""
    return (box[0] + by, box[1] + by, box[2] - by, box[3] - by)


def ratio_box(box: Box, ratio: tuple[float, float]) -> Box:
    """The largest box in the middle of another whose width to height lies in ``ratio``."""
    width, height = box[2] - box[0], box[3] - box[1]
    width, height = min(width, height * ratio[1]), min(height, width / ratio[0])
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return (x - width / 2, y - height / 2, x + width / 2, y + height / 2)
