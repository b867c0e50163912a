"""Media that stand: a billboard on its posts, the front of a shop, a laptop in use. Flat, so drawn as shapes.

Shapes, proportions and colors are chosen.
"""

from __future__ import annotations

import numpy as np

from synth.drawing.colors import luminance
from synth.drawing.layers import PictureLayer, ShapeLayer
from synth.strategies.scene.carrier import Carrier, any_color, dimmed, inks_on


def billboard(w: float, h: float, rng: np.random.Generator) -> Carrier:
    """A large board on two posts, with lamps along its upper edge."""
    color = any_color(
        rng, ("white", "white", "red", "dark blue", "yellow", "light blue", "black", "orange", "dark green")
    )
    board, edge = 0.66 * h, 0.018 * w
    top = 0.06 * h
    posts = [
        ShapeLayer("rect", (x * w, top + board, (x + 0.045) * w, 1.02 * h), fill=(84, 86, 90), to=(58, 60, 64))
        for x in (0.2, 0.755)
    ]
    braces = [
        ShapeLayer("line", (0.2225 * w, a * h, 0.7775 * w, b * h), stroke=(74, 76, 80), width=0.012 * w)
        for a, b in ((0.76, 0.94), (0.94, 0.76))
    ]
    lamps = [
        layer
        for x in (0.2, 0.5, 0.8)
        for layer in (
            ShapeLayer("line", (x * w, top, x * w, 0.02 * h), stroke=(60, 62, 66), width=0.01 * w),
            ShapeLayer("ellipse", ((x - 0.03) * w, 0.005 * h, (x + 0.03) * w, 0.03 * h), fill=(240, 236, 214)),
        )
    ]
    panel = [
        ShapeLayer("rect", (0, top, w, top + board), fill=(52, 54, 58)),
        ShapeLayer("rect", (edge, top + edge, w - edge, top + board - edge), fill=color.rgb),
    ]
    room = (0.07 * w, top + 0.1 * board, 0.93 * w, top + 0.9 * board)
    return Carrier((*braces, *posts, *lamps, *panel), room, (color,), inks_on(color), 0.0, shaped=True)


def storefront(w: float, h: float, rng: np.random.Generator) -> Carrier:
    """The front of a shop: its sign over an awning, a window and a door."""
    color = any_color(rng, ("dark green", "dark blue", "dark red", "black", "white", "brown", "yellow"))
    wall = ((196, 170, 146), (168, 96, 78), (222, 216, 204), (120, 124, 130))[int(rng.integers(4))]
    stripe = any_color(rng, ("red", "dark green", "blue", "orange", "dark blue")).rgb
    layers = [ShapeLayer("rect", (0, 0, w, 1.02 * h), fill=wall, to=dimmed(wall, 0.86))]
    sign = (0.04 * w, 0.04 * h, 0.96 * w, 0.37 * h)
    layers += [
        ShapeLayer(
            "rect",
            (sign[0], sign[1] + 0.012 * h, sign[2], sign[3] + 0.02 * h),
            fill=(0, 0, 0),
            alpha=0.4,
            blur=0.01 * h,
        ),
        ShapeLayer("rect", sign, fill=color.rgb),
        ShapeLayer(
            "rect",
            sign,
            stroke=dimmed(color.rgb, 0.6) if luminance(color.rgb) > 0.1 else (200, 176, 110),
            width=0.012 * h,
        ),
    ]
    inside = ((62, 58, 50), (70, 76, 84), (92, 78, 56))[int(rng.integers(3))]
    window, door = (0.08 * w, 0.54 * h, 0.62 * w, 0.92 * h), (0.7 * w, 0.5 * h, 0.92 * w, 1.02 * h)
    if rng.random() < 0.5:
        window, door = _mirrored(window, w), _mirrored(door, w)
    for box in (window, door):
        layers.append(ShapeLayer("rect", box, fill=inside, to=dimmed(inside, 0.6)))
        layers += _glare(box)
        layers.append(ShapeLayer("rect", box, stroke=(236, 232, 224), width=0.014 * w))
    middle = (window[0] + window[2]) / 2
    layers.append(ShapeLayer("line", (middle, window[1], middle, window[3]), stroke=(236, 232, 224), width=0.01 * w))
    knob = door[0] + 0.03 * w
    layers.append(ShapeLayer("ellipse", (knob, 0.74 * h, knob + 0.022 * w, 0.74 * h + 0.022 * w), fill=(214, 180, 90)))
    layers += _awning(w, h, stripe)
    room = (sign[0] + 0.04 * w, sign[1] + 0.025 * h, sign[2] - 0.04 * w, sign[3] - 0.025 * h)
    return Carrier(tuple(layers), room, (color,), inks_on(color), 0.0, shaped=True)


