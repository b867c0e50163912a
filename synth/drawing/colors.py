"""Colors that have a name in both languages, and enough contrast between text and ground.

A caption may say "orange" only when orange is what is drawn: every color comes from ``PALETTE`` and
``vary`` moves it by a few steps, which leaves its name true.
"""

from __future__ import annotations

import colorsys
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal

import numpy as np

from synth.choice import check_weights, choose_key

RGB = tuple[int, int, int]
Background = Literal["plain", "gradient", "paper"]
_APART = 38.0  # chosen: distance in CIELAB
_BLACKISH, _WHITISH = 28.0, 92.0  # chosen: L* of CIELAB
_FULL = 0.45  # chosen: of its brightest channel, what a color has over its darkest one; less is pale or gray
_GRAY = (40, 200)  # chosen: brightest channel of a gray that is neither nearly black nor nearly white
_TINTED = 20  # chosen: of 255, from the darkest to the brightest channel; less is seen as gray
_NEAR, _ONE_WAY = 0.18, 0.25  # chosen, of the color circle: between dark colors, and between any
_DUSKY = 0.12  # chosen: luminance of a dark color
_PAPERS = ("white", "light yellow", "beige", "light gray", "light blue", "light green", "pink")


@dataclass(frozen=True)
class Color:
    """A palette entry as drawn: its names and the exact sRGB value."""

    en: str
    zh: str
    rgb: RGB


PALETTE = {
    color.en: color
    for color in (
        Color("white", "白色", (255, 255, 255)),
        Color("black", "黑色", (0, 0, 0)),
        Color("gray", "灰色", (128, 128, 128)),
        Color("light gray", "浅灰色", (217, 217, 217)),
        Color("dark gray", "深灰色", (64, 64, 64)),
        Color("red", "红色", (214, 30, 36)),
        Color("dark red", "深红色", (128, 14, 22)),
        Color("orange", "橙色", (245, 130, 20)),
        Color("yellow", "黄色", (255, 221, 36)),
        Color("light yellow", "浅黄色", (255, 252, 160)),
        Color("green", "绿色", (28, 142, 56)),
        Color("dark green", "深绿色", (10, 74, 38)),
        Color("light green", "浅绿色", (192, 235, 190)),
        Color("blue", "蓝色", (26, 84, 200)),
        Color("dark blue", "深蓝色", (14, 34, 104)),
        Color("light blue", "浅蓝色", (186, 220, 248)),
        Color("purple", "紫色", (122, 40, 160)),
        Color("light purple", "浅紫色", (220, 190, 250)),
        Color("pink", "粉色", (255, 184, 204)),
        Color("brown", "棕色", (112, 66, 30)),
        Color("beige", "米色", (242, 220, 182)),
    )
}


@dataclass(frozen=True)
class ColorConfig:
    """Which colors a recipe uses. Empty lists mean the whole palette."""

    contrast: float = 4.5  # least WCAG 2 contrast ratio of text to every ground color, 1..21
    text: tuple[str, ...] = ()
    ground: tuple[str, ...] = ()
    vary: int = 6  # each channel moves by at most this many of 255 steps
    backgrounds: dict[Background, float] = field(default_factory=lambda: {"plain": 1.0})

    def __post_init__(self) -> None:
        if not 1 <= self.contrast <= 21:
            raise ValueError(f"contrast must be within 1..21, found {self.contrast:g}")
        if not 0 <= self.vary <= 10:
            raise ValueError(f"vary must be within 0..10 so that names stay true, found {self.vary}")
        for names in ("text", "ground"):
            for name in getattr(self, names):
                if name not in PALETTE:
                    raise ValueError(f"{names}: unknown color '{name}'; allowed: {', '.join(PALETTE)}")
        check_weights("backgrounds", self.backgrounds)
        for kind in self.backgrounds:
            if not _usable(kind, self.ground, self.text, self.contrast):
                raise ValueError(f"contrast {self.contrast:g}: no text color reaches it on a {kind} ground")


