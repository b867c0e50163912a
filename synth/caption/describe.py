"""Captions: the two templates of the report (section "pure rendering"), short ones, and a grammar of sentences (``write_caption``).

Each names only what was drawn. The report's second template says "handwritten"; here that word stands
only where the font is a handwriting.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from synth.caption.facts import SceneFacts
from synth.caption.phrases import color_name, ended_once, enumerated, ground_phrase, phrases
from synth.caption.sentences import write_caption
from synth.choice import check_weights, choose_key
from synth.drawing.colors import Color, Ground
from synth.language import CaptionLanguage
from synth.sample import Caption

Style = Literal["displaying", "background_is", "reads", "short", "grammar"]

TEMPLATES: dict[Style, dict[CaptionLanguage, str]] = {
    "displaying": {  # printed in the report
        "en": "On a {ground} background, displaying {color} {hand}text {quote}.",
        "zh": "在{ground}背景上，显示{color}的{hand}文字{quote}。",
    },
    "background_is": {  # printed in the report
        "en": "The background is {ground}, and the {color} {hand}text is {quote}.",
        "zh": "背景是{ground}，{color}的{hand}文字是{quote}。",
    },
    "reads": {  # our own
        "en": "{Color} {hand}text on {ground} reads {quote}.",
        "zh": "{ground}底上用{color}写着{hand}文字{quote}。",
    },
    "short": {"en": "{quote}", "zh": "{quote}"},  # few tokens, for the tiny model
}


@dataclass(frozen=True)
class CaptionConfig:
    """Weights of the templates that describe a sample, and of their languages; ``same`` is that of the text."""

    styles: dict[Style, float] = field(default_factory=lambda: {"displaying": 1.0, "background_is": 1.0})
    languages: dict[Literal["same", "zh", "en"], float] = field(default_factory=lambda: {"same": 1.0})
    count: int = 1  # different captions per sample
    quote: int = 700  # characters that a caption quotes; of a longer text the beginning, and it says so

    def __post_init__(self) -> None:
        check_weights("styles", self.styles)
        check_weights("languages", self.languages)
        if self.quote < 20:
            raise ValueError(f"quote must be at least 20 characters, found {self.quote}")
        if self.count < 1:
            raise ValueError(f"count must be at least 1, found {self.count}")


def describe(facts: SceneFacts, config: CaptionConfig, rng: np.random.Generator) -> list[Caption]:
    """``config.count`` captions, or fewer when there are no more different ones.

    The templates know level text in one flat color on a clean ground; all else is always described by the grammar.
    """
    found: dict[str, Caption] = {}
    for _ in range(8 * config.count):
        if len(found) == config.count:
            break
        style = choose_key(rng, config.styles)
        drawn = choose_key(rng, config.languages)
        spoken: CaptionLanguage = ("zh" if facts.language == "zh" else "en") if drawn == "same" else drawn
        if style == "grammar" or facts.excerpt or facts.ground is None or facts.medium or _untold(facts, style):
            caption = Caption(write_caption(facts, spoken, rng), spoken)
        else:
            texts, by_hand = facts.parts or (facts.text,), facts.face == "handwriting"
            caption = fill(style, spoken, texts, facts.ground, facts.color, by_hand)
        found.setdefault(caption.text, caption)
    return list(found.values())


def _untold(facts: SceneFacts, style: Style) -> bool:
    """Whether something is seen that a template does not tell: two colors, an effect, a direction, a gradient in a sentence."""
    if style == "short":
        return False
    plain = facts.effect == "plain" and facts.direction == "horizontal" and not facts.color_to and facts.one_color
    return not plain or (style == "background_is" and facts.ground is not None and len(facts.ground.colors) > 1)


def fill(
    style: Style, language: CaptionLanguage, texts: Sequence[str], ground: Ground, color: Color, handwriting: bool
) -> Caption:
    """One template filled in. ``texts`` are quoted as they were written, without the line breaks of the picture."""
    chinese = language == "zh"
    name = color_name(color, language)
    hand = phrases("face", language)["handwriting"] + ("" if chinese else " ") if handwriting else ""
    sentence = TEMPLATES[style][language].format(
        ground=ground_phrase("template_ground", ground, language),
        color=name,
        Color=name[:1].upper() + name[1:],
        hand=hand,
        quote=enumerated(texts, language),
    )
    if not chinese:
        sentence = sentence.replace("On a orange", "On an orange", 1)
    return Caption(ended_once(sentence), language)
