"""All texts of a template in one passage: each quoted with its role, its color and where it stands.

texts ──listing──> 'All of its text, in reading order. At the top, in yellow: title "Rose Garden". ...'
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from synth.caption.facts import Said
from synth.caption.phrases import color_name, ended_once, phrases, quoted
from synth.language import CaptionLanguage, is_han

_BUDGET = (
    380.0  # chosen, tokens: with the sentence before it and what closes the prompt less than the 512 that a model reads
)
_PER_LETTER = 0.32  # tokens of a Latin letter in running text; a digit or a Chinese character is one


def listing(texts: Sequence[Said], language: CaptionLanguage) -> str:
    """The passage; where it would be too long it holds the first texts only and says so."""
    kept = len(texts)
    while kept > 1 and tokens(_passage(texts[:kept], language)) > _BUDGET:
        kept -= max(1, kept // 12)
    head = phrases("listed", language)["all" if kept == len(texts) else "excerpt"]
    return f"{head}{'' if language == 'zh' else ' '}{_passage(texts[:kept], language)}"


def tokens(text: str) -> float:
    """About how many tokens a text takes."""
    return sum(1.0 if c.isdigit() or is_han(c) or not c.isascii() else _PER_LETTER for c in text)


def _passage(texts: Sequence[Said], language: CaptionLanguage) -> str:
    """Sentences, one for each run of texts in the same place; in it the color is said where it changes."""
    return ("" if language == "zh" else " ").join(
        _sentence(spot, run, language)
        for _, level in groupby(texts, key=lambda said: said.row)
        for spot, run in _runs(list(level))
    )


def _runs(level: Sequence[Said]) -> list[tuple[str, list[Said]]]:
    """Texts of one height by the half that they stand in, where one half comes wholly before the other; else all together."""
    runs = [(spot, list(run)) for spot, run in groupby(level, key=lambda said: said.spot)]
    row = level[0].row
    halves = len(runs) == 1 or (len(runs) == 2 and row not in dict(runs))
    return runs if halves else [(row, list(level))]


def _sentence(spot: str, run: Sequence[Said], language: CaptionLanguage) -> str:
    chinese = language == "zh"
    colors = []
    for _, same in groupby(run, key=lambda said: said.color.en):
        alike = list(same)
        told = ("、" if chinese else ", ").join(_told(said, language) for said in alike)
        color = color_name(alike[0].color, language)
        colors.append(f"{color}字的{told}" if chinese else f"in {color} letters, {told}")
    place = phrases("spot", language)[spot]
    return ended_once(f"{place}：{'；'.join(colors)}。" if chinese else f"{place}: {'; '.join(colors)}.")


def _told(said: Said, language: CaptionLanguage) -> str:
    """A text behind its role, which a user's own template may name as it likes."""
    names = phrases("role", language)
    name = names.get(said.role) or (names["text"] if language == "zh" else said.role.replace("_", " "))
    return f"{name}{'' if language == 'zh' else ' '}{quoted(said.text, language)}"
