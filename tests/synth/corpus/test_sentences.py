"""Sentences keep the marks that close with them, and both halves of a pair."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.corpus.sentences import split_sentences


@pytest.mark.parametrize(
    ("paragraph", "expected"),
    [
        ("“走吧！”她笑了。天黑了。", ["“走吧！”", "她笑了。", "天黑了。"]),
        ('"走吧！"她笑了。"好。"他说。', ['"走吧！"', "她笑了。", '"好。"', "他说。"]),
        ("他说：“你好。走吧。”真的？！对。", ["他说：“你好。走吧。”", "真的？！", "对。"]),
        ("（完。）下一句。「嗯。」", ["（完。）", "下一句。", "「嗯。」"]),
        ('He said "Stop." Then (he left.) Why?', ['He said "Stop."', "Then (he left.)", "Why?"]),
        ("It costs 3.50. See e.g. www.a.org now.", ["It costs 3.50.", "See e.g.", "www.a.org now."]),
        ("未闭合“引号。第二句。", ["未闭合“引号。", "第二句。"]),
        ("等等……好吧……走。", ["等等……好吧……走。"]),
    ],
)
def test_sentences(paragraph: str, expected: list[str]) -> None:
    assert split_sentences(paragraph) == expected


@given(st.text(alphabet='天地。！“”「」"ab .?（）', max_size=40))
def test_nothing_is_lost(paragraph: str) -> None:
    assert "".join("".join(split_sentences(paragraph)).split()) == "".join(paragraph.split())
