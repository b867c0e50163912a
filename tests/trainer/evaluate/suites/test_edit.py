"""Edits: where a pair differs, and what stays is measured there alone."""

import numpy as np
import pytest

from configs import UserError
from trainer.evaluate.base import Item
from trainer.evaluate.config import Edits, EvaluateConfig
from trainer.evaluate.suites.edit import Edit, edited_region


def pair() -> tuple[np.ndarray, np.ndarray]:
    before = np.full((60, 100, 3), 200, np.uint8)
    after = before.copy()
    after[20:30, 40:50] = 0
    return before, after


def test_the_region_is_what_differs_with_a_margin():
    before, after = pair()
    assert edited_region(before, after) == (34, 14, 56, 36)
    assert edited_region(before, before) == (0, 0, 100, 60)


def test_psnr_is_of_what_was_to_stay():
    before, after = pair()
    item = Item("0", "", 100, 60, target=after, box=edited_region(before, after))
    suite = Edit(EvaluateConfig())
    broken_inside = after.copy()
    broken_inside[15:35, 35:55] = 90
    assert suite.look([item], [broken_inside]) == [{"psnr_outside": (100.0, 1.0)}]
    shifted = after + np.uint8(10)
    assert suite.look([item], [shifted])[0]["psnr_outside"][0] == pytest.approx(28.13, abs=0.01)
    with pytest.raises(UserError, match=r"picture of 0 has 50 x 60 px, expected 100 x 60"):
        suite.look([item], [after[:, :50]])


def test_a_removed_text_is_to_be_read_no_more():
    suite, item = Edit(EvaluateConfig()), Item("0", "", 16, 16)
    assert suite.judge(item, ())["characters"] == (1.0, 1.0)
    assert suite.judge(item, ("still here",))["characters"] == (0.0, 1.0)


def test_a_recipe_without_pairs_is_refused():
    with pytest.raises(UserError, match="renders no edit pairs"):
        Edit(EvaluateConfig(edit=Edits("configs/synth/glyphs.yaml"))).items()
