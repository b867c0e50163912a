"""Rows whose captions or read text hold all of some words.

captions + text ──NFKC, lower case──> counts of each word ──all there──> share of the characters that they make up
"""

from __future__ import annotations

import re
import unicodedata
from typing import TYPE_CHECKING

from configs.errors import UserError

if TYPE_CHECKING:
    import polars as pl

TEXTS = ("captions", "text")
"""Columns that are searched."""


def words_of(text: str) -> list[str]:
    """The words that are looked for, as they are compared. Raises UserError where there are none."""
    words = unicodedata.normalize("NFKC", text).lower().split()
    if not words:
        raise UserError(f"--text '{text}': expected words, separated by spaces")
    return words


def matches(table: pl.DataFrame, words: list[str]) -> pl.DataFrame:
    """(id, score) of the rows that hold all ``words``. ``table``: id, captions, text.

    ``score``: share of the visible characters of a row's texts that the words make up, 0..1 (chosen: a short caption that
    names a thing is about it, a page that mentions it is not). A word of letters of the Latin script matches whole words
    only; Chinese does not separate words, so there it matches anywhere.
    """
    import polars as pl

    captions = pl.col("captions").list.eval(pl.element().struct.field("text")).list.drop_nulls().list.join("\n")
    both = pl.concat_str([captions.fill_null(""), pl.col("text").fill_null("")], separator="\n")
    searched = both.str.normalize("NFKC").str.to_lowercase()
    counts = [pl.col("searched").str.count_matches(_pattern(word)) for word in words]
    length = pl.col("searched").str.replace_all(r"\s", "").str.len_chars()
    found = table.select("id", searched=searched).filter(pl.all_horizontal(count > 0 for count in counts))
    characters = pl.sum_horizontal(count * len(word) for count, word in zip(counts, words, strict=True))
    return found.select("id", score=(characters / length).clip(0, 1).cast(pl.Float32))


def _pattern(word: str) -> str:
    """A regular expression of Polars, whose boundaries are those of words in any script."""
    plain = re.escape(word)
    return rf"\b{plain}\b" if re.fullmatch(r"[\w]*[a-z0-9][\w]*", word, re.ASCII) else plain
