"""Sizes and tokens of references against the image processor and the conditioner themselves."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from model.condition import Conditioner
from model.reference_sizes import VISION_AREA, fitted_size, vision_tokens
from model.references import image_processor
from model.templates import PICTURE_TOKENS, Style
from tests.model.folders import edit_folder


def test_vision_tokens_are_the_image_processors() -> None:
    conditioner = Conditioner.load(edit_folder("QwenImageEditPlusPipeline"))
    processor = image_processor(None, conditioner.encoder.config.vision_config)
    rng = np.random.default_rng(0)
    sizes = [(1024, 1024), (384, 384), (32, 768), (64, 12800), (32, 32), (4000, 4000)]
    sizes += [fitted_size(*rng.integers(60, 3000, 2).tolist(), 384 * 384) for _ in range(20)]
    for size in sizes:
        grid = processor(images=[Image.new("RGB", size)], return_tensors="pt")["image_grid_thw"]
        assert vision_tokens(*size) == int(grid.prod()) // processor.merge_size**2, size
    assert [vision_tokens(s, s) for s in (1024, 384)] == [1369, 196]


@pytest.mark.parametrize(("style", "counts"), [("single", (1,)), ("multi", (1, 2, 3))])
def test_a_prompt_with_references_has_the_tokens_that_are_counted(style: Style, counts: tuple[int, ...]) -> None:
    kind = "QwenImageEditPipeline" if style == "single" else "QwenImageEditPlusPipeline"
    conditioner = Conditioner.load(edit_folder(kind), style=style, vision_area=96 * 96)
    pictures = [Image.new("RGB", size) for size in ((300, 200), (100, 160), (64, 64))]
    for count in counts:
        (condition,) = conditioner.encode(["make it red"], [pictures[:count]])
        seen = sum(vision_tokens(*fitted_size(*p.size, 96 * 96)) for p in pictures[:count])
        assert len(condition) == conditioner.lengths(["make it red"])[0] + seen + count * PICTURE_TOKENS[style]
    assert set(VISION_AREA) == set(PICTURE_TOKENS)
