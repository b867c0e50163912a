"""How glyphs are painted: fill, stroke, shadow, glow, finish. Lengths in em, so that a style fits any size."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

import numpy as np

from synth.choice import check_weights, choose_key
from synth.drawing.colors import PALETTE, RGB, Color, contrast, luminance, muddy

Finish = Literal["neon", "engraved", "embossed", "stencil", "brush", "extruded", "foil"]
"""What letters are made of, in the place of a flat fill (``finishes.py``)."""
Effect = Literal["plain", "gradient", "stroke", "hollow", "shadow", "glow", Finish]

_SEEN = 1.5  # chosen: WCAG contrast that a glow or a shadow has to the ground; at 1.3 nobody notices it
_LIT = 1.9  # chosen: the same of a glow; a fainter one is a stain around the letters
_OUTLINED = 2.5  # chosen: the same of an outline; what is nearer to the ground looks like a blur around the letters
OFF_FILL = 3.0  # chosen: contrast of an edge to the letters it surrounds
_MIN_LINE = 1.8  # px, chosen: thinner ones are paler than the letters were
_FINISHED = 28.0  # px, chosen: letters below are too small for lit edges and streaks
_STEMS: dict[Finish, float] = {
    **dict.fromkeys(get_args(Finish), 0.04),
    "foil": 0.05,
    "embossed": 0.08,
    "engraved": 0.06,
    "stencil": 0.06,
    "brush": 0.1,
    "extruded": 0.07,
}
"""How thick strokes must be, em; chosen: streaks, bars and sides would eat thinner ones."""
_HEAVIEST: dict[Finish, float] = {"engraved": 0.12, "embossed": 0.14}
"""How thick strokes may be, em; chosen: lit edges close what lies between thicker ones."""
_DARK = 0.06  # chosen: luminance of a ground on which neon shines
_AROUND = 0.6  # chosen: an outline to the stroke that it surrounds; a wider one fills what is open between strokes
_STURDY = 0.045  # em, chosen: strokes of letters that an outline leaves readable
_MIN_EDGE = 4.0  # px, chosen: half of an outline lies around a letter, and less than 2 px only change its color
_SOFT = 0.5  # chosen: the least blur of a shadow, to how far it is off
_OPEN = 0.5  # chosen: the part of a hollow letter's stroke that its line may take


@dataclass(frozen=True)
class Shadow:
    """A copy behind the glyphs: ``offset`` and ``blur`` (standard deviation) in em, ``alpha`` 0..1."""

    rgb: RGB
    offset: tuple[float, float]
    blur: float
    alpha: float

    @property
    def glows(self) -> bool:
        """Whether it is a glow around the letters; else a shadow beside them."""
        return self.offset == (0.0, 0.0)

    def seen_on(self, shades: Sequence[RGB]) -> bool:
        """Whether it can be told from a ground of these shades."""
        if self.glows:
            return all(contrast(self.rgb, shade) >= _LIT for shade in shades)
        return all(contrast(mixed(shade, self.rgb, self.alpha), shade) >= _SEEN for shade in shades)


@dataclass(frozen=True)
class TextStyle:
    """``fill`` None leaves glyphs hollow. ``to``: other end of a gradient fill, along ``angle`` degrees, 90 downwards.

    ``stroke`` runs around the outline, half of ``width`` (em) outside of it. ``finish``: what the fill looks like instead
    of flat; ``depth``: where the back of extruded letters lies, em; ``grain``: seed of a brush's streaks.
    """

    fill: Color | None
    to: Color | None = None
    angle: float = 90.0
    stroke: Color | None = None
    width: float = 0.0
    shadows: tuple[Shadow, ...] = ()
    finish: Finish | None = None
    depth: tuple[float, float] = (0.0, 0.0)
    grain: int = 0
    effect: Effect = "plain"

    @property
    def stroke_margin(self) -> float:
        """How far ink goes beyond the outline, in em; shadow and glow are no ink."""
        return self.width / 2 if self.stroke else 0.0

    @property
    def spread(self) -> float:
        """How far around the outline anything is painted that is no ink, em."""
        shadows = (max(map(abs, s.offset)) + 3 * s.blur for s in self.shadows)
        finish = {"neon": 0.7, "extruded": max(map(abs, self.depth))}.get(self.finish or "", 0.1)
        return max((*shadows, finish))

    @property
    def color(self) -> Color:
        """The color that a person would name."""
        color = self.fill or self.stroke
        assert color is not None  # `pick_style` always gives one of them
        return color

    @property
    def edge(self) -> Color | None:
        """The color of what the effect lays around the letters: an outline or a glow; None where it lays nothing of its own."""
        if self.effect == "stroke":
            return self.stroke
        light = next((shadow.rgb for shadow in reversed(self.shadows) if shadow.glows), None)
        return next((c for c in PALETTE.values() if c.rgb == light), None) if self.effect == "glow" else None

    @property
    def effects(self) -> list[Effect]:
        """Every effect that the style shows."""
        found: list[Effect] = ["gradient"] if self.to else []
        if self.stroke:
            found.append("stroke" if self.fill else "hollow")
        found += [self.finish] if self.finish else []
        return found + [
            effect for effect in ("shadow", "glow") if any(s.glows == (effect == "glow") for s in self.shadows)
        ]

    def seen_on(self, shades: Sequence[RGB]) -> bool:
        """Whether all of its effects can be told from a ground of these shades."""
        edge = self.stroke if self.fill else None
        seen = edge is None or all(contrast(edge.rgb, shade) >= _OUTLINED for shade in shades)
        finished = self.finish is None or self.fill is None or _finish_seen(self.finish, self.fill.rgb, shades)
        return seen and finished and all(shadow.seen_on(shades) for shadow in self.shadows)

    def drawn_at(self, size: float) -> bool:
        """Whether a hollow letter's line has its width at ``size`` px, where thinner ones come out pale and spread, whether an
        outline is seen as one, and a finish has its room."""
        least = _MIN_LINE if self.fill is None else _MIN_EDGE
        return (self.stroke is None or self.width * size >= least) and (self.finish is None or size >= _FINISHED)

    @property
    def named(self) -> tuple[Color, ...]:
        """The colors that a caption may name."""
        return (self.color, self.to) if self.to else (self.color,)


@dataclass(frozen=True)
class EffectConfig:
    """``weights`` of the effects, and their ranges in em."""

    renamed: ClassVar[dict[str, str]] = {"shares": "weights", "least": "min_size"}

    weights: dict[Effect, float] = field(default_factory=lambda: {"plain": 1.0})
    stroke: tuple[float, float] = (0.05, 0.12)
    hollow: tuple[float, float] = (0.03, 0.06)
    offset: tuple[float, float] = (0.04, 0.09)
    blur: tuple[float, float] = (0.0, 0.08)
    depth: tuple[float, float] = (0.06, 0.12)  # of extruded letters
    min_size: float = 20.0  # px: smaller text stays plain, an effect would fill its counters

    @property
    def stroke_margin(self) -> float:
        """Em that the widest stroke adds around a glyph."""
        widths = {"stroke": self.stroke[1], "hollow": self.hollow[1]}
        return max((widths.get(effect, 0.0) for effect, weight in self.weights.items() if weight), default=0.0) / 2

    def __post_init__(self) -> None:
        check_weights("weights", self.weights)
        for name in ("stroke", "hollow", "offset", "blur", "depth"):
            low, high = getattr(self, name)
            if not 0 <= low <= high <= 0.5:
                raise ValueError(f"{name} must be [low, high] within 0..0.5 em, found [{low:g}, {high:g}]")


def pick_style(
    config: EffectConfig,
    color: Color,
    shades: Sequence[RGB],
    rng: np.random.Generator,
    stem: Callable[[], float] = lambda: math.inf,
) -> TextStyle:
    """A style of ``color`` that stays readable on a ground of these ``shades``, with an effect that is seen there.

    ``stem``: gives the em that the letters' strokes are thick. Plain where no color shows the effect on this ground, or where
    hollow letters would have no room inside. Draws nothing from ``rng`` when only plain is asked for.
    """
    effect = choose_key(rng, config.weights) if set(config.weights) != {"plain"} else "plain"
    if effect == "plain":
        return TextStyle(color)
    if effect in _FINISHES:
        return _finished(config, color, shades, rng, stem, effect) or TextStyle(color)
    return _STYLES[effect](config, color, shades, rng, stem) or TextStyle(color)


def _hollow(
    config: EffectConfig, color: Color, shades: Sequence[RGB], rng: np.random.Generator, stem: Callable[[], float]
) -> TextStyle | None:
    """Half of the line lies inside of the letter on either side; half of the stroke must stay open between them."""
    width = min(rng.uniform(*config.hollow), _OPEN * stem())
    return TextStyle(None, stroke=color, width=width, effect="hollow") if width >= config.hollow[0] else None


def _stroke(
    config: EffectConfig, color: Color, shades: Sequence[RGB], rng: np.random.Generator, stem: Callable[[], float]
) -> TextStyle | None:
    edge, wide = _edge(color, shades, rng, _OUTLINED), rng.uniform(*config.stroke)
    if edge is None or stem() < _STURDY:
        return None
    return TextStyle(color, stroke=edge, width=min(wide, _AROUND * stem()), effect="stroke")


def _gradient(
    config: EffectConfig, color: Color, shades: Sequence[RGB], rng: np.random.Generator, stem: Callable[[], float]
) -> TextStyle | None:
    to = _companion(color, shades, rng)
    return TextStyle(color, to, float(rng.choice([0.0, 90.0])), effect="gradient") if to else None


def _shadow(
    config: EffectConfig, color: Color, shades: Sequence[RGB], rng: np.random.Generator, stem: Callable[[], float]
) -> TextStyle | None:
    shift = rng.uniform(*config.offset)
    offset = (shift * float(rng.choice([-1, 1])), shift)
    blur = max(rng.uniform(*config.blur), _SOFT * shift)  # a hard one beside thin strokes looks like a second print
    shadow = Shadow((0, 0, 0), offset, blur, rng.uniform(0.35, 0.6))
    off = all(contrast(color.rgb, mixed(shade, shadow.rgb, shadow.alpha)) >= OFF_FILL for shade in shades)
    return TextStyle(color, shadows=(shadow,), effect="shadow") if off and shadow.seen_on(shades) else None


def _glow(
    config: EffectConfig, color: Color, shades: Sequence[RGB], rng: np.random.Generator, stem: Callable[[], float]
) -> TextStyle | None:
    edge = _edge(color, shades, rng, _LIT)
    if edge is None or any(luminance(edge.rgb) < luminance(shade) for shade in shades):
        return None  # what is darker than the ground is no light
    return TextStyle(color, shadows=(Shadow(edge.rgb, (0.0, 0.0), rng.uniform(0.08, 0.16), 0.9),), effect="glow")


def _finished(
    config: EffectConfig,
    color: Color,
    shades: Sequence[RGB],
    rng: np.random.Generator,
    stem: Callable[[], float],
    finish: Finish,
) -> TextStyle | None:
    depth = rng.uniform(*config.depth) * math.sqrt(0.5)
    style = TextStyle(
        color,
        angle=float(rng.uniform(20, 70)),
        finish=finish,
        depth=(depth * float(rng.choice([-1, 1])), depth) if finish == "extruded" else (0.0, 0.0),
        grain=int(rng.integers(1, 1 << 16)) if finish == "brush" else 0,
        effect=finish,
    )
    borne = _STEMS[finish] <= stem() <= _HEAVIEST.get(finish, math.inf)
    return style if style.seen_on(shades) and borne else None


def _finish_seen(finish: Finish, rgb: RGB, shades: Sequence[RGB]) -> bool:
    """Whether letters of a color show it on a ground of these shades."""
    if finish == "neon":
        return luminance(rgb) > _DARK and all(luminance(shade) <= _DARK for shade in shades)
    if finish == "engraved":  # the shadow of their edge falls on the letters
        shaded = mixed(rgb, (0, 0, 0), 0.4)  # letters as a whole
        readable = all(contrast(shaded, shade) >= 1.6 * _SEEN for shade in shades)
        return readable and contrast(mixed(rgb, (0, 0, 0), 0.5), rgb) >= 1.6 * _SEEN
    if finish == "embossed":
        return contrast(mixed(rgb, (255, 255, 255), 0.6), mixed(rgb, (0, 0, 0), 0.45)) >= 2 * _SEEN
    if finish == "extruded":
        side = side_rgb(rgb)
        return contrast(side, rgb) >= 1.3 * _SEEN and all(contrast(side, shade) >= _SEEN for shade in shades)
    if finish == "foil":
        dark, bright = foil_shades(rgb)
        readable = all(contrast(end, shade) >= 2 * _SEEN for end in (dark, bright) for shade in shades)
        return readable and contrast(dark, bright) >= 1.6 * _SEEN
    return True


def side_rgb(rgb: RGB) -> RGB:
    """Of the sides of letters that have a front of this color: in its shade, or lighter where it is nearly black."""
    return mixed(rgb, (0, 0, 0), 0.5) if luminance(rgb) > 0.1 else mixed(rgb, (255, 255, 255), 0.5)


def foil_shades(rgb: RGB) -> tuple[RGB, RGB]:
    """What a foil of this color shows where it turns away from the light, and where it mirrors it."""
    return mixed(rgb, (0, 0, 0), 0.35), mixed(rgb, (255, 255, 255), 0.45)


def mixed(under: RGB, over: RGB, alpha: float) -> RGB:
    """What is seen of a color laid over another."""
    red, green, blue = (round(a * (1 - alpha) + b * alpha) for a, b in zip(under, over, strict=True))
    return (red, green, blue)


_FINISHES: tuple[Finish, ...] = get_args(Finish)
_STYLES: dict[Effect, Callable[..., TextStyle | None]] = {
    "gradient": _gradient,
    "stroke": _stroke,
    "hollow": _hollow,
    "shadow": _shadow,
    "glow": _glow,
}


def _edge(color: Color, shades: Sequence[RGB], rng: np.random.Generator, off: float) -> Color | None:
    """A color for an edge: it stands off the fill, and by a contrast of ``off`` from the ground; None where none does."""
    fitting = [
        c
        for c in PALETTE.values()
        if contrast(c.rgb, color.rgb) >= OFF_FILL and all(contrast(c.rgb, shade) >= off for shade in shades)
    ]
    fitting = [c for c in fitting if "gray" not in c.en] or fitting  # a gray one is taken for white or black
    return fitting[int(rng.integers(len(fitting)))] if fitting else None


def _companion(color: Color, shades: Sequence[RGB], rng: np.random.Generator) -> Color | None:
    """The other end of a gradient: as readable on the ground as the color itself, nearly."""
    min_contrast = max(0.75 * min(contrast(color.rgb, shade) for shade in shades), 3)
    darker = luminance(color.rgb) < luminance(shades[0])
    fitting = [
        c
        for c in PALETTE.values()
        if c.en != color.en
        and all(contrast(c.rgb, shade) >= min_contrast for shade in shades)
        and (luminance(c.rgb) < luminance(shades[0])) == darker
        and not muddy(color.rgb, c.rgb)
    ]
    return fitting[int(rng.integers(len(fitting)))] if fitting else None