@dataclass(frozen=True)
class Ground:
    """A drawn background: one color, or a linear gradient from the first to the second.

    ``angle``: direction of the gradient in degrees, 0 to the right, 90 downwards.
    """

    colors: tuple[Color, ...]
    angle: float = 0.0
    paper: bool = False  # with the unevenness and fibers of paper


def pick(config: ColorConfig, rng: np.random.Generator) -> tuple[Ground, Color]:
    """Draw a ground and a text color with the configured contrast between them."""
    kind = choose_key(rng, config.backgrounds)
    pairs = _usable(kind, config.ground, config.text, config.contrast)
    pair, texts = pairs[int(rng.integers(len(pairs)))]
    text = texts[int(rng.integers(len(texts)))]
    angle = float(rng.choice([0.0, 45.0, 90.0, 135.0]))
    varied = tuple(_vary(c, config.vary, rng) for c in (*pair, text))
    drawn = varied if _on(varied[-1], varied[:-1], config.contrast) else (*pair, text)
    return Ground(drawn[:-1], angle, kind == "paper"), drawn[-1]


def readable(config: ColorConfig, ground: Ground) -> list[Color]:
    """Text colors with the configured contrast to a ground."""
    return [c for c in (PALETTE[n] for n in config.text or PALETTE) if _on(c, ground.colors, config.contrast)]


def pick_other(config: ColorConfig, ground: Ground, color: Color, rng: np.random.Generator) -> Color:
    """Another text color for the same ground, for a heading; now and then the same one."""
    fitting = readable(config, ground)
    if not fitting or rng.random() < 0.3:
        return color
    return fitting[int(rng.integers(len(fitting)))]


@lru_cache(maxsize=64)
def _usable(
    kind: str, grounds: tuple[str, ...], texts: tuple[str, ...], min_contrast: float
) -> list[tuple[tuple[Color, ...], list[Color]]]:
    """Grounds of a kind, each with the text colors that have at least ``min_contrast`` to all of it."""
    colors = [PALETTE[name] for name in grounds or PALETTE]
    if kind == "paper":
        colors = [c for c in colors if c.en in _PAPERS]
    pairs: list[tuple[Color, ...]] = [(color,) for color in colors]
    if kind == "gradient":
        both = [(a, b) for a in colors for b in colors if a is not b]
        pairs = [*((a, b) for a, b in both if not muddy(a.rgb, b.rgb))] or [*both]
    found = [
        (pair, [t for t in (PALETTE[n] for n in texts or PALETTE) if _on(t, pair, min_contrast)]) for pair in pairs
    ]
    return [(pair, readable) for pair, readable in found if readable]


def _on(text: Color, grounds: tuple[Color, ...], min_contrast: float) -> bool:
    """Readable on all of ``grounds`` and between them; a gradient's middle can be darker than both its ends."""
    shades = shades_of(grounds)
    sides = {luminance(text.rgb) > luminance(shade) for shade in shades}
    return len(sides) == 1 and all(contrast(text.rgb, shade) >= min_contrast for shade in shades)


def muddy(a: RGB, b: RGB) -> bool:
    """Whether the way between two colors looks like dirt: through a gray that neither has, as between blue and orange, between
    unlike dark colors, or from a color to gray."""
    apart = abs(colorsys.rgb_to_hls(*a)[0] - colorsys.rgb_to_hls(*b)[0])
    apart = min(apart, 1 - apart)
    colored = [max(rgb) - min(rgb) > _FULL * max(rgb) and max(rgb) > _GRAY[0] for rgb in (a, b)]
    tinted = [max(rgb) - min(rgb) > _TINTED for rgb in (a, b)]
    if all(tinted):
        dusky = all(colored) and min(luminance(a), luminance(b)) < _DUSKY
        return any(colored) and apart > (_NEAR if dusky else _ONE_WAY)
    return any(tinted) and any(
        not tint and _GRAY[0] < max(rgb) < _GRAY[1] for tint, rgb in zip(tinted, (a, b), strict=True)
    )


