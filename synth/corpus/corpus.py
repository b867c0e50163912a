"""Where texts come from: our own word lists, the table of 8,105 characters, a user's text files and Parquet columns.

Nothing here is share-alike: the lists and sentence patterns in ``synth/data`` were written for this project;
``tongyong_8105.tsv`` is derived from the properties kTGH and kTotalStrokes of the Unicode Han Database (Unicode-3.0 license).
"""

from __future__ import annotations

import hashlib
import re
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from itertools import accumulate
from pathlib import Path
from typing import Literal

import numpy as np

from configs.errors import UserError
from synth.corpus.builtin import LICENSE, data_sha256
from synth.corpus.sanitize import Refused, sanitize
from synth.corpus.sentences import split_sentences

_PACKAGES = dict.fromkeys(("jieba", "pypinyin", "Faker"), "MIT")  # that texts are drawn from, and their licenses
_BUILTIN = {"characters", "numbers", "pairs", "signs", "tongyong", "words"} | {
    f"{kind}-{language}" for kind in ("grammar", "slots", "subjects", "words") for language in ("zh", "en")
}
"""Names of what is drawn from ``synth/data`` or spelled out in the recipe."""
_WORD = re.compile(r"[A-Za-z]+(?:['’-][A-Za-z]+)*|[\u3400-\u9fff]{1,4}")


@dataclass(frozen=True)
class CorpusSource:
    """A user's texts: a UTF-8 file with one paragraph a line, or the text column ``column`` of a Parquet file.

    ``license`` is an SPDX expression for what is drawn from it. ``balance``: how much more often a text is drawn for
    the rare characters in it: its weight is the share of its rarest character in the corpus to the power of -balance;
    with 0 all texts come equally often.
    """

    name: str
    file: str
    column: str = ""
    license: str = "unknown"
    balance: float = 0.5  # chosen: halves the logarithm of the imbalance

    def __post_init__(self) -> None:
        if not 0 <= self.balance <= 1:
            raise ValueError(f"balance must be within 0..1, found {self.balance:g}")


class Corpus:
    """Paragraphs, sentences and words of a file, sanitized. Raises UserError when it cannot be read.

    ``account``: how many paragraphs were refused or cleaned, and why.
    """

    def __init__(self, source: CorpusSource, where: str) -> None:
        self.name, self.license, self._where, self._balance = source.name, source.license, where, source.balance
        path = Path(source.file).expanduser()
        self._kept: dict[tuple[str, tuple[int, int]], tuple[list[str], list[float]]] = {}
        self.account: Counter[str] = Counter()
        try:
            raw = _column(path, source.column, where) if path.suffix == ".parquet" else _lines(path, where)
            self.paragraphs = list(self._sanitized(raw))
            with path.open("rb") as file:
                self.sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise UserError(f"{where}.file: {path} cannot be read: {error.strerror or error}") from None
        if not self.paragraphs:
            raise UserError(f"{where}.file: {path} holds no text{self._why()}")

    def _sanitized(self, raw: Iterator[str]) -> Iterator[str]:
        for line in raw:
            if not line.strip():
                continue
            self.account["paragraphs"] += 1
            result = sanitize(line)
            if isinstance(result, Refused):
                self.account[f"refused: {result.reason}"] += 1
                continue
            self.account.update(f"cleaned: {what}" for what in result.taken)
            if result.text:
                yield result.text
            else:
                self.account["refused: nothing left"] += 1

    def _why(self) -> str:
        odd = [f"{reason} {count}" for reason, count in self.account.items() if reason != "paragraphs"]
        return f" ({', '.join(odd)})" if odd else ""

    def summary(self) -> str | None:
        """One line about refused and cleaned paragraphs, None where there were none."""
        why = self._why()
        return f"corpus {self.name}: of {self.account['paragraphs']:,} paragraphs{why}" if why else None

    @cached_property
    def sentences(self) -> list[str]:
        """Every sentence."""
        return [sentence for paragraph in self.paragraphs for sentence in split_sentences(paragraph)]

    @cached_property
    def _words(self) -> list[str]:
        return sorted({w for p in self.paragraphs for w in _WORD.findall(p)})

    def words(self) -> list[str]:
        """Distinct Latin words and runs of up to four Han characters, sorted."""
        return self._words

    @cached_property
    def _shares(self) -> dict[str, float]:
        """How much of the corpus each visible character makes up."""
        counts: Counter[str] = Counter()
        for paragraph in self.paragraphs:
            counts.update(paragraph)
        return {character: count / counts.total() for character, count in counts.items()}

    def pick(
        self, unit: Literal["line", "sentence", "paragraph"], length: tuple[int, int], rng: np.random.Generator
    ) -> str:
        """A paragraph, or a sentence, of ``length`` [least, most] characters, more often the rarer what it holds."""
        fitting, edges = self._fitting(unit, length)
        if not fitting:
            raise UserError(f"{self._where}: no {unit} of {length[0]} to {length[1]} characters is in it")
        return fitting[min(bisect_right(edges, rng.random() * edges[-1]), len(fitting) - 1)]

    def _fitting(self, unit: str, length: tuple[int, int]) -> tuple[list[str], list[float]]:
        """Texts and their weights, summed up; kept per request: a corpus of a million lines is filtered once."""
        if (unit, length) not in self._kept:
            pool = self.paragraphs if unit == "paragraph" else self.sentences
            fitting = [text for text in pool if length[0] <= len(text) <= length[1]]
            edges = list(accumulate(self._weight(text) for text in fitting))
            self._kept[unit, length] = fitting, edges
        return self._kept[unit, length]

    def _weight(self, text: str) -> float:
        return min(map(self._shares.__getitem__, text)) ** -self._balance if self._balance else 1.0


