"""A line of a sign takes several lines on what is too high for one."""

from __future__ import annotations

import pytest

from tests.synth.common import recipe
from tests.synth.test_geometry import drawn

SCENE = "configs/synth/scene.yaml"


@pytest.mark.parametrize("medium", ["sticky note", "sheet of paper", "wooden board"])
def test_a_line_of_a_sign_fills_what_it_stands_on(medium: str) -> None:
    signs = recipe(
        SCENE,
        "strategy.several=0",
        f"strategy.media={{{medium}: 1}}",
        "contents=[{kind: sign, slots: {notice: 1, way: 1}, length: [8, 30]}]",
    )
    broken = 0
    for index in range(12):
        (layer,) = drawn(signs, index).drawing.texts
        lines = layer.block.lines
        broken += len(lines) > 1
        if layer.block.text.isascii():  # no word is parted
            assert " ".join(line.text for line in lines) == layer.block.text.replace("\n", " ")
    assert broken >= (2 if medium == "wooden board" else 8)


def test_single_words_numbers_and_fitting_lines_stay_whole() -> None:
    for content in ("{kind: number, digits: [4, 5], forms: {integer: 1}}", "{kind: word, languages: {en: 1}}"):
        alone = recipe(SCENE, "strategy.media={sticky note: 1}", "strategy.several=0", f"contents=[{content}]")
        for index in range(6):
            (layer,) = drawn(alone, index).drawing.texts
            assert len(layer.block.lines) == 1
    banner = recipe(SCENE, "strategy.media={banner: 1}", "contents=[{kind: sign, slots: {name: 1}}]")
    for index in range(6):
        (layer,) = drawn(banner, index).drawing.texts
        assert len(layer.block.lines) == 1
