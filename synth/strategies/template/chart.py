"""Charts of a series: bars, a line, a pie, with ticks, names, a unit and a legend.

chart(kind, names, values, unit, box, ...) ──> shapes, labels with their boxes
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from synth.drawing.colors import RGB, Color
from synth.drawing.layers import ShapeLayer
from synth.geometry import Box
from synth.language import is_han

_TIME = re.compile(
    r"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec|Mon|Tue|Wed|Thu|Fri|Sat|Sun|Spring|Summer|Autumn|Winter)|周.|.季|.*[0-9].*"
)
ChartKind = Literal["bars", "line", "pie"]
_LEGEND = 4.0  # chosen, u: type of a legend, by which its width is guessed
_TICKS = 4  # at least so many steps of the axis up to the largest value


@dataclass(frozen=True)
class Label:
    """A text of a chart and the box it has. ``role``: label (under a bar), tick (at the axis), legend, unit (over the axis)."""

    text: str
    box: Box
    role: Literal["label", "tick", "legend", "unit"]


def follow(names: Sequence[str]) -> bool:
    """Whether names are times, which a line may connect; of towns or subjects it would claim a course that is none."""
    return all(map(_TIME.fullmatch, names))


def chart(
    kind: ChartKind,
    names: Sequence[str],
    values: np.ndarray,
    unit: str,
    box: Box,
    u: float,
    hues: Sequence[Color],
    axis: RGB,
) -> tuple[list[ShapeLayer], list[Label]]:
    """Shapes and labels in ``box`` (px). ``u``: px of a hundredth of the canvas's shorter side; ``values``: 0 or more."""
    if kind == "pie":
        return _pie(names, values, box, u, hues)
    step = nice_step(float(values.max()))
    top = step * math.ceil(float(values.max()) / step)
    shapes, labels, plot = _frame(names, unit, box, u, axis, step, top)
    x0, y0, x1, y1 = plot
    width = (x1 - x0) / len(names)
    tops = [(x0 + (k + 0.5) * width, y1 - (y1 - y0) * float(v) / top) for k, v in enumerate(values)]
    if kind == "bars":
        shapes += [ShapeLayer("rect", (x - 0.3 * width, y, x + 0.3 * width, y1), fill=hues[0].rgb) for x, y in tops]
        return shapes, labels
    flat = tuple(v for point in tops for v in point)
    shapes.append(ShapeLayer("line", flat, stroke=hues[0].rgb, width=max(0.7 * u, 1.2)))
    r = max(0.9 * u, 1.5)
    shapes += [ShapeLayer("ellipse", (x - r, y - r, x + r, y + r), fill=hues[0].rgb) for x, y in tops]
    return shapes, labels


def nice_step(largest: float) -> float:
    """A step of 1, 2 or 5 times a power of ten, so that an axis to ``largest`` has about four to eight of them."""
    rough = largest / _TICKS
    power = 10 ** math.floor(math.log10(rough))
    return max(m * power for m in (1, 2, 5) if m * power <= rough)


def _frame(
    names: Sequence[str], unit: str, box: Box, u: float, axis: RGB, step: float, top: float
) -> tuple[list[ShapeLayer], list[Label], Box]:
    """Axes with ticks, names and the unit, and the box inside them."""
    x0, y0, x1, y1 = box
    left, under = x0 + 11 * u, y1 - 7 * u
    plot = (left, y0 + (9 if unit else 3) * u, x1 - 2 * u, under)
    shapes, scale = [], []
    ticks = round(top / step)
    for k in range(ticks + 1):
        y = under - (under - plot[1]) * k / ticks
        shapes.append(
            ShapeLayer("line", (left, y, plot[2], y), stroke=axis, width=0.25 * u if k else 0.5 * u, alpha=0.7)
        )
        half = min(2 * u, 0.48 * (under - plot[1]) / ticks)
        scale.append(Label(f"{k * step:,g}", (x0, y - half, left - 1.2 * u, y + half), "tick"))
    labels = [Label(unit, (x0, y0, x1, y0 + 4.5 * u), "unit")] if unit else []
    labels += reversed(scale)  # as they are read, from the top down
    width = (plot[2] - left) / len(names)
    for k, name in enumerate(names):
        labels.append(Label(name, (left + (k + 0.04) * width, under + u, left + (k + 0.96) * width, y1), "label"))
    return shapes, labels, plot


def _pie(
    names: Sequence[str], values: np.ndarray, box: Box, u: float, hues: Sequence[Color]
) -> tuple[list[ShapeLayer], list[Label]]:
    x0, y0, x1, y1 = box
    wide = x1 - x0 > y1 - y0
    r = 0.46 * min((x1 - x0) * (0.55 if wide else 1), (y1 - y0) * (1 if wide else 0.55))
    shares = whole_shares(values)
    said = [f"{name} {share}%" for name, share in zip(names, shares, strict=True)]
    if wide:  # the pie and its legend as a whole in the middle
        legend = min(max(map(_em, said)) * _LEGEND * u, x1 - x0 - 2 * r - 10 * u)
        x0 += max((x1 - x0 - 2 * r - 10 * u - legend) / 2, 0.0)
    cx, cy = (x0 + r + u, (y0 + y1) / 2) if wide else ((x0 + x1) / 2, y0 + r + u)
    ends = np.concatenate(([0.0], np.cumsum(values / values.sum()))) * 2 * math.pi - math.pi / 2
    colors = _tones(hues, len(names))
    shapes, labels = [], []
    left, top = (cx + r + 4 * u, y0 + 2 * u) if wide else (x0 + 4 * u, cy + r + 3 * u)
    row = min((y1 - top - u) / len(names), 9 * u)
    top = (y0 + y1 - len(names) * row) / 2 if wide else top  # beside the middle of the pie
    for k, text in enumerate(said):
        turn = np.linspace(ends[k], ends[k + 1], 24)
        arc = [(cx + r * math.cos(t), cy + r * math.sin(t)) for t in turn]
        points = (cx, cy, *(v for point in arc for v in point))
        shapes.append(ShapeLayer("polygon", points, fill=colors[k], stroke=(255, 255, 255), width=0.4 * u))
        y = top + k * row
        side = 0.5 * row
        shapes.append(ShapeLayer("rect", (left, y + 0.25 * row, left + side, y + 0.25 * row + side), fill=colors[k]))
        labels.append(Label(text, (left + side + 1.5 * u, y, x1, y + row), "legend"))
    return shapes, labels


def _em(text: str) -> float:
    """About how wide a text is, em."""
    return sum(1.0 if is_han(character) else 0.55 for character in text)


def whole_shares(values: np.ndarray) -> list[int]:
    """Percentages without decimals that sum to 100: the largest remainders are rounded up."""
    exact = 100 * values / values.sum()
    shares = np.floor(exact).astype(int)
    for k in np.argsort(shares - exact, kind="stable")[: 100 - int(shares.sum())]:
        shares[k] += 1
    return [int(share) for share in shares]


def _tones(hues: Sequence[Color], count: int) -> list[RGB]:
    """As many colors as slices: the hues in turn, lighter in each round."""
    found = []
    for k in range(count):
        lift = 0.35 * (k // len(hues))
        r, g, b = (int(v + (255 - v) * lift) for v in hues[k % len(hues)].rgb)
        found.append((r, g, b))
    return found
