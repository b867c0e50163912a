"""Captions quote exactly what is drawn and name nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from synth import Recipe
from synth.caption import TEMPLATES, fill
from synth.colors import PALETTE, Ground
from tests.synth.common import GLYPHS, PURE, recipe

PLAIN = Ground((PALETTE["white"],))


def squeezed(text: str) -> str:
    return "".join(text.split())


def test_the_two_templates_of_the_report() -> None:
    assert (
        fill("displaying", "en", "Hi", PLAIN, PALETTE["red"], False).text
        == 'On a white background, displaying red text "Hi".'
    )
    assert (
        fill("background_is", "en", "Hi", PLAIN, PALETTE["red"], True).text
        == 'The background is white, and the red handwritten text is "Hi".'
    )


def test_a_gradient_is_named_by_both_its_colours_and_the_article_fits() -> None:
    ground = Ground((PALETTE["orange"], PALETTE["beige"]))
    assert fill("displaying", "en", "x", ground, PALETTE["black"], False).text.startswith(
        "On an orange to beige gradient background"
    )
    assert "橙色到米色渐变" in fill("displaying", "zh", "x", ground, PALETTE["black"], False).text


@pytest.mark.parametrize("style", TEMPLATES)
@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("text", ["plain", 'with "quotes"', "有“引号”的", 'both " and “”', "{braces}"])
def test_the_text_stands_in_quotes_exactly(style: str, language: str, text: str) -> None:
    caption = fill(style, language, text, PLAIN, PALETTE["black"], False).text  # type: ignore[arg-type]
    start = caption.index(text)
    opening, closing = caption[start - 1], caption[start + len(text)]
    assert (opening, closing) in (('"', '"'), ("“", "”"), ("«", "»"), ("「", "」"), ("《", "》"))
    assert opening not in text


@pytest.mark.parametrize("path", [PURE, GLYPHS])
def test_captions_of_samples_quote_the_visible_text(path: str) -> None:
    for index in range(120):
        sample = recipe(path).render(index)
        for caption in sample.captions:
            assert squeezed(sample.text) in squeezed(caption.text)
            assert caption.source == "template"
            assert caption.language in ("zh", "en")
            assert "handwritten" not in caption.text.replace(sample.text, "")
            assert "手写" not in caption.text


def test_the_short_style_is_the_quoted_text_alone() -> None:
    made = recipe(GLYPHS, "captions.styles={short: 1}", "captions.languages={en: 1}")
    for index in range(30):
        sample = made.render(index)
        assert [caption.text for caption in sample.captions] == [f'"{sample.text}"']


def test_count_gives_different_captions() -> None:
    made = recipe(PURE, "captions.count=3")
    for index in range(20):
        texts = [caption.text for caption in made.render(index).captions]
        assert len(set(texts)) == len(texts) == 3


def test_handwritten_is_said_only_of_a_handwriting(tmp_path: Path) -> None:
    made = Recipe.load(
        PURE, ["fonts.0.handwriting=true", "captions.styles={background_is: 1}", "captions.languages={en: 1}"]
    )
    said = {
        (s.parents[0].startswith("font:Noto"), "handwritten text" in s.captions[0].text)
        for s in map(made.render, range(80))
    }
    assert said == {(True, True), (False, False)}
