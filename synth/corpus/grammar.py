"""Phrases and sentences from patterns: a small context-free grammar per language, written for this project.

``synth/data/grammar-{zh,en}.txt`` holds ``[symbol]`` sections with one alternative a line; ``{symbol}`` in a
line is expanded; ``{price} {percent} {date} {time}`` become numbers as the language writes them.
"""

from __future__ import annotations

import re
from functools import lru_cache

import numpy as np

from synth.corpus.builtin import DATA
from synth.language import CaptionLanguage

_SPOKEN_NUMBERS = ("price", "percent", "date", "time")
_A = re.compile(r"\b([Aa]) (?=[aeiou])")
_FIRST = re.compile(r"^\W*[a-z]")  # behind an opening quotation mark too
_SLOT = re.compile(r"\{([a-z_]+)\}")
_FORMS = {"price": "[¥$]", "percent": "%", "date": r"^\d{4}[-/.]", "time": ":"}
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


def sentences(language: CaptionLanguage, count: int, rng: np.random.Generator) -> str:
    """``count`` sentences in a row; no pattern or word comes twice while others are left."""
    used: set[str] = set()
    return ("" if language == "zh" else " ").join(_sentence(language, rng, used) for _ in range(count))


def sentence(language: CaptionLanguage, rng: np.random.Generator) -> str:
    """One sentence with its closing mark."""
    return _sentence(language, rng, set())


def phrase(language: CaptionLanguage, rng: np.random.Generator) -> str:
    """A few words without a closing mark, as on a sign or a label."""
    return _expand("phrase", language, rng, set())


def word(symbol: str, language: CaptionLanguage, rng: np.random.Generator) -> str:
    """One expansion of a symbol of the grammar: a city, a person, a date."""
    return _expand(symbol, language, rng, set())


def mixed(language: CaptionLanguage, rng: np.random.Generator) -> str:
    """A line of one language with words, names or units of the other in it."""
    return _expand("mixed", language, rng, set())


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


def form_of(text: str) -> str:
    """The form of a ``number``, and "integer" of what has none."""
    return next((form for form, pattern in _FORMS.items() if re.search(pattern, text)), "integer")


def _sentence(language: CaptionLanguage, rng: np.random.Generator, used: set[str]) -> str:
    text = _expand("sentence", language, rng, used)
    if language == "en":
        text = text.removesuffix(".") if text.endswith("..") else text  # behind "8 p.m."
        text = _FIRST.sub(lambda first: first[0].upper(), text)
    return text


def _expand(symbol: str, language: CaptionLanguage, rng: np.random.Generator, used: set[str]) -> str:
    if symbol in _SPOKEN_NUMBERS:
        return _spoken(symbol, language, rng)
    alternatives = _grammar(language)[symbol]
    fresh = [a for a in alternatives if a not in used] or alternatives
    text = fresh[int(rng.integers(len(fresh)))]
    used.add(text)
    text = _SLOT.sub(lambda slot: _expand(slot[1], language, rng, used), text)
    return text if language == "zh" else _A.sub(r"\1n ", text)


def _spoken(form: str, language: CaptionLanguage, rng: np.random.Generator) -> str:
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
def _grammar(language: CaptionLanguage) -> dict[str, list[str]]:
    sections: dict[str, list[str]] = {}
    for line in (DATA / f"grammar-{language}.txt").read_text("utf-8").splitlines():
        if line.startswith("[") and line.endswith("]"):
            current = sections.setdefault(line[1:-1], [])
        elif line.strip() and not line.startswith("#"):
            current.append(line.strip())
    return sections
