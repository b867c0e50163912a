"""Where texts come from: our own word lists, the table of 8,105 characters, and a user's text files.

Nothing here is share-alike: the lists and sentence patterns in ``synth/data`` were written for this project;
``tongyong_8105.tsv`` is derived from the property kTGH of the Unicode Han Database (Unicode-3.0 licence).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Literal

import numpy as np

from configs.errors import UserError

DATA = Path(__file__).parent / "data"
LICENSE = "Apache-2.0"  # of the texts made from synth/data, as of the rest of this repository
_SENTENCE_END = re.compile(r"(?<=[。！？])|(?<=[.!?])\s+")
_WORD = re.compile(r"[A-Za-z]+(?:['’-][A-Za-z]+)*|[\u3400-\u9fff]{1,4}")


@dataclass(frozen=True)
class CorpusSource:
    """A user's UTF-8 text file: one paragraph a line. ``license`` is an SPDX expression for what is drawn from it."""

    name: str
    file: str
    license: str = "unknown"


class Corpus:
    """A text file read whole: paragraphs, sentences and words. Raises UserError when it cannot be read."""

    def __init__(self, source: CorpusSource, where: str) -> None:
        self.name, self.license, self._where = source.name, source.license, where
        path = Path(source.file).expanduser()
        try:
            data = path.read_bytes()
            text = data.decode("utf-8-sig")
        except OSError as error:
            raise UserError(f"{where}: {path} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError as error:
            raise UserError(f"{where}: {path} is not UTF-8: byte {error.start} is 0x{data[error.start]:02x}") from None
        self._kept: dict[tuple[str, tuple[int, int]], list[str]] = {}
        self.sha256 = hashlib.sha256(data).hexdigest()
        self.paragraphs = [line for line in (" ".join(raw.split()) for raw in text.splitlines()) if line]
        if not self.paragraphs:
            raise UserError(f"{where}: {path} holds no text")

    @cached_property
    def sentences(self) -> list[str]:
        """Every sentence, cut after . ! ? and their Chinese forms."""
        return [s.strip() for p in self.paragraphs for s in _SENTENCE_END.split(p) if s and s.strip()]

    @cached_property
    def _words(self) -> list[str]:
        return sorted({w for p in self.paragraphs for w in _WORD.findall(p)})

    def words(self) -> list[str]:
        """Distinct Latin words and runs of up to four Han characters, sorted."""
        return self._words

    def pick(
        self, unit: Literal["line", "sentence", "paragraph"], length: tuple[int, int], rng: np.random.Generator
    ) -> str:
        """A paragraph, or a sentence, of ``length`` [least, most] characters."""
        fitting = self._fitting(unit, length)
        if not fitting:
            raise UserError(f"{self._where}: no {unit} of {length[0]} to {length[1]} characters is in it")
        return fitting[int(rng.integers(len(fitting)))]

    def _fitting(self, unit: str, length: tuple[int, int]) -> list[str]:
        """Kept per request: a corpus of a million lines is filtered once."""
        if (unit, length) not in self._kept:
            pool = self.paragraphs if unit == "paragraph" else self.sentences
            self._kept[unit, length] = [text for text in pool if length[0] <= len(text) <= length[1]]
        return self._kept[unit, length]


class Corpora(dict[str, Corpus]):
    """The recipe's own corpora by name."""

    def __init__(self, sources: Sequence[CorpusSource]) -> None:
        super().__init__()
        for number, source in enumerate(sources):
            if source.name in self:
                raise UserError(f"corpora.{number}.name: '{source.name}' stands twice")
            self[source.name] = Corpus(source, f"corpora.{number}.file")

    def identity(self, name: str) -> tuple[str, str]:
        """(id for ``Sample.parents``, licence) of a corpus of the recipe or of a list of ours."""
        if name in self:
            return f"corpus:{name}@{self[name].sha256[:12]}", self[name].license
        return f"corpus:{name}@{data_sha256()[:12]}", LICENSE


@lru_cache(maxsize=1)
def data_sha256() -> str:
    """sha256 over the names and contents of the files in ``synth/data``."""
    total = hashlib.sha256()
    for path in sorted(DATA.iterdir()):
        if path.suffix in (".txt", ".tsv"):
            total.update(path.name.encode() + b"\0" + path.read_bytes())
    return total.hexdigest()


@lru_cache(maxsize=8)
def levels_characters(levels: tuple[int, ...]) -> tuple[str, ...]:
    """Characters of these levels (1: 3,500, 2: 3,000, 3: 1,605) of the Table of General Standard Chinese Characters."""
    rows = (line.split("\t") for line in (DATA / "tongyong_8105.tsv").read_text("utf-8").splitlines()[1:])
    return tuple(character for _, level, character, *_ in rows if int(level) in levels)


@lru_cache(maxsize=2)
def wordlist(language: str) -> tuple[str, ...]:
    """Our words of one language."""
    lines = (DATA / f"words-{language}.txt").read_text("utf-8").splitlines()
    return tuple(w for line in lines if not line.startswith("#") for w in line.split())
