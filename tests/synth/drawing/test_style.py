"""Effects are seen: edges stand off fill and ground, hollow letters are open, nothing shows the parts of a letter."""

from __future__ import annotations

import numpy as np
import pytest
import skia

from synth.drawing.colors import PALETTE, Color, contrast, keeps_name, luminance, pick, shades_of
from synth.drawing.style import Effect, EffectConfig, pick_style
from synth.strategies.scene.lighting import Light, light_for
from tests.synth.common import SHIPPED, recipe
from tests.synth.test_geometry import drawn

SEEN = {"stroke": 2.5, "glow": 1.5, "shadow": 1.5}


@pytest.mark.parametrize("effect", ["stroke", "glow", "shadow"])
def test_an_effect_can_be_told_from_the_ground_or_is_not_there(effect: Effect) -> None:
    rng = np.random.default_rng(0)
    colors = recipe(SHIPPED).config.colors
    shown = 0
    for _ in range(300):
        ground, color = pick(colors, rng)
        shades = shades_of(ground.colors)
        style = pick_style(EffectConfig(weights={effect: 1.0}), color, shades, rng)
        assert style.effect in (effect, "plain")
        assert style.effects == ([] if style.effect == "plain" else [effect])
        for edge in [style.stroke.rgb] if style.stroke else [s.rgb for s in style.shadows if s.glows]:
            assert contrast(edge, color.rgb) >= 3
            assert all(contrast(edge, shade) >= SEEN[effect] for shade in shades)
        for shadow in style.shadows:
            assert shadow.seen_on(shades)
            assert not shadow.glows or all(luminance(shadow.rgb) > luminance(shade) for shade in shades)
        shown += style.effect == effect
    assert shown > (60 if effect == "glow" else 90)  # no light on light grounds


def test_black_shadows_are_not_drawn_on_black() -> None:
    rng = np.random.default_rng(0)
    config = EffectConfig(weights={"shadow": 1.0})
    assert pick_style(config, PALETTE["white"], ((0, 0, 0),), rng).effect == "plain"
    assert pick_style(config, PALETTE["black"], ((255, 255, 255),), rng).effect == "shadow"


def test_hollow_letters_stay_open_or_are_filled() -> None:
    rng = np.random.default_rng(0)
    config = EffectConfig(weights={"hollow": 1.0})
    for stem, effect in ((0.02, "plain"), (0.05, "plain"), (0.08, "hollow"), (0.2, "hollow")):
        style = pick_style(config, PALETTE["black"], ((255, 255, 255),), rng, lambda stem=stem: stem)
        assert style.effect == effect, stem
        assert style.width <= stem / 2


@pytest.mark.parametrize(("family", "text"), [("NotoSansCJK", "藏龍書晨寫"), ("Inter", "aegkRt"), ("Bitter", "fkQ8")])
def test_uniting_takes_parts_away_and_leaves_the_ink(family: str, text: str) -> None:
    font = next(f for f in recipe(SHIPPED).fonts if f.path.name.startswith(family))
    face = font.face(font.wghts[-1])
    for character in text:
        glyph = face.nominal(character)
        inks = [_ink(path) for path in (face.outline(glyph), face.united(glyph))]
        assert np.abs(inks[0] - inks[1]).sum() < 0.01 * inks[0].sum(), character


def _ink(path: skia.Path) -> np.ndarray:
    surface = skia.Surface.MakeRaster(skia.ImageInfo.MakeA8(160, 160))
    canvas = surface.getCanvas()
    canvas.translate(20, 120)
    canvas.scale(100, 100)
    canvas.drawPath(path, skia.Paint(AntiAlias=True))
    return np.asarray(surface.toarray(colorType=skia.kAlpha_8_ColorType), float)


@pytest.mark.parametrize("color", ["white", "light yellow", "beige", "orange", "black", "light purple"])
def test_light_leaves_colors_their_names(color: str) -> None:
    light = Light(np.arange(178, 256, dtype=np.uint8).reshape(1, -1), (0, 0))
    lit = light_for(light, [PALETTE[color]])
    assert lit is not None
    assert all(keeps_name(PALETTE[color], value / 255) for value in lit.pixels.ravel())


def test_a_name_is_lost_in_the_dark() -> None:
    assert not keeps_name(PALETTE["white"], 0.7)
    assert keeps_name(PALETTE["black"], 0.7)
    assert not keeps_name(Color("white", "白色", (20, 20, 20)), 1.0)


def test_texts_on_photographs_are_called_what_they_look_like() -> None:
    scenes = recipe(
        "configs/synth/scene.yaml", "strategy.media={none: 1}", "strategy.several=0", "contents=[{kind: word}]"
    )
    for index in range(12):
        (layer,) = drawn(scenes, index).drawing.texts
        assert layer.light is not None
        for value in (layer.light.pixels.min(), int(np.median(layer.light.pixels))):
            assert keeps_name(PALETTE[layer.style.color.en], value / 255), index
