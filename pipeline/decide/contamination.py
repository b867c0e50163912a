"""Decontamination: rows whose captions or text repeat an evaluation's prompts, or whose picture is one of its pictures.

    prompt files ──8 Han characters in a row, 13 words in a row──> hashes ┐
    captions, text of a row ──the same──────────────────────────────────> equal: contaminated_by "file:number"
    pictures ──perceptual hash, within radius bits──────────────────────> contaminated_by "file"

Case, punctuation, spaces, accents, full-width forms, traditional characters, HTML and characters without width do not
count; whoever drops apostrophes or puts spaces in their place is found out, too. 13 words are GPT-3's measure (arXiv 2005.14165, appendix C),
8 characters are about as much Chinese; chosen. A prompt that is shorter counts only where a whole caption or text is
equal to it.
"""

from __future__ import annotations

import hashlib
import html
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from configs.errors import UserError
from configs.pictures import DecodeError, Limits, decode
from pipeline.annotators.measure import phash
from pipeline.decide.evaluation_files import pictures_of, prompts_of

if TYPE_CHECKING:
    import polars as pl
    from opencc import OpenCC

_SHORTEST = 5
"""Characters or words of a whole prompt that is shorter than an n-gram, at least: "sign" is everywhere; chosen."""

_HAN = r"[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\x{20000}-\x{3ffff}]"
_WORD = r"[a-z0-9\u00c0-\u024f]+"
_TAG = r"</?[a-z][^<>]{0,200}>"
_UNSEEN = r"[\p{Mn}\p{Cf}]"
_APOSTROPHE = r"(\w)['’ʼ＇](\w)"

_FACTOR = np.uint64(0x9E3779B97F4A7C15)
"""Of the polynomial hash of an n-gram; odd, so that no bit is lost."""

_PAIRS = 1 << 24
"""Hashes that are compared at once; chosen: 128 MB."""


@dataclass(frozen=True)
class DecontaminateConfig:
    """``prompts``: files of an evaluation, .txt with a prompt a line, .json or .jsonl with values named prompt, caption,
    text or sentence. ``pictures``: files and folders. ``ngram_zh``, ``ngram_en``: Chinese characters, words in a row.
    ``radius``: bits by which perceptual hashes may differ; pictures without the annotator measure have none."""

    prompts: tuple[str, ...] = ()
    pictures: tuple[str, ...] = ()
    ngram_zh: int = 8
    ngram_en: int = 13
    radius: int = 4

    def __post_init__(self) -> None:
        if self.ngram_zh < 2 or self.ngram_en < 2:
            raise ValueError(f"ngram_zh and ngram_en: at least 2, found {self.ngram_zh} and {self.ngram_en}")
        if not 0 <= self.radius <= 16:
            raise ValueError(f"radius: from 0 to 16 bits, found {self.radius}")

    def check(self) -> None:
        """Raise UserError where a file or folder is not there: what is decided without it would be something else."""
        for name in ("prompts", "pictures"):
            for index, path in enumerate(getattr(self, name)):
                if not Path(path).exists():
                    raise UserError(
                        f"field 'decontaminate.{name}.{index}': '{path}' does not exist; put it back, or decide without "
                        f"it: --set decontaminate.{name}=[]"
                    )


