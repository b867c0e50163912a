"""Texts of one subject: a paragraph, a list, or a long one of several subjects with headings, tables, formulas, code, notes.

    subjects-{en,zh}.txt ──names, places and years drawn once──> Document of about so many characters

A section takes sentences of its subject in their order, so that what follows from another stands behind it. ``*bold*`` and
``_italic_`` become runs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

import numpy as np

from synth.corpus import grammar
from synth.corpus.builtin import DATA
from synth.corpus.sentences import split_sentences
from synth.language import CaptionLanguage, is_han

Kind = Literal["heading", "paragraph", "item", "table", "code", "formula", "note"]
Emphasis = Literal["bold", "italic"]
_MARKED = re.compile(r"\*([^*]+)\*|(?<![\w/])_([^_]+)_(?!\w)")
_SLOT = re.compile(r"\{([a-z]+)\}")
_NAMES = {
    "en": ("Riverside", "Ashford", "Linden", "Harbor", "Northgate", "Willow", "Fairview", "Brookfield"),
    "zh": ("清河", "松江", "柳园", "望湖", "石桥", "云岭", "白塔", "东篱"),
}
_APOSTROPHE = re.compile(r"(?<=\w)'(?=\w)")
_PER_PARAGRAPH = (3, 6)  # chosen: sentences
_RICH = 5.0  # chosen: to 1, how often a long page begins with a subject that has tables, formulas or code
_NOTES = 4  # chosen: at the foot of a page


@dataclass(frozen=True)
class Part:
    """A piece of a document. ``runs``: (start, end, emphasis) in its text; ``rows``: cells of a table, header first."""

    kind: Kind
    text: str
    runs: tuple[tuple[int, int, Emphasis], ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()

    @property
    def length(self) -> int:
        """Visible characters."""
        return sum(not c.isspace() for c in self.text) + sum(len(cell) for row in self.rows for cell in row)


@dataclass(frozen=True)
class Document:
    """``notes`` stand at the foot of the page."""

    title: str
    parts: tuple[Part, ...]
    notes: tuple[Part, ...]
    language: CaptionLanguage


def write(language: CaptionLanguage, characters: int, kinds: frozenset[Kind], rng: np.random.Generator) -> Document:
    """About so many characters with parts of ``kinds`` beside headings and paragraphs; fewer where subjects run out."""
    subjects = list(_subjects(language).values())
    weights = np.array([_RICH if "table" in subject.more else 1.0 for subject in subjects])
    order = rng.choice(len(subjects), len(subjects), replace=False, p=weights / weights.sum())
    title, parts, notes = "", list[Part](), list[Part]()
    for subject in (subjects[k] for k in order):
        room = characters - sum(part.length for part in parts)
        if room <= 0:
            break
        filled = _filled(subject, language, rng)
        if title:
            parts.append(_part("heading", filled.title))
        title = title or filled.title
        own = _sections(filled, room, kinds, language, rng)
        if "note" in kinds and len(notes) < _NOTES:
            note = _part("note", filled.more["note"][0])
            if referred := _referred(own, len(notes) + 1, note.text):
                notes, own = [*notes, note], referred
        parts += own
    return Document(title, tuple(parts), tuple(notes), language)


def passage(language: CaptionLanguage, lengths: Sequence[int], rng: np.random.Generator) -> tuple[str, tuple[str, ...]]:
    """What one subject is about, and paragraphs of so many sentences each in their order; fewer where it has no more."""
    subject = _drawn(language, rng)
    first = int(rng.integers(len(subject.sections)))
    left = [_part("paragraph", text).text for _, texts in subject.sections[first:] for text in texts]
    found = []
    for length in lengths:
        if left:
            found.append(("" if language == "zh" else " ").join(left[:length]))
        left = left[length:]
    return subject.title if first == 0 else subject.sections[first][0], tuple(found)


def items(language: CaptionLanguage, count: int, rng: np.random.Generator) -> tuple[str, tuple[str, ...]]:
    """The heading of a list and so many of its entries, in their order; where it has too few, those of others behind them."""
    subject = _drawn(language, rng)
    (heading,), found = subject.more["list"], list(subject.more["item"])
    kept = sorted(rng.permutation(len(found))[:count])
    while len(kept) < count:
        more = [text for text in _drawn(language, rng).more["item"] if text not in found]
        found, kept = found + more, [*kept, *range(len(found), len(found) + len(more))][:count]
    return heading, tuple(_part("item", found[k]).text for k in kept)


def _drawn(language: CaptionLanguage, rng: np.random.Generator) -> _Subject:
    subjects = list(_subjects(language).values())
    return _filled(subjects[int(rng.integers(len(subjects)))], language, rng)


def _sections(
    subject: _Subject, room: int, kinds: frozenset[Kind], language: CaptionLanguage, rng: np.random.Generator
) -> list[Part]:
    """Sections of one subject until ``room`` characters are filled; the first one stands under the title."""
    extras = [kind for kind in ("table", "item", "formula", "code") if kind in kinds and kind in subject.more]
    extras = [extras[k] for k in rng.permutation(len(extras))]
    parts: list[Part] = []
    for number, (heading, sentences) in enumerate(subject.sections):
        own = len(heading) if number else 0  # one that fills the room would stand there with nothing under it
        if sum(part.length for part in parts) + own >= room:
            break
        if number:
            parts.append(_part("heading", heading))
        while sentences and sum(part.length for part in parts) < room:
            count = int(rng.integers(*_PER_PARAGRAPH, endpoint=True))
            count = len(sentences) if len(sentences) - count < 2 else count
            parts.append(_part("paragraph", ("" if language == "zh" else " ").join(sentences[:count])))
            sentences = sentences[count:]
        if extras and number:
            parts += _extra(extras.pop(), subject.more)
    return parts


def _referred(parts: list[Part], number: int, note: str) -> list[Part] | None:
    """The parts with a reference to a note behind the sentence that says most of what the note says; None where none does."""
    told, ends = _grams(note), []
    for k, part in enumerate(parts):
        end = 0
        for sentence in split_sentences(part.text) if part.kind == "paragraph" else ():
            end = part.text.index(sentence, end) + len(sentence)
            ends.append((len(told & _grams(sentence)), k, end))
    score, k, end = max(ends, key=lambda each: each[0], default=(0, 0, 0))
    if not score:
        return None
    part, mark = parts[k], f"[{number}]"
    runs = tuple((a + len(mark) * (a >= end), b + len(mark) * (b > end), emphasis) for a, b, emphasis in part.runs)
    return [*parts[:k], replace(part, text=part.text[:end] + mark + part.text[end:], runs=runs), *parts[k + 1 :]]


def _grams(text: str) -> set[str]:
    """Beginnings of long words, and pairs of Chinese characters: what two sentences on one thing have in common."""
    words = {word[:5].lower() for word in re.findall(r"[A-Za-z]{5,}", text)}
    han = "".join(character if is_han(character) else " " for character in text)
    return words | {han[i : i + 2] for i in range(len(han) - 1) if " " not in han[i : i + 2]}


def _extra(kind: str, subject: dict[str, tuple[str, ...]]) -> list[Part]:
    if kind == "table":
        rows = tuple(tuple(row.split(" | ")) for row in (*subject["table"], *subject["row"]))
        return [Part("table", "", rows=rows)]
    if kind == "code":
        return [Part("code", "\n".join(subject["code"]))]
    if kind == "formula":
        return [Part("formula", subject["formula"][0])]
    return [_part("heading", subject["list"][0]), *(_part("item", text) for text in subject["item"])]


def _part(kind: Kind, marked: str) -> Part:
    """A part with its marks taken out of the text."""
    text, runs, at = "", [], 0
    for found in _MARKED.finditer(marked):
        text += marked[at : found.start()]
        inner = found[1] or found[2]
        emphasis: Emphasis = "bold" if found[1] else "italic"
        runs.append((len(text), len(text) + len(inner), emphasis))
        text, at = text + inner, found.end()
    return Part(kind, _APOSTROPHE.sub("\u2019", text + marked[at:]), tuple(runs))


@dataclass(frozen=True)
class _Subject:
    """``sections``: headings with their sentences. ``more``: lines of the other kinds."""

    title: str
    sections: tuple[tuple[str, tuple[str, ...]], ...]
    more: dict[str, tuple[str, ...]]


_NUMBERS = {"n": (12, 120), "hundreds": (220, 990), "pupils": (250, 340), "price": (3, 40)}
_TOWNS: dict[CaptionLanguage, tuple[str, ...]] = {  # invented, with a river, a harbor and a hill each
    "en": ("Eastport", "Harwick", "Port Alden", "Westhaven", "Marrow Bay", "Linden Quay", "Oldbridge", "Saltmarsh"),
    "zh": ("东港市", "临江市", "海州城", "南湾镇", "北浦市", "青岬镇", "石塘县", "云港市"),
}
_PEOPLE: dict[CaptionLanguage, tuple[str, ...]] = {  # names that fit a curator, an inspector and a programmer alike
    "en": ("Helen Marsh", "Peter Lang", "Ruth Adler", "Daniel Ortiz", "Maria Keller", "Thomas Reed", "Nora Quinn"),
    "zh": ("陈志远", "林若兰", "周文博", "赵静怡", "吴海涛", "孙佳宁", "许明哲"),
}


def _filled(subject: _Subject, language: CaptionLanguage, rng: np.random.Generator) -> _Subject:
    """The subject with its slots filled; names, places and years are the same all over it."""
    names = _NAMES[language]
    fixed = {
        "name": names[int(rng.integers(len(names)))],
        "city": _TOWNS[language][int(rng.integers(len(_TOWNS[language])))],
        "person": _PEOPLE[language][int(rng.integers(len(_PEOPLE[language])))],
        "year": str(int(rng.integers(1891, 2025))),
        "recent": str(int(rng.integers(2009, 2026))),
    }

    def slot(found: re.Match[str]) -> str:
        if found[1] in fixed:
            return fixed[found[1]]
        if found[1] == "early":
            return f"05:{int(rng.integers(0, 59)):02}"
        if found[1] in _NUMBERS:
            number = str(int(rng.integers(*_NUMBERS[found[1]])))
            return number if found[1] != "price" else f"{number}元" if language == "zh" else f"${number}"
        return grammar.word(found[1], language, rng)

    def fill(lines: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(_capitalized(_SLOT.sub(slot, line)) for line in lines)

    sections = tuple((heading, fill(sentences)) for heading, sentences in subject.sections)
    more = {kind: lines if kind == "code" else fill(lines) for kind, lines in subject.more.items()}
    return _Subject(fill((subject.title,))[0], sections, more)


def _capitalized(text: str) -> str:
    return text if text.startswith("t =") else text[:1].upper() + text[1:]


@lru_cache(maxsize=2)
def _subjects(language: CaptionLanguage) -> dict[str, _Subject]:
    texts = (DATA / f"subjects-{language}.txt").read_text("utf-8")
    blocks = re.split(r"^\[(\w+)\]$", texts, flags=re.MULTILINE)[1:]
    return {name: _subject(block) for name, block in zip(blocks[::2], blocks[1::2], strict=True)}


def _subject(block: str) -> _Subject:
    sections: list[tuple[str, list[str]]] = []
    more: dict[str, list[str]] = {}
    for kind, text in (line.split(": ", 1) for line in block.splitlines() if line):
        if kind == "heading":
            sections.append((text, []))
        elif kind == "s":
            sections[-1][1].append(text)
        else:
            more.setdefault(kind, []).append(text)
    title = more.pop("title")[0]
    grouped = tuple((heading, tuple(sentences)) for heading, sentences in sections)
    return _Subject(title, grouped, {kind: tuple(lines) for kind, lines in more.items()})
