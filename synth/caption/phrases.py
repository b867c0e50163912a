"""Phrases and sentences of captions and instructions, in both languages, read from text files.

    synth/data/phrases/phrases.txt             [fact] key | English | Chinese    ──> phrases(fact, language)[key]
    synth/data/captions-{en,zh}.txt            [kind of picture], sentences      ──> sentences("captions", language)
    synth/data/phrases/instructions-{en,zh}.txt [operation], sentences           ──> sentences("instructions", language)

What a recipe's digest covers is ``synth/data`` without its folders: who changes a phrase raises ``VERSION`` of the digest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Literal

from synth.corpus.builtin import DATA
from synth.drawing.colors import Color, Ground
from synth.language import CaptionLanguage

_FOLDER = DATA / "phrases"
_ARTICLE = re.compile(r"\b([Aa]) (?=[aeiouAEIOU])")
_ENDED_TWICE = re.compile(r"([.!?。！？…][\"”」』'’])[.。]$")


@lru_cache(maxsize=64)
def phrases(fact: str, language: CaptionLanguage) -> dict[str, str]:
    """What is said of a kind of fact, by key. Raises KeyError for a kind that the file does not have."""
    rows = [line.split(" | ") for line in _sections(_FOLDER / "phrases.txt")[fact]]
    return {key: chinese if language == "zh" else english for key, english, chinese in rows}


@lru_cache(maxsize=4)
def sentences(use: Literal["captions", "instructions"], language: CaptionLanguage) -> dict[str, list[str]]:
    """Sentences with {slots}, by kind of picture or by operation."""
    return _sections((DATA if use == "captions" else _FOLDER) / f"{use}-{language}.txt")


def quoted(text: str | None, language: CaptionLanguage) -> str:
    """The text between quotation marks that it does not hold itself; the first ones where it holds them all."""
    if text is None:
        return ""
    pairs = list(phrases("quotes", language).values())
    pair = next((pair for pair in pairs if not set(pair) & set(text)), pairs[0])
    return f"{pair[0]}{text}{pair[1]}"


def enumerated(texts: Sequence[str], language: CaptionLanguage) -> str:
    """Quoted texts one after the other: "A", "B" and "C"."""
    *most, last = (quoted(text, language) for text in texts)
    if not most:
        return last
    return "、".join(most) + "和" + last if language == "zh" else ", ".join(most) + " and " + last


def effect_phrase(
    use: Literal["effect", "with_effect"], effect: str, edge: Color | None, language: CaptionLanguage
) -> str | None:
    """An effect as instructions or captions put it, with the color of its outline or glow; None where that or words for the
    effect are missing."""
    phrase = phrases(use, language).get(effect)
    if phrase is None or ("{edge}" in phrase and edge is None):
        return None
    return with_an(phrase.format(edge=color_name(edge, language) if edge else ""))


def with_an(text: str) -> str:
    """English with "an" where "a" stands before a vowel."""
    return _ARTICLE.sub(r"\1n ", text)


def ended_once(sentence: str) -> str:
    """Without the full stop behind a quotation that has one of its own."""
    return _ENDED_TWICE.sub(r"\1", sentence)


def color_name(color: Color, language: CaptionLanguage) -> str:
    """The color's name."""
    return color.zh if language == "zh" else color.en


def ground_phrase(
    use: Literal["ground", "new_ground", "template_ground"], ground: Ground, language: CaptionLanguage
) -> str:
    """A ground as captions, instructions or the report's templates put it."""
    kind = "gradient" if len(ground.colors) > 1 else "paper" if ground.paper else "plain"
    first, last = (color_name(color, language) for color in (ground.colors[0], ground.colors[-1]))
    return phrases(use, language)[kind].format(first=first, last=last)


@lru_cache(maxsize=8)
def _sections(path: Path) -> dict[str, list[str]]:
    """The lines of a file by its [section]."""
    found: dict[str, list[str]] = {}
    for line in _lines(path):
        if line.startswith("[") and line.endswith("]"):
            current = found.setdefault(line[1:-1], [])
        else:
            current.append(line)
    return found


def _lines(path: Path) -> Iterator[str]:
    """Lines that are neither empty nor comments."""
    stripped = (line.strip() for line in path.read_text("utf-8").splitlines())
    return (line for line in stripped if line and not line.startswith("#"))
