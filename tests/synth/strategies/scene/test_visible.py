"""Contrast is measured on the finished picture, and small letters have a least height."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from synth.drawing.colors import PALETTE, Color
from synth.drawing.layers import Drawing, PictureLayer, TextLayer
from synth.drawing.paint import paint_twice
from synth.drawing.style import TextStyle
from synth.errors import Undrawable
from synth.geometry import translation
from synth.strategies.scene.visible import check_visible
from tests.synth.common import recipe
from tests.synth.test_geometry import drawn

PHOTOGRAPH = PictureLayer(np.full((96, 400, 3), 255, np.uint8))
GRAY = Color("gray", "灰色", (140, 140, 140))


def shown(color: Color, scale: float) -> None:
    """Check one text of a sans face in a color at a scale of 40 px."""
    (layer,) = drawn(recipe("tests/synth/plain.yaml", "contents=[{kind: word, words: [window]}]"), 0).drawing.texts
    k = scale * 40 / layer.block.size
    matrix = translation(10, 10) @ np.diag([k, k, 1.0])
    text: TextLayer = replace(layer, style=TextStyle(color), matrix=matrix)
    drawing = Drawing((400, 96), (PHOTOGRAPH, text))
    check_visible(drawing, *paint_twice(drawing))


def test_black_on_white_is_seen_at_every_size_and_a_light_gray_at_none() -> None:
    for scale in (0.3, 1.0):
        shown(PALETTE["black"], scale)
    shown(GRAY, 1.0)
    with pytest.raises(Undrawable, match="hardly be seen"):
        shown(PALETTE["light yellow"], 1.0)


def test_what_is_seen_in_large_type_may_be_too_faint_in_small() -> None:
    shown(GRAY, 1.0)
    with pytest.raises(Undrawable, match="hardly be seen"):
        shown(GRAY, 0.2)


def test_script_is_set_larger_than_print_where_both_are_as_small_as_allowed() -> None:
    small = (
        "layout.size=fit",
        "layout.fill=[0.01, 0.02]",
        "layout.min_size=12",
        "contents=[{kind: word, words: [window]}]",
    )
    faces = {}
    for style in ("sans", "handwriting"):
        fonts = f"fonts=[{{collection: latin, styles: {{{style}: 1}}}}]"
        for index in range(30):
            (layer,) = drawn(recipe("tests/synth/plain.yaml", *small, fonts), index).drawing.texts
            faces[layer.block.face.name(1)] = (layer.block.size, layer.block.face.x_height)
    assert len(faces) > 5
    assert min(size for size, _ in faces.values()) == 12
    assert max(size for size, _ in faces.values()) > 13
    assert min(size * height for size, height in faces.values()) > 5, faces
