"""Finishes: seen where they are said to be, within what the layer claims to paint, the same bytes every time."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import numpy as np
import pytest
import skia

from synth.drawing.colors import PALETTE, contrast
from synth.drawing.layers import Drawing, GroundLayer, TextLayer
from synth.drawing.paint import paint
from synth.drawing.style import EffectConfig, Finish, TextStyle, pick_style
from synth.fonts.contours import bridges
from tests.synth.common import SHIPPED, recipe
from tests.synth.test_geometry import drawn

FINISHES: tuple[Finish, ...] = get_args(Finish)


def finished(finish: Finish, count: int) -> list[Drawing]:
    """Drawings of the shipped recipe in which a text has the finish."""
    made = recipe(
        SHIPPED, f"effects.weights={{{finish}: 1.0}}", "contents=[{kind: word}]", "canvases=[{size: [256, 128]}]"
    )
    found = []
    for index in range(400):
        drawing = drawn(made, index).drawing
        if any(layer.style.finish == finish for layer in drawing.texts):
            found.append(drawing)
        if len(found) == count:
            return found
    raise AssertionError(f"{finish}: only {len(found)} of 400")


@pytest.mark.parametrize("finish", FINISHES)
def test_a_finish_is_seen_and_the_letters_keep_their_color(finish: Finish) -> None:
    for drawing in finished(finish, 4):
        flat = tuple(
            replace(layer, style=replace(layer.style, finish=None)) if isinstance(layer, TextLayer) else layer
            for layer in drawing.layers
        )
        shown = np.asarray(paint(drawing), np.int16)
        plain = np.asarray(paint(replace(drawing, layers=flat)), np.int16)
        bare = np.asarray(
            paint(replace(drawing, layers=tuple(x for x in flat if not isinstance(x, TextLayer)))), np.int16
        )
        ink = np.abs(plain - bare).max(axis=2) > 60
        changed = np.abs(shown - plain).max(axis=2) > 24
        assert changed.sum() > 0.01 * ink.sum()
        letters, ground = shown[ink].mean(axis=0), bare[ink].mean(axis=0)
        assert contrast(tuple(letters), tuple(ground)) > 1.8  # type: ignore[arg-type]
        assert np.abs(letters - plain[ink].mean(axis=0)).max() < 90


@pytest.mark.parametrize("finish", FINISHES)
def test_nothing_is_painted_beyond_the_bounds(finish: Finish) -> None:
    (drawing,) = finished(finish, 1)
    layer = next(layer for layer in drawing.texts if layer.style.finish == finish)
    ground = next(layer for layer in drawing.layers if isinstance(layer, GroundLayer))
    pictures = [np.asarray(paint(Drawing(drawing.canvas, layers)), np.int16) for layers in ((ground, layer), (ground,))]
    ys, xs = np.nonzero(np.abs(pictures[0] - pictures[1]).max(axis=2) > 1)
    left, top, right, bottom = layer.bounds()
    assert left <= xs.min()
    assert top <= ys.min()
    assert xs.max() < right
    assert ys.max() < bottom


@pytest.mark.parametrize("finish", FINISHES)
def test_the_same_drawing_has_the_same_bytes(finish: Finish) -> None:
    (drawing,) = finished(finish, 1)
    assert paint(drawing).tobytes() == paint(drawing).tobytes()


@pytest.mark.parametrize(
    ("finish", "color", "ground", "stem"),
    [
        ("neon", "light blue", (255, 255, 255), 0.2),
        ("neon", "black", (0, 0, 0), 0.2),
        ("engraved", "black", (255, 255, 255), 0.2),
        ("extruded", "white", (120, 120, 120), 0.2),
        ("foil", "light yellow", (150, 150, 150), 0.2),
        ("brush", "black", (255, 255, 255), 0.05),
        ("stencil", "black", (255, 255, 255), 0.05),
    ],
)
def test_where_it_would_not_be_seen_letters_are_plain(
    finish: Finish, color: str, ground: tuple[int, int, int], stem: float
) -> None:
    config = EffectConfig(weights={finish: 1.0})
    for seed in range(5):
        style = pick_style(config, PALETTE[color], (ground,), np.random.default_rng(seed), lambda: stem)
        assert style == TextStyle(PALETTE[color])


@pytest.mark.parametrize(("character", "spaces"), [("口", 1), ("日", 2), ("一", 0), ("心", 0), ("川", 0)])
def test_a_stencil_opens_what_a_letter_encloses(character: str, spaces: int) -> None:
    face = next(f for f in recipe(SHIPPED).fonts if f.path.name.startswith("NotoSansCJK")).face(700)
    glyph = face.nominal(character)
    bars = bridges(face.united(glyph))
    assert len(bars) == spaces
    cut = skia.Path(face.united(glyph))
    for bar in bars:
        cut = skia.Op(cut, skia.Path().addRect(bar), skia.PathOp.kDifference_PathOp)
    assert len(bridges(cut)) == 0  # no space is left that is closed
