"""Contrast and names: what a caption calls a color is what the pixels show."""

from __future__ import annotations

import colorsys

import numpy as np
import pytest

from synth.drawing.colors import PALETTE, ColorConfig, contrast, luminance, muddy, pick
from tests.synth.common import GLYPHS, PURE, recipe


def test_contrast_is_wcag() -> None:
    assert contrast((0, 0, 0), (255, 255, 255)) == pytest.approx(21)
    assert contrast((119, 119, 119), (255, 255, 255)) == pytest.approx(4.48, abs=0.01)  # WCAG's well-known border case
    assert luminance((255, 0, 0)) == pytest.approx(0.2126)


@pytest.mark.parametrize("least", [3.0, 4.5, 7.0])
@pytest.mark.parametrize("kind", ["plain", "gradient"])
def test_drawn_colors_keep_the_contrast_everywhere(least: float, kind: str) -> None:
    config = ColorConfig(contrast=least, backgrounds={kind: 1.0}, vary=10)  # type: ignore[dict-item]
    rng = np.random.default_rng(1)
    for _ in range(300):
        ground, text = pick(config, rng)
        assert len(ground.colors) == (1 if kind == "plain" else 2)
        ends = np.array([c.rgb for c in (*ground.colors, ground.colors[0])[:2]], float)
        for t in (0.0, 0.25, 0.5, 0.75, 1.0):  # along the gradient
            between = tuple(int(v) for v in ends[0] * (1 - t) + ends[1] * t)
            assert contrast(text.rgb, between) >= least - 0.05  # type: ignore[arg-type]


def test_variation_leaves_a_color_nearest_to_its_own_name() -> None:
    """Of all palette entries, the one whose name is used stays the nearest."""
    rng = np.random.default_rng(2)
    names, values = list(PALETTE), np.array([c.rgb for c in PALETTE.values()], float)
    for _ in range(500):
        ground, text = pick(ColorConfig(vary=10), rng)
        for color in (*ground.colors, text):
            nearest = names[int(np.argmin(np.abs(values - color.rgb).sum(axis=1)))]
            assert nearest == color.en


@pytest.mark.parametrize(
    ("name", "low", "high"),
    [
        ("red", 345, 15),
        ("orange", 15, 40),
        ("yellow", 40, 70),
        ("green", 100, 160),
        ("blue", 205, 250),
        ("purple", 265, 300),
    ],
)
def test_palette_hues_are_what_the_names_say(name: str, low: int, high: int) -> None:
    hue = colorsys.rgb_to_hsv(*(v / 255 for v in PALETTE[name].rgb))[0] * 360
    assert low <= hue <= high if low < high else hue >= low or hue <= high


@pytest.mark.parametrize("path", [PURE, GLYPHS])
def test_the_caption_names_the_ground_that_the_corner_pixel_shows(path: str) -> None:
    styles = ("colors.backgrounds={plain: 1}", "captions.styles={background_is: 1}", "captions.languages={en: 1}")
    values = np.array([c.rgb for c in PALETTE.values()], float)
    for index in range(60):
        sample = recipe(path, *styles).render(index)
        corner = np.array(sample.image.getpixel((0, 0)), float)
        name = list(PALETTE)[int(np.argmin(np.abs(values - corner).sum(axis=1)))]
        assert sample.captions[0].text.startswith(f"The background is {name},")


@pytest.mark.parametrize(
    ("a", "b", "is_"),
    [
        *(("blue", "orange", True), ("green", "red", True), ("purple", "yellow", True), ("green", "purple", True)),
        *(("dark green", "dark red", True), ("orange", "gray", True), ("green", "pink", True), ("beige", "gray", True)),
        *(
            ("white", "green", False),
            ("black", "dark green", False),
            ("light green", "light yellow", False),
            ("red", "orange", False),
            ("blue", "purple", False),
            ("light blue", "beige", False),
            ("black", "yellow", False),
        ),
    ],
)
def test_a_gradient_does_not_pass_through_gray(a: str, b: str, is_: bool) -> None:
    assert muddy(PALETTE[a].rgb, PALETTE[b].rgb) is muddy(PALETTE[b].rgb, PALETTE[a].rgb) is is_


def test_a_user_who_names_two_such_colors_gets_them() -> None:
    config = ColorConfig(contrast=2, ground=("blue", "orange"), vary=0, backgrounds={"gradient": 1.0})
    ground, _ = pick(config, np.random.default_rng(0))
    assert {color.en for color in ground.colors} == {"blue", "orange"}
