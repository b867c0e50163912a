"""Where the texts of a template stand: heights always, halves only where a whole run stands in one."""

from __future__ import annotations

from synth.caption.facts import Said
from synth.caption.listing import listing
from synth.drawing.colors import PALETTE


def said(text: str, spot: str, color: str = "black") -> Said:
    return Said("item", text, PALETTE[color], spot)


def test_a_column_of_long_and_short_lines_is_not_torn_apart() -> None:
    texts = [said("a", "left"), said("b", "center"), said("c", "left")]
    assert listing(texts, "en").endswith('In the middle part: in black letters, item "a", item "b", item "c".')


def test_halves_are_named_where_one_comes_after_the_other() -> None:
    texts = [said("a", "top left"), said("b", "top left"), said("c", "top right", "red")]
    assert listing(texts, "en").endswith(
        'At the top left: in black letters, item "a", item "b". At the top right: in red letters, item "c".'
    )
    assert listing(texts, "zh").endswith("左上：黑色字的条目“a”、条目“b”。右上：红色字的条目“c”。")


def test_rows_that_go_back_and_forth_have_no_half() -> None:
    texts = [said(text, f"top {side}") for text, side in zip("abcd", ("left", "right") * 2, strict=True)]
    assert listing(texts, "zh").endswith("上方：黑色字的条目“a”、条目“b”、条目“c”、条目“d”。")