def shades_of(grounds: Sequence[Color]) -> tuple[RGB, ...]:
    """What a ground of one color or a gradient of two shows: its colors, and of a gradient some between them."""
    shades = [ground.rgb for ground in grounds]
    if len(grounds) == 2:
        first, last = shades
        shades += [_between(first, last, step / 8) for step in range(1, 8)]
    return tuple(shades)


def _between(a: RGB, b: RGB, t: float) -> RGB:
    """The shade a gradient shows ``t`` of the way from a to b: sRGB values are mixed as they are."""
    red, green, blue = (round(x * (1 - t) + y * t) for x, y in zip(a, b, strict=True))
    return (red, green, blue)


@lru_cache(maxsize=4096)
def luminance(rgb: RGB) -> float:
    """WCAG 2 relative luminance of an sRGB color, 0..1."""
    linear = _linear(rgb)
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def overall(pixels: np.ndarray) -> np.ndarray:
    """(3,) the mean color of a picture (h, w, 3), from about a thousand of its pixels."""
    h, w = pixels.shape[:2]
    mean: np.ndarray = pixels[:: max(h // 32, 1), :: max(w // 32, 1)].reshape(-1, 3).mean(axis=0)
    return mean


def tint_of(mean: np.ndarray) -> RGB:
    """The light of surroundings of a mean color (3,): darker in a dark picture and warm in a warm one. Chosen."""
    tint = 255 * (0.72 + 0.28 * np.clip(mean / 170, 0, 1))
    return int(tint[0]), int(tint[1]), int(tint[2])


def contrast(a: RGB, b: RGB) -> float:
    """WCAG 2 contrast ratio, 1..21."""
    dark, light = sorted((luminance(a), luminance(b)))
    return (light + 0.05) / (dark + 0.05)


def keeps_name(color: Color, light: float) -> bool:
    """Whether a palette's color under a light of 0..1 is still nearest to its own name, in sRGB and in CIELAB."""
    red, green, blue = (round(channel * light) for channel in color.rgb)
    drawn = (red, green, blue)
    lab = _lab(drawn)
    nearest = min(PALETTE.values(), key=lambda c: math.dist(lab, _lab(c.rgb)))
    return color.en == nearest.en == min(PALETTE.values(), key=lambda c: math.dist(drawn, c.rgb)).en


def told_apart(a: Color, b: Color) -> bool:
    """Whether a text in one color is seen to differ from the same in the other: of nearly black and nearly white ones
    thin strokes show no hue."""
    one, other = _lab(a.rgb), _lab(b.rgb)
    dark, light = max(one[0], other[0]) < _BLACKISH, min(one[0], other[0]) > _WHITISH
    return math.dist(one, other) >= _APART and not dark and not light


@lru_cache(maxsize=4096)
def _lab(rgb: RGB) -> tuple[float, float, float]:
    """CIELAB of an sRGB color, white D65."""
    r, g, b = _linear(rgb)
    x, y, z = (
        t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116
        for t in (
            (0.4124 * r + 0.3576 * g + 0.1805 * b) / 0.9505,
            0.2126 * r + 0.7152 * g + 0.0722 * b,
            (0.0193 * r + 0.1192 * g + 0.9505 * b) / 1.089,
        )
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _linear(rgb: RGB) -> tuple[float, float, float]:
    """Linear light of sRGB values."""
    r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in rgb))
    return r, g, b


def _vary(color: Color, steps: int, rng: np.random.Generator) -> Color:
    moves = [int(m) for m in rng.integers(-steps, steps + 1, size=3)]
    if len(set(color.rgb)) == 1:
        moves = [moves[0]] * 3  # white, black and grays stay neutral
    r, g, b = (min(max(v + m, 0), 255) for v, m in zip(color.rgb, moves, strict=True))
    return Color(color.en, color.zh, (r, g, b))
