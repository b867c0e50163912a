"""Whether two pictures read the same, as far as a reader can be trusted.

    text ──NFKC, lower case──> numbers and short Latin words     must be equal
                           └─> the rest: Han, long words ...     may differ by a twentieth

A wrong digit makes another sign, while a reader that takes one of fifty characters for another has read the same page.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

import numpy as np
from rapidfuzz.distance import Levenshtein

if TYPE_CHECKING:
    import polars as pl

_WORDS = r"\p{Nd}+|[a-z]+"
_SHORT_LETTERS = 8
_ALLOWED = 0.05
"""Edits over the length of the longer rest; chosen, as is what counts as short."""
_SURELY_EQUAL = 18
"""A rest of at most so many characters allows no edit, against whatever length."""


def text_groups(texts: pl.Series) -> tuple[np.ndarray, np.ndarray]:
    """(uint64 (N,) groups, bool (N,) whether the rest is long) of texts, null where nobody has read.

    Texts of two groups are never the same, and within one all are but for long rests, which ``same_rests`` compares.
    Groups are equal wherever they are computed.
    """
    import polars as pl

    plain = _plain(texts)
    word = pl.element()
    is_short = word.str.len_chars() <= _SHORT_LETTERS
    exact = plain.str.extract_all(_WORDS).list.eval(word.filter(is_short | word.str.contains(r"^\p{Nd}")))
    rest = rests(texts)
    is_long = rest.str.len_chars() > _SURELY_EQUAL
    key = pl.select(
        pl.concat_str(exact.list.join(" "), pl.lit("\n"), pl.when(is_long).then(pl.lit("\n")).otherwise(rest))
    )
    digests = [hashlib.blake2b(text.encode(), digest_size=8).digest() for text in key.to_series()]
    return np.frombuffer(b"".join(digests), np.uint64), is_long.to_numpy()


def rests(texts: pl.Series) -> pl.Series:
    """What of each text may differ by a little: neither numbers nor short words, nor spaces and marks."""
    rest = _plain(texts).str.replace_all(r"\p{Nd}+", "").str.replace_all(rf"\b[a-z]{{1,{_SHORT_LETTERS}}}\b", "")
    return rest.str.replace_all(r"[\s\p{P}\p{S}\p{C}]", "")


def same_rests(ones: pl.Series, others: pl.Series) -> np.ndarray:
    """Bool (N,), of pairs of long rests."""
    same = np.ones(len(ones), bool)
    for pair, (one, other) in enumerate(zip(ones, others, strict=True)):
        most = int(_ALLOWED * max(len(one), len(other)))
        same[pair] = Levenshtein.distance(one, other, score_cutoff=most) <= most
    return same


def _plain(texts: pl.Series) -> pl.Series:
    return texts.fill_null("").str.normalize("NFKC").str.to_lowercase()
