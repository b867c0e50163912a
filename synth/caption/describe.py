"""Captions: the two templates of the report (section "pure rendering"), short ones, and a grammar of sentences (``write_caption``).

Each names only what was drawn. The report's second template says "handwritten"; here that word stands
only where the font is a handwriting.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from synth.caption.facts import SceneFacts
from synth.caption.sentences import write_caption
from synth.choice import check_weights, choose_key
from synth.drawing.colors import Color, Ground
from synth.language import CaptionLanguage
from synth.sample import Caption

Style = Literal["displaying", "background_is", "reads", "short", "grammar"]

TEMPLATES: dict[Style, dict[CaptionLanguage, str]] = {
    "displaying": {  # printed in the report
        "en": "On a {ground} background, displaying {color} {hand}text {q1}{text}{q2}.",
        "zh": "在{ground}背景上，显示{color}的{hand}文字{q1}{text}{q2}。",
    },
    "background_is": {  # printed in the report
        "en": "The background is {ground}, and the {color} {hand}text is {q1}{text}{q2}.",
        "zh": "背景是{ground}，{color}的{hand}文字是{q1}{text}{q2}。",
    },
    "reads": {  # ours
        "en": "{Color} {hand}text on {ground} reads {q1}{text}{q2}.",
        "zh": "{ground}底上用{color}写着{hand}文字{q1}{text}{q2}。",
    },
    "short": {"en": "{q1}{text}{q2}", "zh": "{q1}{text}{q2}"},  # ours: few tokens, for the tiny model
}

QUOTES: dict[CaptionLanguage, tuple[tuple[str, str], ...]] = {
    "en": (('"', '"'), ("“", "”"), ("«", "»")),
    "zh": (("“", "”"), ("「", "」"), ("《", "》")),
}
"""Opening and closing marks; the first pair that the text itself does not hold."""


@dataclass(frozen=True)
class CaptionConfig:
    """Shares of the templates that describe a sample, and of their languages; ``same`` is that of the text."""

    styles: dict[Style, float] = field(default_factory=lambda: {"displaying": 1.0, "background_is": 1.0})
    languages: dict[Literal["same", "zh", "en"], float] = field(default_factory=lambda: {"same": 1.0})
    count: int = 1  # different captions per sample

    def __post_init__(self) -> None:
        check_weights("styles", self.styles)
        check_weights("languages", self.languages)
        if self.count < 1:
            raise ValueError(f"count must be at least 1, found {self.count}")


def describe(facts: SceneFacts, config: CaptionConfig, rng: np.random.Generator) -> list[Caption]:
    """``config.count`` captions, or fewer when there are no more different ones.

    The templates are for one colour on a clean ground; of a photograph, a thing in one, or text in a gradient, the
    grammar speaks whatever is asked for.
    """
    found: dict[str, Caption] = {}
    for _ in range(8 * config.count):
        if len(found) == config.count:
            break
        style = choose_key(rng, config.styles)
        drawn = choose_key(rng, config.languages)
        spoken: CaptionLanguage = ("zh" if facts.language == "zh" else "en") if drawn == "same" else drawn
        if style == "grammar" or facts.ground is None or facts.medium or (facts.color_to and style != "short"):
            caption = Caption(write_caption(facts, spoken, rng), spoken)
        else:
            caption = fill(style, spoken, facts.text, facts.ground, facts.color, facts.face == "handwriting")
        found.setdefault(caption.text, caption)
    return list(found.values())


def fill(
    style: Style, language: CaptionLanguage, text: str, ground: Ground, color: Color, handwriting: bool
) -> Caption:
    """One template filled in. ``text`` is quoted as it was written, without the line breaks of the picture."""
    chinese = language == "zh"
    names = [c.zh if chinese else c.en for c in ground.colors]
    joined = names[0]
    if len(names) == 2:
        joined = f"{names[0]}到{names[1]}渐变" if chinese else f"{names[0]} to {names[1]} gradient"
    tone = color.zh if chinese else color.en
    hand = ("手写" if chinese else "handwritten ") if handwriting else ""
    q1, q2 = next((q for q in QUOTES[language] if not any(mark in text for mark in q)), QUOTES[language][0])
    sentence = TEMPLATES[style][language].format(
        ground=joined, color=tone, Color=tone[:1].upper() + tone[1:], hand=hand, text=text, q1=q1, q2=q2
    )
    if not chinese:
        sentence = sentence.replace("On a orange", "On an orange", 1)
    return Caption(sentence, "zh" if chinese else "en")
