"""Dense pages: as long as asked, the same each time, and order counts."""

import pytest

from trainer.evaluate.base import Item
from trainer.evaluate.config import Dense as DenseConfig
from trainer.evaluate.config import EvaluateConfig
from trainer.evaluate.suites.dense import Dense


def test_pages_grow_from_the_fewest_to_the_most_characters():
    config = EvaluateConfig(dense=DenseConfig(3, (500, 5000)))
    items = Dense(config).items()
    assert [item.group for item in items] == ["en"] * 3 + ["zh"] * 3
    for group in ("en", "zh"):
        lengths = [len(i.text.replace("\n", "")) for i in items if i.group == group]
        assert lengths == pytest.approx([500, 1581, 5000], abs=20)
    assert [i.text for i in items] == [i.text for i in Dense(config).items()]


def test_a_page_of_5000_characters_has_a_clean_rendering():
    suite = Dense(EvaluateConfig(dense=DenseConfig(1, (5000, 5000)), size=(1328, 1328)))
    for clean, item in zip(suite.clean(suite.items()), suite.items(), strict=True):
        assert len(clean.glyphs) == len("".join(item.text.split()))


def test_order_and_what_is_left_out_cost():
    suite, item = Dense(EvaluateConfig()), Item("0", "", 64, 64, ("ab\ncd",), "en")
    assert suite.judge(item, ("ab", "cd"))["characters"] == (4.0, 4.0)
    turned = suite.judge(item, ("cd", "ab"))
    assert turned["characters"] == (0.0, 4.0)
    assert turned["overlap"] == (4.0, 4.0)
    assert suite.judge(item, ("ab",))["characters"] == (2.0, 4.0)