def laptop(w: float, h: float, rng: np.random.Generator) -> Carrier:
    """A laptop whose screen shows a window."""
    color = any_color(rng, ("white", "white", "light gray", "black", "dark blue"))
    dark = sum(color.rgb) < 380
    case = ((196, 198, 202), (60, 62, 66), (226, 220, 208))[int(rng.integers(3))]
    screen = (0.1 * w, 0.0, 0.9 * w, 0.8 * h)
    edge = 0.018 * w
    x0, y0, x1, y1 = screen[0] + edge, screen[1] + edge, screen[2] - edge, screen[3] - edge
    bar = 0.07 * h
    layers = [
        ShapeLayer("rect", (0.0, 0.9 * h, 1.0 * w, 1.01 * h), fill=(0, 0, 0), alpha=0.5, blur=0.02 * h),
        ShapeLayer("rect", screen, fill=(20, 21, 23), radius=edge),
        ShapeLayer("rect", (x0, y0, x1, y1), fill=color.rgb),
        ShapeLayer("rect", (x0, y0, x1, y0 + bar), fill=(58, 60, 66) if dark else (222, 224, 228)),
        *(
            ShapeLayer(
                "ellipse", (x0 + (0.4 + n) * bar, y0 + 0.3 * bar, x0 + (0.8 + n) * bar, y0 + 0.7 * bar), fill=rgb
            )
            for n, rgb in enumerate(((237, 106, 94), (245, 191, 79), (98, 197, 84)))
        ),
        ShapeLayer(
            "polygon",
            (0.1 * w, 0.785 * h, 0.9 * w, 0.785 * h, w, 0.96 * h, 0, 0.96 * h),
            fill=case,
            to=dimmed(case, 0.86),
        ),
        *_keys(w, h, case),
        ShapeLayer(
            "polygon", (0, 0.96 * h, w, 0.96 * h, 0.985 * w, 0.99 * h, 0.015 * w, 0.99 * h), fill=dimmed(case, 0.6)
        ),
    ]
    room = (x0 + 0.03 * w, y0 + bar + 0.03 * h, x1 - 0.03 * w, y1 - 0.03 * h)
    return Carrier(tuple(layers), room, (color,), inks_on(color), 0.0, lit=False, shaped=True)


def _mirrored(box: tuple[float, float, float, float], w: float) -> tuple[float, float, float, float]:
    return w - box[2], box[1], w - box[0], box[3]


def _glare(box: tuple[float, float, float, float]) -> list[ShapeLayer]:
    """Two slanting reflections on a pane."""
    x0, y0, x1, y1 = box
    wide, down = x1 - x0, y1 - y0
    return [
        ShapeLayer(
            "polygon",
            (
                x0 + a * wide,
                y0,
                x0 + b * wide,
                y0,
                x0 + (b - 0.25) * wide,
                y0 + down,
                x0 + (a - 0.25) * wide,
                y0 + down,
            ),
            fill=(255, 255, 255),
            alpha=alpha,
        )
        for a, b, alpha in ((0.45, 0.65, 0.12), (0.75, 0.83, 0.08))
    ]


def _awning(w: float, h: float, stripe: tuple[int, int, int]) -> list[ShapeLayer]:
    """A striped awning that leans out over the window, and its shadow."""
    top, bottom, count = 0.4 * h, 0.51 * h, 12
    layers = [
        ShapeLayer("rect", (0.05 * w, bottom, 0.95 * w, bottom + 0.05 * h), fill=(0, 0, 0), alpha=0.35, blur=0.015 * h)
    ]
    above, below = np.linspace(0.05 * w, 0.95 * w, count + 1), np.linspace(0.02 * w, 0.98 * w, count + 1)
    for n in range(count):
        a, b, c, d = above[n], above[n + 1], below[n + 1], below[n]
        rgb = stripe if n % 2 else (244, 240, 230)
        layers += [
            ShapeLayer("ellipse", (d, bottom - 0.025 * h, c, bottom + 0.025 * h), fill=dimmed(rgb, 0.86)),
            ShapeLayer("polygon", (a, top, b, top, c, bottom, d, bottom), fill=rgb, to=dimmed(rgb, 0.86)),
        ]
    return layers


def _keys(w: float, h: float, case: tuple[int, int, int]) -> list[ShapeLayer | PictureLayer]:
    """Rows of keys on the slope of the keyboard."""
    keys: list[ShapeLayer | PictureLayer] = []
    for row in range(4):
        y = (0.8 + 0.032 * row) * h
        spread = (y / h - 0.785) / 0.175 * 0.1
        left, right = (0.16 - spread) * w, (0.84 + spread) * w
        step = (right - left) / 13
        keys += [
            ShapeLayer(
                "rect", (left + (n + 0.1) * step, y, left + (n + 0.9) * step, y + 0.024 * h), fill=dimmed(case, 0.4)
            )
            for n in range(13)
        ]
    return keys
