"""What a recipe writes: kinds of content, each with its settings and the text it draws.

    Content.draw(ContentRequest) -> Text

``ContentRequest`` carries the sample's random stream and an ordinal (this content's n-th sample), from which kinds
with a closed set (characters, words) walk whole shuffled rounds, so that every item comes equally often.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Literal

import numpy as np

from synth.choice import choose_key
from synth.content.base import Content, ContentRequest, Text, Unit, both, cycled, is_held_out
from synth.corpus import grammar, subjects
from synth.corpus.builtin import levels_characters, wordlist
from synth.corpus.corpus import Corpora
from synth.corpus.sanitize import Sanitized, sanitize
from synth.language import CaptionLanguage, language_of


@dataclass(frozen=True, kw_only=True)
class Charset(Content):
    """Characters, each equally often: those given, or levels of the table of 8,105.

    One a picture, or ``count`` [least, most] in a row, which brings rare characters into lines.
    """

    ranges: ClassVar[tuple[str, ...]] = ("count",)

    kind: Literal["charset"]
    characters: str = ""
    levels: tuple[Literal[1, 2, 3], ...] = ()
    count: tuple[int, int] = (1, 1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if bool(self.characters) == bool(self.levels):
            raise ValueError("charset needs either characters or levels")
        if len(set(self.characters)) != len(self.characters) or any(c.isspace() for c in self.characters):
            raise ValueError("characters must differ from each other and be visible")

    def items(self) -> Sequence[str]:
        """The characters, in the order given."""
        return self.characters or levels_characters(self.levels)

    def draw(self, request: ContentRequest) -> Text:
        min_count, max_count = self.count
        count = int(request.rng.integers(min_count, max_count + 1))
        turns = [replace(request, ordinal=request.ordinal * max_count + k) for k in range(count)]
        text = "".join(cycled(self.items(), turn) for turn in turns)
        unit: Unit = "item" if count == 1 else "line"
        return Text(text, language_of(text), unit, "characters" if self.characters else "tongyong")


@dataclass(frozen=True, kw_only=True)
class Number(Content):
    """Numbers of ``digits`` [least, most]. A fixed fraction of the plain integers is never rendered: ``held_out``."""

    renamed: ClassVar[dict[str, str]] = {"held_out_part": "held_out_fraction"}

    kind: Literal["number"]
    digits: tuple[int, int] = (2, 4)
    held_out_fraction: float = 0.0
    forms: dict[Literal["integer", "price", "percent", "date", "time"], float] = field(
        default_factory=lambda: {"integer": 1.0}
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 1 <= self.digits[0] <= self.digits[1] <= 9:
            raise ValueError(f"digits must be [least, most] within 1..9, found {list(self.digits)}")
        if not 0 <= self.held_out_fraction < 0.9:
            raise ValueError(f"held_out_fraction must be within 0..0.9, found {self.held_out_fraction:g}")

    def held_out(self, corpora: Corpora) -> list[str]:
        """All held-out integers with a permitted number of digits; enumerates them, so meant for up to 6 digits."""
        low, high = self.digits
        numbers = range(0 if low == 1 else 10 ** (low - 1), 10**high)
        return [str(n) for n in numbers if is_held_out(str(n), self.held_out_fraction)]

    def draw(self, request: ContentRequest) -> Text:
        old = request.instead
        form = choose_key(request.rng, self.forms) if old is None else grammar.form_of(old.text)
        if form != "integer":
            return Text(grammar.number(form, request.rng), "other", "item", "numbers")
        for _ in range(1000):  # at most nine in ten are held out, so this ends by its first draws
            digits = int(request.rng.integers(self.digits[0], self.digits[1] + 1))
            text = str(request.rng.integers(0 if digits == 1 else 10 ** (digits - 1), 10**digits))
            if not is_held_out(text, self.held_out_fraction):
                return Text(text, "other", "item", "numbers")
        raise ValueError("held_out_fraction leaves no number to draw")


@dataclass(frozen=True, kw_only=True)
class Word(Content):
    """Single words: those given, or the word lists of ``languages``."""

    renamed: ClassVar[dict[str, str]] = {"held_out_part": "held_out_fraction"}
    ranges: ClassVar[tuple[str, ...]] = ("length",)

    kind: Literal["word"]
    languages: dict[CaptionLanguage, float] = field(default_factory=both)
    words: tuple[str, ...] = ()  # instead of the lists
    corpus: str = ""  # a corpus of the recipe instead of the lists
    length: tuple[int, int] = (1, 12)  # characters
    held_out_fraction: float = 0.0
    cases: dict[Literal["as_is", "lower", "title", "upper"], float] = field(default_factory=lambda: {"as_is": 1.0})

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.held_out_fraction < 0.9:
            raise ValueError(f"held_out_fraction must be within 0..0.9, found {self.held_out_fraction:g}")
        for word in self.words:
            if sanitize(word) != Sanitized(word) or not word:
                raise ValueError(f"words: {word!r} is empty or holds what cannot be drawn: emoji, marks, right-to-left")
        if self.words and not any(self.length[0] <= len(w) <= self.length[1] for w in self.words):
            raise ValueError(f"words: none has a length within {list(self.length)}")

    def items(self, language: str, corpora: Corpora) -> list[str]:
        """The words that may be rendered: all but the held-out ones."""
        return [w for w in self._all(language, corpora) if not is_held_out(w.lower(), self.held_out_fraction)]

    def held_out(self, corpora: Corpora) -> list[str]:
        words = [w for language in self.languages for w in self._all(language, corpora)]
        return sorted({w for w in words if is_held_out(w.lower(), self.held_out_fraction)})

    def draw(self, request: ContentRequest) -> Text:
        language = choose_key(request.rng, self.languages)
        word = cycled(self.items(language, request.corpora), request)
        case = choose_key(request.rng, self.cases)
        text = word if case == "as_is" else getattr(word, case)()
        ours = not (self.corpus or self.words)
        source = f"words-{language}" if ours else self.corpus or "words"
        return Text(text, language_of(text), "item", source, topic=wordlist(language)[word] if ours else "")

    def _all(self, language: str, corpora: Corpora) -> Sequence[str]:
        if self.words:
            words: Sequence[str] = self.words
        elif self.corpus:
            words = corpora[self.corpus].words()
        else:
            words = tuple(wordlist(language))
        return [w for w in words if self.length[0] <= len(w) <= self.length[1]]


@dataclass(frozen=True, kw_only=True)
class Line(Content):
    """A phrase on one line."""

    ranges: ClassVar[tuple[str, ...]] = ("length",)

    kind: Literal["line"]
    languages: dict[CaptionLanguage, float] = field(default_factory=both)
    corpus: str = ""  # a corpus of the recipe instead of the grammar
    length: tuple[int, int] = (4, 28)  # characters

    def draw(self, request: ContentRequest) -> Text:
        return _prose(self.corpus, self.languages, request, "line", self.length, grammar.phrase)


@dataclass(frozen=True, kw_only=True)
class Sentence(Content):
    """One sentence, broken into lines where the canvas asks for it."""

    ranges: ClassVar[tuple[str, ...]] = ("length",)

    kind: Literal["sentence"]
    languages: dict[CaptionLanguage, float] = field(default_factory=both)
    corpus: str = ""
    length: tuple[int, int] = (6, 80)  # characters

    def draw(self, request: ContentRequest) -> Text:
        return _prose(self.corpus, self.languages, request, "sentence", self.length, grammar.sentence)


@dataclass(frozen=True, kw_only=True)
class Paragraph(Content):
    """Several sentences as one paragraph, of one subject where they are ours."""

    ranges: ClassVar[tuple[str, ...]] = ("sentences", "length")

    kind: Literal["paragraph"]
    languages: dict[CaptionLanguage, float] = field(default_factory=both)
    corpus: str = ""
    sentences: tuple[int, int] = (2, 5)
    length: tuple[int, int] = (20, 400)  # characters

    def draw(self, request: ContentRequest) -> Text:
        least, most = self.sentences

        def several(language: CaptionLanguage, rng: np.random.Generator) -> str:
            count = int(rng.integers(least, most + 1))
            said = subjects.passage(language, [1] * count, rng)[1]
            glue = "" if language == "zh" else " "
            fitting = [n for n in range(least, len(said) + 1) if len(glue.join(said[:n])) <= self.length[1]]
            return glue.join(said[: max(fitting, default=least)])

        return _prose(self.corpus, self.languages, request, "paragraph", self.length, several)


@dataclass(frozen=True, kw_only=True)
class Mixed(Content):
    """A line in which both languages meet: Chinese with English names and units, English with Chinese words."""

    ranges: ClassVar[tuple[str, ...]] = ("length",)

    kind: Literal["mixed"]
    languages: dict[CaptionLanguage, float] = field(default_factory=both)  # of the sentence around the foreign words
    length: tuple[int, int] = (4, 60)  # characters

    def draw(self, request: ContentRequest) -> Text:
        text = _prose("", self.languages, request, "line", self.length, grammar.mixed)
        return replace(text, language=language_of(text.text))


def _prose(
    corpus: str,
    languages: dict[CaptionLanguage, float],
    request: ContentRequest,
    unit: Literal["line", "sentence", "paragraph"],
    length: tuple[int, int],
    compose: Callable[[CaptionLanguage, np.random.Generator], str],
) -> Text:
    """A text of ``length`` characters from a corpus, or written by ``compose``. Raises ValueError where none comes up."""
    if corpus:
        text = request.corpora[corpus].pick(unit, length, request.rng)
        return Text(text, language_of(text), unit, corpus)
    language = choose_key(request.rng, languages)
    for _ in range(200):
        text = compose(language, request.rng)
        if length[0] <= len(text) <= length[1]:
            return Text(text, language, unit, f"{'subjects' if unit == 'paragraph' else 'grammar'}-{language}")
    raise ValueError(f"length {list(length)}: no {unit} of that many characters came up in 200 tries")
