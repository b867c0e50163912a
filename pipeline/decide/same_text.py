"""Whether two pictures read the same, as far as a reader can be trusted.

    text ──NFKC, lower case──> numbers and short Latin words     must be equal
                           └─> the rest: Han, long words ...     may differ by a twentieth

A wrong digit makes another sign, while a reader that takes one of fifty characters for another has read the same page.
"""

from __future__ import annotations

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


class SameText:
    """Of rows of a column of texts, null where nobody has read.

    ``groups``: uint64 (N,); texts of two groups are never the same, and within one all are but for long rests.
    """

    def __init__(self, texts: pl.Series) -> None:
        import polars as pl

        plain = pl.col("text").fill_null("").str.normalize("NFKC").str.to_lowercase()
        word = pl.element()
        is_short = word.str.len_chars() <= _SHORT_LETTERS
        exact = plain.str.extract_all(_WORDS).list.eval(word.filter(is_short | word.str.contains(r"^\p{Nd}")))
        rest = plain.str.replace_all(r"\p{Nd}+", "").str.replace_all(rf"\b[a-z]{{1,{_SHORT_LETTERS}}}\b", "")
        rest = rest.str.replace_all(r"[\s\p{P}\p{S}\p{C}]", "")
        parts = pl.DataFrame({"text": texts}).select(exact=exact.list.join(" "), rest=rest)
        long = pl.col("rest").str.len_chars() > _SURELY_EQUAL
        key = pl.struct("exact", long=long, rest=pl.when(long).then(pl.lit("")).otherwise("rest"))
        self.groups = parts.select(key.hash(seed=0))["exact"].to_numpy().astype(np.uint64)
        self.exact, self.rest = parts["exact"], parts["rest"]
        self.is_long = parts.select(long)["rest"].to_numpy()

    def __call__(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Bool (N,), of pairs of rows of one group."""
        same = np.ones(len(a), bool)
        for pair in np.flatnonzero(self.is_long[a]):
            one, other = self.rest[int(a[pair])], self.rest[int(b[pair])]
            most = int(_ALLOWED * max(len(one), len(other)))
            same[pair] = Levenshtein.distance(one, other, score_cutoff=most) <= most
        return same
