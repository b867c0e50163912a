"""Dense and heavy Chinese characters want larger type to be clear."""

from __future__ import annotations

import numpy as np

from synth.drawing.outlines import clear_size
from synth.typeset.block import Block
from synth.typeset.layout import LayoutConfig, arrange
from synth.typeset.shaped import Shaped
from tests.synth.common import SHIPPED, recipe

FONT = next(font for font in recipe(SHIPPED).fonts if font.missing("鹰人") is None and len(font.wghts) > 2)


def block_of(text: str, wght: float | None, language: str = "zh") -> Block:
    shaped = Shaped(FONT.face(wght), text, language)
    return arrange(shaped, (400, 400), LayoutConfig(size=(40, 40)), np.random.default_rng(0), wrap=False)[0]


def test_a_dense_character_wants_more_than_an_open_one_and_a_heavy_face_more_than_a_light_one() -> None:
    regular, heavy = FONT.wghts[len(FONT.wghts) // 2], FONT.wghts[-1]
    assert clear_size(block_of("鹰", regular)) > clear_size(block_of("人", regular))
    assert clear_size(block_of("鹰", heavy)) > clear_size(block_of("鹰", regular))
    assert clear_size(block_of("鹰人", regular)) == clear_size(block_of("鹰", regular))


def test_print_of_a_common_character_is_clear_at_a_common_size_and_letters_are_not_asked() -> None:
    assert 8 < clear_size(block_of("快", FONT.wghts[len(FONT.wghts) // 2])) < 16
    assert all(clear_size(block_of(character, FONT.wghts[-1])) <= 34 for character in "国鹰囊")
    assert clear_size(block_of("eagle", FONT.wghts[-1], "en")) == 0
