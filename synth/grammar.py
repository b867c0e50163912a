"""Phrases and sentences from patterns: a small context-free grammar per language, written for this project.

``synth/data/grammar-{zh,en}.txt`` holds ``[symbol]`` sections with one alternative a line; ``{symbol}`` in a
line is expanded, ``{symbol:date}``-like slots for numbers come from ``number``.
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np

from synth.corpus import DATA
from synth.sample import Language

_SLOT = re.compile(r"\{([a-z_]+)\}")
_MONTHS = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
]


def sentence(language: Language, rng: np.random.Generator) -> str:
    """One sentence with its closing mark."""
    return _expand("sentence", language, rng)


def phrase(language: Language, rng: np.random.Generator) -> str:
    """A few words without a closing mark, as on a sign or a label."""
    return _expand("phrase", language, rng)


def number(form: str, rng: np.random.Generator) -> str:
    """A price, percentage, date or time, as shops and calendars print them."""
    n = rng.integers
    if form == "price":
        sign = "¥$"[int(n(2))]
        whole, cents = int(n(1, 10 ** int(n(1, 5)))), ("", ".00", ".50", ".80", ".90", ".99")[int(n(6))]
        return f"{sign}{whole}{cents}"
    if form == "percent":
        return f"{int(n(1, 101))}%"
    if form == "date":
        return f"{int(n(1990, 2036))}{'-/.'[k := int(n(3))]}{int(n(1, 13)):02}{'-/.'[k]}{int(n(1, 29)):02}"
    if form == "time":
        return f"{int(n(24)):02}:{int(n(60)):02}"
    raise ValueError(f"no form of number is called '{form}'")


def _expand(symbol: str, language: Language, rng: np.random.Generator) -> str:
    if symbol in ("price", "percent", "date", "time"):
        return _spoken(symbol, language, rng)
    alternatives = _grammar(language)[symbol]
    text = alternatives[int(rng.integers(len(alternatives)))]
    text = _SLOT.sub(lambda slot: _expand(slot[1], language, rng), text)
    if language == "en" and symbol == "sentence":
        text = re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text)
        text = text[:1].upper() + text[1:]
    return text


def _spoken(form: str, language: Language, rng: np.random.Generator) -> str:
    n = rng.integers
    if form == "price" and language == "zh":
        return f"{int(n(1, 1000))}元"
    if form == "price":
        return f"${int(n(1, 1000))}"
    if form == "date" and language == "zh":
        return f"{int(n(1, 13))}月{int(n(1, 29))}日"
    if form == "date":
        return f"{_MONTHS[int(n(12))]} {int(n(1, 29))}"
    return number(form, rng)


@lru_cache(maxsize=2)
def _grammar(language: Language) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    for line in (DATA / f"grammar-{language}.txt").read_text("utf-8").splitlines():
        if line.startswith("[") and line.endswith("]"):
            current = sections.setdefault(line[1:-1], [])
        elif line.strip() and not line.startswith("#"):
            current.append(line.strip())
    return sections
