"""Captions claim nothing that is not so: colors of a page, languages of a line, surfaces, hands."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from synth.caption.describe import CaptionConfig, describe
from synth.caption.facts import SceneFacts
from synth.caption.phrases import sentences
from synth.caption.sentences import write_caption
from synth.drawing.colors import PALETTE, Ground
from synth.language import CaptionLanguage
from synth.strategies.scene.media import MEDIA

GROUND = Ground((PALETTE["white"],))
PAGE = SceneFacts(
    *("A title Some text", "en", PALETTE["black"]),
    ground=GROUND,
    title="A title",
    title_color=PALETTE["red"],
    body="paragraphs",
)


def said(facts: SceneFacts, language: CaptionLanguage, count: int = 150) -> list[str]:
    rng = np.random.default_rng(0)
    return [write_caption(facts, language, rng).replace(facts.text, "") for _ in range(count)]


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_page_of_two_colors_is_never_given_one(language: CaptionLanguage) -> None:
    color = "黑色" if language == "zh" else "black"
    for caption in said(PAGE, language):
        if color in caption:  # of the body, beside a heading that is spoken of apart
            assert any(word in caption for word in ("heading", "标题")), caption
    one = replace(PAGE, title_color=PALETTE["black"])
    assert any(color in caption for caption in said(one, language))
    config = CaptionConfig(styles={"displaying": 1.0}, languages={language: 1.0})
    (told,) = describe(PAGE, config, np.random.default_rng(0))
    assert "displaying" not in told.text
    assert "显示" not in told.text


@pytest.mark.parametrize(
    ("text", "language", "tongue"),
    [
        ("春天来了", "zh", "zh"),
        ("本店支持VISA和Mastercard卡", "zh", None),
        ("iPhone 15 Pro Max 发布", "zh", None),
        ("a cup of 绿茶, please", "en", None),
        ("a cup of tea", "en", "en"),
        ("2024年7月A座春夏新品发布会", "zh", "zh"),
    ],
)
def test_a_line_is_called_by_a_language_only_where_it_is_of_one(text: str, language: str, tongue: str | None) -> None:
    assert SceneFacts(text, language, PALETTE["black"], ground=GROUND).tongue == tongue  # type: ignore[arg-type]


def test_nothing_is_said_of_surfaces_and_slants_that_are_not_known() -> None:
    every = " ".join(s for spoken in ("zh", "en") for group in sentences("captions", spoken).values() for s in group)  # type: ignore[arg-type]
    for claim in ("follow the surface", "slant", "顺着", "斜放"):
        assert claim not in every


@pytest.mark.parametrize("language", ["zh", "en"])
def test_chalk_is_only_in_hands(language: CaptionLanguage) -> None:
    board = SceneFacts("hello", "en", PALETTE["white"], ground=GROUND, medium="chalkboard", face="serif")
    word = "粉笔" if language == "zh" else "chalked"
    assert not any(word in caption for caption in said(board, language))
    assert any(word in caption for caption in said(replace(board, face="handwriting"), language))
    assert MEDIA["chalkboard"].hand is not None


def test_kai_is_not_called_handwritten() -> None:
    kai = SceneFacts("春天", "zh", PALETTE["black"], ground=GROUND, face="kai")
    told = said(kai, "zh")
    assert any("楷体" in caption for caption in told)
    assert not any("手写" in caption for caption in told)


def test_no_particle_hangs_without_an_adjective() -> None:
    facts = SceneFacts("春天", "zh", PALETTE["black"], ground=GROUND)
    assert not any(claim in caption for caption in said(facts, "zh", 600) for claim in ("是的“", "，的", "有的“"))
