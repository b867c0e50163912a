"""How glyphs are painted: fill, stroke, shadow, glow. Lengths in em, so that a style fits any size."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np

from synth.choice import check_weights, choose_key
from synth.drawing.colors import PALETTE, RGB, Color, contrast

Effect = Literal["plain", "gradient", "stroke", "hollow", "shadow", "glow"]


@dataclass(frozen=True)
class Shadow:
    """A copy behind the glyphs: ``offset`` and ``blur`` (standard deviation) in em, ``alpha`` 0..1."""

    rgb: RGB
    offset: tuple[float, float]
    blur: float
    alpha: float


@dataclass(frozen=True)
class TextStyle:
    """``fill`` None leaves glyphs hollow. ``to``: other end of a gradient fill, along ``angle`` degrees, 90 downwards.

    ``stroke`` runs around the outline, half of ``width`` (em) outside of it.
    """

    fill: Color | None
    to: Color | None = None
    angle: float = 90.0
    stroke: Color | None = None
    width: float = 0.0
    shadows: tuple[Shadow, ...] = ()
    effect: Effect = "plain"

    @property
    def stroke_margin(self) -> float:
        """How far ink goes beyond the outline, in em; shadow and glow are no ink."""
        return self.width / 2 if self.stroke else 0.0

    @property
    def color(self) -> Color:
        """The color that a person would name."""
        color = self.fill or self.stroke
        assert color is not None  # `pick_style` always gives one of them
        return color


@dataclass(frozen=True)
class EffectConfig:
    """``weights`` of the effects, and their ranges in em."""

    renamed: ClassVar[dict[str, str]] = {"shares": "weights", "least": "min_size"}

    weights: dict[Effect, float] = field(default_factory=lambda: {"plain": 1.0})
    stroke: tuple[float, float] = (0.05, 0.12)
    hollow: tuple[float, float] = (0.03, 0.06)
    offset: tuple[float, float] = (0.04, 0.09)
    blur: tuple[float, float] = (0.0, 0.08)
    min_size: float = 20.0  # px: smaller text stays plain, an effect would fill its counters

    @property
    def stroke_margin(self) -> float:
        """Em that the widest stroke adds around a glyph."""
        widths = {"stroke": self.stroke[1], "hollow": self.hollow[1]}
        return max((widths.get(effect, 0.0) for effect, weight in self.weights.items() if weight), default=0.0) / 2

    def __post_init__(self) -> None:
        check_weights("weights", self.weights)
        for name in ("stroke", "hollow", "offset", "blur"):
            low, high = getattr(self, name)
            if not 0 <= low <= high <= 0.5:
                raise ValueError(f"{name} must be [low, high] within 0..0.5 em, found [{low:g}, {high:g}]")


def pick_style(config: EffectConfig, color: Color, grounds: tuple[Color, ...], rng: np.random.Generator) -> TextStyle:
    """A style of ``color`` that stays readable on ``grounds``; draws nothing from ``rng`` when only plain is asked for."""
    effect = choose_key(rng, config.weights) if set(config.weights) != {"plain"} else "plain"
    if effect == "hollow":
        return TextStyle(None, stroke=color, width=rng.uniform(*config.hollow), effect=effect)
    if effect == "stroke":
        edge = _opposite(color, grounds, rng)
        return TextStyle(color, stroke=edge, width=rng.uniform(*config.stroke), effect=effect)
    if effect == "gradient":
        to = _companion(color, grounds, rng)
        return TextStyle(color, to, float(rng.choice([0.0, 90.0])), effect=effect) if to else TextStyle(color)
    if effect in ("shadow", "glow"):
        return TextStyle(color, shadows=(_shadow(effect, config, color, grounds, rng),), effect=effect)
    return TextStyle(color)


def _shadow(
    effect: Effect, config: EffectConfig, color: Color, grounds: tuple[Color, ...], rng: np.random.Generator
) -> Shadow:
    if effect == "glow":
        return Shadow(_opposite(color, grounds, rng).rgb, (0.0, 0.0), rng.uniform(0.08, 0.16), 0.9)
    shift = rng.uniform(*config.offset)
    offset = (shift * float(rng.choice([-1, 1])), shift)
    return Shadow((0, 0, 0), offset, rng.uniform(*config.blur), rng.uniform(0.35, 0.6))


def _opposite(color: Color, grounds: tuple[Color, ...], rng: np.random.Generator) -> Color:
    """A color for the edge: it must stand off the fill; whether it stands off the ground does not matter."""
    fitting = [c for c in PALETTE.values() if contrast(c.rgb, color.rgb) >= 3 and c.rgb not in {g.rgb for g in grounds}]
    return fitting[int(rng.integers(len(fitting)))] if fitting else PALETTE["white"]


def _companion(color: Color, grounds: tuple[Color, ...], rng: np.random.Generator) -> Color | None:
    """The other end of a gradient: as readable on the ground as the color itself, nearly."""
    min_contrast = min(contrast(color.rgb, g.rgb) for g in grounds) * 0.75
    darker = contrast(color.rgb, (255, 255, 255)) > contrast(grounds[0].rgb, (255, 255, 255))
    fitting = [
        c
        for c in PALETTE.values()
        if c.en != color.en
        and all(contrast(c.rgb, g.rgb) >= max(min_contrast, 3) for g in grounds)
        and (contrast(c.rgb, (255, 255, 255)) > contrast(grounds[0].rgb, (255, 255, 255))) == darker
    ]
    return fitting[int(rng.integers(len(fitting)))] if fitting else None
