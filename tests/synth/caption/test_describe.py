"""Captions quote exactly what is drawn and name nothing else."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from synth import Recipe
from synth.caption.describe import TEMPLATES, fill
from synth.caption.facts import SceneFacts, facts_of
from synth.caption.phrases import phrases, sentences
from synth.caption.sentences import write_caption
from synth.drawing.colors import PALETTE, Ground
from synth.geometry import in_corner
from synth.language import CaptionLanguage, language_of
from synth.strategies.scene.media import MEDIA
from tests.synth.common import GLYPHS, PURE, SHIPPED, recipe
from tests.synth.test_geometry import drawn

PLAIN = Ground((PALETTE["white"],))


def squeezed(text: str) -> str:
    return "".join(text.split())


def test_the_two_templates_of_the_report() -> None:
    assert (
        fill("displaying", "en", ("Hi",), PLAIN, PALETTE["red"], False).text
        == 'On a white background, displaying red text "Hi".'
    )
    assert (
        fill("background_is", "en", ("Hi",), PLAIN, PALETTE["red"], True).text
        == 'The background is white, and the red handwritten text is "Hi".'
    )


def test_a_gradient_is_named_by_both_its_colors_and_the_article_fits() -> None:
    ground = Ground((PALETTE["orange"], PALETTE["beige"]))
    assert fill("displaying", "en", ("x",), ground, PALETTE["black"], False).text.startswith(
        "On an orange to beige gradient background"
    )
    assert "橙色到米色渐变" in fill("displaying", "zh", ("x",), ground, PALETTE["black"], False).text


@pytest.mark.parametrize("style", TEMPLATES)
@pytest.mark.parametrize("language", ["zh", "en"])
@pytest.mark.parametrize("text", ["plain", 'with "quotes"', "有“引号”的", 'both " and “”', "{braces}"])
def test_the_text_stands_in_quotes_exactly(style: str, language: str, text: str) -> None:
    caption = fill(style, language, (text,), PLAIN, PALETTE["black"], False).text  # type: ignore[arg-type]
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
        PURE,
        [
            "fonts.0.handwriting=true",
            "captions.styles={background_is: 1}",
            "captions.languages={en: 1}",
            "colors.backgrounds={plain: 1}",
        ],
    )
    said = {
        (s.parents[0].startswith("font:Noto"), "handwritten text" in s.captions[0].text)
        for s in map(made.render, range(80))
    }
    assert said == {(True, True), (False, False)}


def drawn_facts(rng: np.random.Generator, language: str) -> SceneFacts:
    """Any facts that can be true together."""

    def some(values: Sequence[Any], none: float = 0.4) -> Any:
        return None if rng.random() < none else values[int(rng.integers(len(values)))]

    colors = list(PALETTE.values())
    kind = ("pure", "photo", "medium", "page")[int(rng.integers(4))]
    picked = [colors[int(i)] for i in rng.permutation(len(colors))[:4]]
    ground = Ground(tuple(picked[: 1 + int(rng.random() < 0.3)]), paper=bool(rng.random() < 0.2))
    effect = some(list(phrases("with_effect", "en")), 0.5) or "plain"
    page = kind == "page"
    return SceneFacts(
        text="Hi 42" if language == "en" else "你好 42",
        language=language,  # type: ignore[arg-type]
        color=picked[2],
        color_to=picked[3] if effect == "gradient" else None,
        ground=None if kind == "photo" else ground,
        medium=some(list(MEDIA), 0) if kind == "medium" else None,
        face=some(list(phrases("face", "en"))),
        effect=effect,
        edge=picked[3] if effect in ("stroke", "glow") else None,
        direction=some(list(phrases("way", "en")), 0.6) or "horizontal",
        lines=int(rng.integers(1, 6)),
        place=some(list(phrases("at", "en"))) if kind in ("pure", "photo") else None,
        size=some(list(phrases("size", "en"))) if kind in ("pure", "photo") else None,
        title="Title" if page and rng.random() < 0.7 else "",
        title_color=picked[2] if page else None,
        body=some(list(phrases("body", "en")), 0) if page else None,
        columns=int(rng.integers(1, 4)) if page else 1,
    )


@pytest.mark.parametrize("language", ["zh", "en"])
def test_sentences_name_only_what_is_there_and_quote_it_exactly(language: CaptionLanguage) -> None:
    rng = np.random.default_rng(0)
    k = 1 if language == "zh" else 0
    for _ in range(3000):
        facts = drawn_facts(rng, "en" if rng.random() < 0.5 else "zh")
        sentence = write_caption(facts, language, rng)
        assert f"{facts.text}" in sentence
        rest = sentence.replace(facts.text, "").replace("Title", "").lower()
        true = {
            (c.en, c.zh)[k]
            for c in (facts.color, facts.color_to, facts.edge, *(facts.ground.colors if facts.ground else ()))
            if c
        }
        for name in sorted(((c.en, c.zh)[k] for c in PALETTE.values()), key=len, reverse=True):
            found = re.search(name if k else rf"\b{name}\b", rest)
            assert not found or name in true or any(name in longer for longer in true), (name, sentence)
            rest = re.sub(name if k else rf"\b{name}\b", "", rest) if name in true else rest
        for kind, fact in (
            ("with_effect", facts.effect),
            ("way", facts.direction),
            ("face", facts.face),
            ("size", facts.size),
        ):
            for key, phrase in phrases(kind, language).items():
                spoken = re.escape(phrase).replace(r"a\ \{edge\}", r"an?\ [a-z ]+").replace(r"\{edge\}", r"\w+")
                if re.search(spoken, rest) and not (key == "serif" and facts.face == "sans"):
                    assert key == fact, (key, sentence)
        for place, phrase in phrases("at", language).items():
            said = phrase if language == "en" else f"图片{phrase}"
            assert said not in rest or place == facts.place, (place, sentence)
        for medium in MEDIA.values():
            assert (medium.en, medium.zh)[k] not in rest or medium.en == facts.medium or "纸" in medium.zh, sentence
        assert "{" not in sentence
        assert "<" not in sentence
        assert "  " not in sentence
        assert "的的" not in sentence


def test_there_are_over_two_hundred_distinct_sentence_shapes() -> None:
    rng = np.random.default_rng(1)
    vocabulary = {name for c in PALETTE.values() for name in (c.en, c.zh)}
    languages: tuple[CaptionLanguage, ...] = ("zh", "en")
    vocabulary |= {
        phrase
        for kind in ("with_effect", "way", "face", "size", "body", "at", "tongue")
        for language in languages
        for phrase in phrases(kind, language).values()
    } | {f"图片{phrase}" for phrase in phrases("at", "zh").values()}
    vocabulary |= {name for medium in MEDIA.values() for name in (medium.en, medium.zh)}
    vocabulary |= {verb for medium in MEDIA.values() for verb in (medium.verb_en, medium.verb_zh)}
    longest = re.compile("|".join(map(re.escape, sorted(vocabulary, key=len, reverse=True))), re.IGNORECASE)
    for language in languages:
        found = {longest.sub("_", write_caption(drawn_facts(rng, "en"), language, rng)) for _ in range(6000)}
        assert len(found) > 200, language
    assert sum(len(lines) for language in languages for lines in sentences("captions", language).values()) > 140


def test_shipped_recipes_speak_the_grammar_and_quote_what_is_seen() -> None:
    made = recipe(SHIPPED)
    most = made.config.captions.quote
    for index in range(40):
        sample = made.render(index)
        caption, seen = squeezed(sample.captions[0].text), squeezed(sample.text)
        if len(facts_of(drawn(made, index)).parts) > 1:  # quoted one by one
            assert all(squeezed(part) in caption for part in facts_of(drawn(made, index)).parts), index
            continue
        # Of a longer text the beginning, up to the end of a sentence or a word in its second half.
        title = squeezed(facts_of(drawn(made, index)).title)
        parts = [title, seen.removeprefix(title)] if title and seen not in caption else [seen]
        assert all(part[: len(part) if len(sample.text) <= most else most // 3] in caption for part in parts), index
    scenes = recipe("configs/synth/scene.yaml")
    for index in range(40):
        composition = drawn(scenes, index)
        caption = squeezed(scenes.render(index).captions[0].text)
        for layer in composition.drawing.texts:  # each for itself where there are several
            assert squeezed(layer.block.text) in caption, index


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_heading_is_quoted_once(language: CaptionLanguage) -> None:
    facts = SceneFacts(
        "On the way Arrive early.",
        "en",
        PALETTE["red"],
        ground=Ground((PALETTE["white"],)),
        title="On the\nway",
        rest="Arrive early.",
        body="paragraphs",
    )
    captions = {write_caption(facts, language, np.random.default_rng(seed)) for seed in range(60)}
    assert len(captions) > 5
    assert all("".join(caption.split()).count("Ontheway") == 1 for caption in captions)
    assert all("Arrive early." in caption for caption in captions)


def test_a_page_of_a_heading_alone_quotes_it_once() -> None:
    facts = SceneFacts(
        "On the way", "en", PALETTE["red"], ground=Ground((PALETTE["white"],)), title="On the way", body="paragraphs"
    )
    for seed in range(40):
        assert write_caption(facts, "en", np.random.default_rng(seed)).count("On the way") == 1


def test_a_place_is_named_only_where_the_text_surely_stands() -> None:
    corner = recipe(
        PURE,
        "layout.size=[20, 22]",
        "layout.align={left: 1}",
        "layout.valign={top: 1}",
        "layout.jitter=0",
        "contents=[{kind: word}]",
    )
    number, ordinal = corner._schedule.at(0)
    assert facts_of(corner._first_drawable(number, ordinal, [0]).composition).place == "top left"
    full = recipe(PURE, "layout.fill=[1, 1]", "contents=[{kind: paragraph}]")
    assert facts_of(full._first_drawable(0, 0, [0]).composition).place is None


@pytest.mark.parametrize("file", ["captions", "instructions"])
def test_no_particle_is_left_alone_where_an_option_of_a_chinese_sentence_is_not_said(file: str) -> None:
    alone = re.compile(r"(^|[。，、：；]|以及|和)的")
    for section in sentences(file, "zh").values():
        for sentence in section:
            bare = re.sub(r"<[^<>]*>", "", sentence).replace("{adj}的", "")
            assert not alone.search(bare), sentence
            assert not alone.search(sentence.replace("<", "").replace(">", "").replace("{adj}的", "")), sentence


@pytest.mark.parametrize(
    ("text", "medium", "never"),
    [
        ("卯", None, "几个字"),
        ("price", "mug", "words"),
        ("20:39", "poster", "words"),
        ("今日特价", "screen", "题字"),
        ("今日特价", "laptop", "题字"),
        ("今日特价", "sticky note", "立着"),
        ("Rain again.", "poster", '.".'),
        ("¥88.99", None, "题字"),
        ("$4.90", None, "inscription"),
    ],
)
def test_what_a_caption_calls_the_text_suits_it(text: str, medium: str | None, never: str) -> None:
    language: CaptionLanguage = "en" if never in ("words", "inscription", '.".') else "zh"
    tongue: Any = "zh" if re.search(r"[\u4e00-\u9fff]", text) else "en"
    facts = SceneFacts(text, tongue, PALETTE["red"], medium=medium)
    for seed in range(120):
        caption = write_caption(facts, language, np.random.default_rng(seed))
        assert never not in (caption if never == '.".' else caption.replace(text, "")), caption


@pytest.mark.parametrize(
    ("box", "is_"),
    [
        *(((20, 20, 200, 60), True), ((620, 440, 780, 490), True), ((20, 440, 300, 495), True)),
        *(((57, 195, 300, 240), False), ((300, 20, 500, 60), False), ((200, 20, 380, 60), False)),
    ],
)
def test_a_corner_is_where_both_edges_are_near(box: tuple[float, float, float, float], is_: bool) -> None:
    assert in_corner(box, (800, 500)) is is_


def test_a_language_is_said_of_a_template_only_where_all_of_its_texts_have_it() -> None:
    told = {True: 0, False: 0}
    for index in range(60):
        facts = facts_of(drawn(recipe("configs/synth/template.yaml"), index))
        languages = {language_of(said.text) for said in facts.texts} & {"zh", "en"}
        assert facts.tongue is None or len(languages) == 1, [said.text for said in facts.texts]
        told[facts.tongue is None] += 1
    assert min(told.values()) > 0
