"""One rule names the language of rendered text, of text read by OCR, and of captions."""

from __future__ import annotations

import pytest

from pipeline.tokens import finish_captions
from synth.language import is_han, language_of
from tests.synth.common import SHIPPED, recipe


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("", "none"),
        (" \n", "none"),
        ("春天来了", "zh"),
        ("Open 24 hours", "en"),
        ("使用 Python 编写", "zh"),
        ("2024", "other"),
        ("Привет мир", "other"),
        ("さくら", "other"),
        ("𠀀𠀁", "zh"),
        ("A cat on a mat", "en"),
        ("一只猫坐在垫子上", "zh"),
        ("一只名叫 Tom 的猫", "zh"),
        ("The sign says 出口 in red letters", "en"),
        ("Кошка на коврике", "other"),
        ("猫がいる", "other"),
        ("2026", "other"),
        ("汉字 and Latin", "zh"),
        ("Latin 12", "en"),
        ("12.50", "other"),
        ("𠀀", "zh"),
    ],
)
def test_language_of(text: str, language: str) -> None:
    assert language_of(text) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("Meet me at 北京 Railway Station", "en"),
        ("茶 Street, No. 12", "en"),
        ("the sign says “谢谢”", "en"),
        ("全场优惠72% SALE", "zh"),
        ("茶 Book", "zh"),  # 4 against 4
        ("茶 Books", "en"),  # 4 against 5
        ("北京 Hauptbahnhof", "en"),
        ("Москва 北京", "zh"),
        ("café", "en"),
        ("Зал VIP", "en"),  # half of the letters
        ("Ложа VIP", "other"),  # fewer than half
        ("ABCDE Зал", "en"),
        ("Seoul 서울", "other"),
        ("¥12.50", "other"),
        ("，。！", "other"),
    ],
)
def test_mixed_scripts_are_weighed(text: str, language: str) -> None:
    assert language_of(text) == language


def test_han_is_what_people_write_chinese_with() -> None:
    assert all(map(is_han, "一龙𠀀豈"))
    assert not any(map(is_han, "Aあ，1䷀"))  # the last one is a hexagram of the I Ching


def test_samples_and_captions_go_by_the_same_rule() -> None:
    mixed = recipe(SHIPPED, "contents=[{kind: mixed}]")
    samples = [mixed.render(index) for index in range(60)]
    assert {sample.text_language for sample in samples} == {"zh", "en"}
    for sample in samples:
        assert sample.text_language == language_of(sample.text)
        told = finish_captions([{"text": caption.text, "source": "raw"} for caption in sample.captions])["captions"]
        # A caption's own words count, not those that it quotes.
        assert [caption["language"] for caption in told] == [caption.language for caption in sample.captions]
