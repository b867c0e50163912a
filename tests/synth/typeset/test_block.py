"""A block's text without its line ends is the text that was set."""

from __future__ import annotations

import numpy as np
import pytest

from synth.typeset.layout import LayoutConfig, arrange
from synth.typeset.shaped import Shaped
from tests.synth.common import SHIPPED, recipe


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Northgate Self-service Laundry", "en"),
        ("Open day and night all year", "en"),
        ("十二月二十日 诗歌之夜在旧码头", "zh"),
        ("图书到期之前可以续借一次，从当天算起。", "zh"),
    ],
)
def test_a_text_on_one_line_is_what_was_set(text: str, language: str) -> None:
    font = next(font for font in recipe(SHIPPED).fonts if font.writes(language) and font.missing(text) is None)
    shaped = Shaped(font.face(font.wghts[0]), text, language)
    config = LayoutConfig(size=(30, 30), margin=0.0)
    block, _ = arrange(shaped, (160, 400), config, np.random.default_rng(0), wrap=True)
    assert len(block.lines) > 1
    assert block.on_one_line("/") == text


def test_what_is_glued_are_paragraphs() -> None:
    font = next(font for font in recipe(SHIPPED).fonts if font.writes("en") and font.missing("abc") is None)
    shaped = Shaped(font.face(font.wghts[0]), "one two\nthree", "en")
    block, _ = arrange(shaped, (400, 400), LayoutConfig(size=(30, 30)), np.random.default_rng(0), wrap=True)
    assert block.on_one_line(" / ") == "one two / three"
