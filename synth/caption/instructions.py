"""Instructions for edits, in both languages: each says what to do, quotes texts exactly and names what it means."""

from __future__ import annotations

import numpy as np

from synth.caption.phrases import color_name, effect_phrase, ended_once, ground_phrase, phrases, quoted, sentences
from synth.language import CaptionLanguage, language_of
from synth.strategies.base import Change


def instruct(change: Change, language: CaptionLanguage, rng: np.random.Generator) -> str:
    """One instruction for the change."""
    able = sentences("instructions", language)[change.operation]
    sentence = able[int(rng.integers(len(able)))].format(**_words(change, language)).strip()
    return ended_once(sentence[:1].upper() + sentence[1:])


def _words(change: Change, language: CaptionLanguage) -> dict[str, str]:
    tongue = "zh" if language_of(change.after or "") == "zh" else "en"
    return {
        "before": quoted(change.before, language),
        "after": quoted(change.after, language),
        "old": color_name(change.color_before, language) if change.color_before else "",
        "color": color_name(change.color_after, language) if change.color_after else "",
        "effect": _effect(change, language) or "",
        "tongue": phrases("tongue", language)[tongue],
        "place": phrases("place", language)[change.place] if change.place else "",
        "at": _at(change.place, language),
        "fx": _with_effect(change, language),
        "ground": ground_phrase("new_ground", change.ground, language) if change.ground else "",
    }


def _effect(change: Change, language: CaptionLanguage) -> str | None:
    return effect_phrase("effect", change.effect, change.edge, language) if change.effect else None


def _with_effect(change: Change, language: CaptionLanguage) -> str:
    """Of added text, behind what else is said of it."""
    name = _effect(change, language)
    if name is None:
        return ""
    return f"，带{name}效果" if language == "zh" else f", with {name}"


def _at(place: str | None, language: CaptionLanguage) -> str:
    """Where to, with the preposition; in English with the space before it, so that it can be left out."""
    if place is None:
        return "在图上" if language == "zh" else ""
    name = phrases("place", language)[place]
    if language == "zh":
        return f"在图片{name}"
    return f" in the {name}" if place == "center" else f" at the {name}"