def _lines(path: Path, where: str) -> Iterator[str]:
    """Lines of a UTF-8 file, one at a time."""
    start = 0
    with path.open("rb") as file:
        for line in file:
            try:
                yield line.decode("utf-8-sig" if start == 0 else "utf-8")
            except UnicodeDecodeError as error:
                found = f"byte {start + error.start} is 0x{line[error.start]:02x}"
                raise UserError(
                    f"{where}.file: {path} is not UTF-8: {found}; convert it, for example: iconv -f gb18030 -t utf-8"
                ) from None
            start += len(line)


def _column(path: Path, column: str, where: str) -> Iterator[str]:
    """Texts of one Parquet column, read in batches, without the other columns."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            if column not in names:
                raise UserError(f"{where}.column: {path} has no column '{column}'; it has {', '.join(names)}")
            kind = file.schema_arrow.field(column).type
            if not (pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)):
                raise UserError(f"{where}.column: '{column}' of {path} must hold text, found {kind}")
            for batch in file.iter_batches(columns=[column]):
                yield from (part for text in batch.column(0).to_pylist() if text for part in text.splitlines())
    except UnicodeDecodeError as error:
        found = error.object[:40].decode("utf-8", "backslashreplace")
        raise UserError(f"{where}.file: column '{column}' of {path} is not UTF-8: it holds '{found}'") from None
    except pa.ArrowException as error:
        raise UserError(f"{where}.file: {path} is not a Parquet file that can be read: {error}") from None


class Corpora(dict[str, Corpus]):
    """The recipe's own corpora by name."""

    def __init__(self, sources: Sequence[CorpusSource]) -> None:
        super().__init__()
        for number, source in enumerate(sources):
            if source.name in self:
                raise UserError(f"corpora.{number}.name: '{source.name}' is given twice")
            self[source.name] = Corpus(source, f"corpora.{number}")

    def identity(self, name: str) -> tuple[str, str | None]:
        """(id for ``Sample.parents``, license) of a corpus: the recipe's, a package's, or ours; else license None."""
        if name in self:
            return f"corpus:{name}@{self[name].sha256[:12]}", self[name].license
        if name in _PACKAGES:
            return f"corpus:{name}@{metadata.version(name)}", _PACKAGES[name]
        if name in _BUILTIN:
            return f"corpus:{name}@{data_sha256()[:12]}", LICENSE
        return f"corpus:{name}", None