@dataclass(frozen=True)
class Evaluation:
    """What must not be trained on. Raises UserError for files that hold nothing of the kind, when they are first used."""

    config: DecontaminateConfig

    @cached_property
    def digest(self) -> str:
        """Of the config and of what its files hold."""
        found = hashlib.sha256(repr((self.config.ngram_zh, self.config.ngram_en, self.config.radius)).encode())
        for label, text in self._prompts:
            found.update(f"{label}\0{text}\0".encode())
        for label, value in zip(*self._pictures, strict=True):
            found.update(f"{label}\0{value}\0".encode())
        return found.hexdigest()

    def names(self, texts: Sequence[Sequence[str]], hashes: np.ndarray | None = None) -> list[str | None]:
        """Of each row what it repeats, or None. ``texts``: its captions and the text in it. ``hashes``: uint64 (N,), 0
        where there is none."""
        found: list[str | None] = [None] * len(texts)
        owners = np.repeat(np.arange(len(texts)), [len(row) for row in texts])
        given = self._grams(text for several in texts for text in several)
        for row, prompt in _matches(given, self._index, owners):
            found[row] = found[row] or self._prompts[prompt][0]
        if hashes is not None:
            for row, picture in self._near(hashes):
                found[row] = found[row] or self._pictures[0][picture]
        return found

    @cached_property
    def _prompts(self) -> list[tuple[str, str]]:
        """(file and number, prompt)."""
        return [pair for path in self.config.prompts for pair in prompts_of(Path(path))]

    @cached_property
    def _index(self) -> tuple[np.ndarray, np.ndarray]:
        """Sorted hashes of all n-grams of the prompts, and the prompt of each."""
        texts = [text for _, text in self._prompts]
        apart = [
            re.sub(_APOSTROPHE, r"\1 \2", text) for text in texts
        ]  # words of a prompt are looked for in both forms
        hashes, owners = self._grams([*texts, *apart])
        order = np.argsort(hashes, kind="stable")
        return hashes[order], owners[order] % max(1, len(texts))

    def _grams(self, texts: Iterable[str]) -> tuple[np.ndarray, np.ndarray]:
        return _grams(texts, self.config.ngram_zh, self.config.ngram_en)

    @cached_property
    def _pictures(self) -> tuple[list[str], np.ndarray]:
        """(names, uint64 hashes)."""
        names, hashes = [], []
        for path in pictures_of(self.config.pictures):
            try:
                hashes.append(phash(decode(path.read_bytes(), Limits())))
            except DecodeError as error:
                raise UserError(f"field 'decontaminate.pictures': '{path}' is no picture: {error}") from None
            names.append(path.name)
        return names, np.array(hashes, np.uint64)

    def _near(self, hashes: np.ndarray) -> Iterator[tuple[int, int]]:
        """(row, picture) of hashes within the radius."""
        known = self._pictures[1]
        step = max(1, _PAIRS // max(1, len(known)))
        for start in range(0, len(hashes) if len(known) else 0, step):
            part = hashes[start : start + step]
            apart = np.bitwise_count(part[:, None] ^ known[None])
            for row, picture in np.argwhere((apart <= self.config.radius) & (part != 0)[:, None]).tolist():
                yield start + row, picture


def contaminated_by(captions: pl.Series, text: pl.Series, hashes: pl.Series, evaluation: Evaluation) -> pl.Series:
    """Of rows what they repeat. ``captions``: lists of schema.CAPTION; null where there is nothing."""
    import polars as pl

    config = evaluation.config
    if not config.prompts and not config.pictures:
        return pl.Series("contaminated_by", [None] * len(text), pl.String)
    texts: list[list[str]] = [[] for _ in range(len(text))]
    if config.prompts:
        rows = zip(captions.to_list(), text.to_list(), strict=True)
        texts = [[*(caption["text"] for caption in row or ()), read or ""] for row, read in rows]
    found = evaluation.names(texts, hashes.fill_null(0).to_numpy() if config.pictures else None)
    return pl.Series("contaminated_by", found, pl.String)


def _grams(texts: Iterable[str], ngram_zh: int, ngram_en: int) -> tuple[np.ndarray, np.ndarray]:
    """Hashes, uint64 (N,), of all runs of so many Chinese characters and of so many words, and the text of each.

    A text with fewer of both, but at least 5 together, has one hash for all of them.
    """
    import polars as pl

    written = (html.unescape(text) if "&" in text else text for text in texts)
    plain = pl.Series("text", [text if text.isascii() else _simplified().convert(text) for text in written], pl.String)
    plain = plain.str.normalize("NFKD").str.to_lowercase()
    for pattern, put in ((_TAG, " "), (_UNSEEN, ""), (_APOSTROPHE, "$1$2")):
        plain = plain.str.replace_all(pattern, put)
    tokens = [_Tokens(plain.str.extract_all(pattern)) for pattern in (_HAN, _WORD)]
    runs = [part.runs(n) for part, n in zip(tokens, (ngram_zh, ngram_en), strict=True)]
    han, words = (part.lengths for part in tokens)
    short = np.flatnonzero((han < ngram_zh) & (words < ngram_en) & (han + words >= _SHORTEST))
    whole = tokens[0].whole(short) * _FACTOR + tokens[1].whole(short)
    return np.concatenate([*(hashes for hashes, _ in runs), whole]), np.concatenate([*(of for _, of in runs), short])


@cache
def _simplified() -> OpenCC:
    from opencc import OpenCC

    return OpenCC("t2s")


class _Tokens:
    """Tokens of texts. ``lists``: of each text its own."""

    def __init__(self, lists: pl.Series) -> None:
        self.lengths = lists.list.len().to_numpy().astype(np.int64)
        self.ends = np.cumsum(self.lengths)
        self.flat = lists.explode().hash(seed=1).to_numpy() if self.lengths.sum() else np.zeros(0, np.uint64)

    def runs(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Hashes of all ``n`` tokens in a row, and their text."""
        left = np.repeat(self.ends, self.lengths) - np.arange(len(self.flat))  # from here to the end of the text
        starts = np.flatnonzero(left >= n)
        hashes = np.zeros(len(starts), np.uint64)
        for step in range(n):
            hashes = hashes * _FACTOR + self.flat[starts + step]
        return hashes, np.repeat(np.arange(len(self.lengths)), self.lengths)[starts]

    def whole(self, texts: np.ndarray) -> np.ndarray:
        """A hash of all tokens of each of ``texts``, which have few."""
        hashes = self.lengths[texts].astype(np.uint64)
        for step in range(int(self.lengths[texts].max(initial=0))):
            there = self.lengths[texts] > step
            places = (self.ends - self.lengths)[texts[there]] + step
            hashes[there] = hashes[there] * _FACTOR + self.flat[places]
        return hashes


def _matches(
    given: tuple[np.ndarray, np.ndarray], index: tuple[np.ndarray, np.ndarray], owners: np.ndarray
) -> Iterator[tuple[int, int]]:
    """(row, prompt) of equal hashes; ``owners``: the row of each text."""
    (hashes, texts), (known, prompts) = given, index
    if not len(known):
        return
    places = np.minimum(np.searchsorted(known, hashes), len(known) - 1)
    hit = np.flatnonzero(known[places] == hashes)
    yield from zip(owners[texts[hit]].tolist(), prompts[places[hit]].tolist(), strict=True)
