"""Duplicates: pictures that are there already, each with the copy that is kept.

    real rows ──equal pixels──> duplicates ────────────────────────────────────────────┐
              ──phash within radius──> candidates ──equal text, second look──> duplicates   groups do not chain
    synthetic ──equal (recipe, text, pixels)──> duplicates

A hash only proposes, because signs of one template, flat pages and plain grounds share theirs by the thousand. A
candidate becomes a duplicate when it reads the same and its small copy looks the same, and it is compared with the kept
picture, never with another duplicate.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.decide.keys import REAL, RENDERED, SCORES, Keys
from pipeline.decide.near import NearRows, greedy_near
from pipeline.decide.same_text import rests, same_rests

if TYPE_CHECKING:
    import polars as pl

VERSION = "1"
"""Another one when other rows are duplicates of each other."""
_DARK = 1e-3
"""Of luma, saturation and entropy: below it differences are taken as if it were this much; chosen."""
_POSITIONS = 65535
"""Steps of luma that narrow the search; chosen: all that 16 bits hold."""

_TOGETHER, _TEXTS = 1 << 16, 1 << 20
"""Pairs whose small copies are compared at once, 75 MB each, and whose texts are; chosen: each time all parts of the run are
read."""

ThumbnailReader = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Rows, ascending -> (uint8 (N, 1152), bool (N,) whether there is one)."""
TextReader = Callable[[np.ndarray], "pl.Series"]
"""Rows, ascending -> their texts."""


@dataclass(frozen=True)
class DedupConfig:
    """When two real pictures are the same. All numbers are chosen.

    ``radius``: bits by which perceptual hashes may differ; -1 looks for equal pixels only.
    ``aspect``: relative difference of width / height; ``scores``: relative difference of luma.
    ``pixels``: gray levels by which any cell of the small copies may differ (32 x 32 of luma, 8 x 8 of each color): of
    photographs of 400 px and of 800 px and their copies at half the size in JPEG of quality 75 to 85 nine of ten and all do,
    two signs whose numbers are a thirteenth as high as they are differ by 6 and more. Pictures measured by an older version have no small copy: there
    saturation and entropy may differ by ``scores``, too.
    """

    radius: int = 4
    aspect: float = 0.02
    scores: float = 0.03
    pixels: int = 6

    def __post_init__(self) -> None:
        if not -1 <= self.radius <= 16:
            raise ValueError(f"field 'radius': must be between -1 and 16 bits, found {self.radius}")
        for name in ("aspect", "scores"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"field '{name}': must be between 0 and 1, found {getattr(self, name)}")
        if not 0 <= self.pixels <= 255:
            raise ValueError(f"field 'pixels': must be between 0 and 255 gray levels, found {self.pixels}")


def kept_copies(
    keys: Keys,
    captioned: np.ndarray,
    first: np.ndarray,
    config: DedupConfig,
    texts: TextReader,
    thumbnails: ThumbnailReader | None,
    within: np.ndarray | None = None,
) -> np.ndarray:
    """int64 (N,): the row that each is a copy of, itself where it is kept. ``within``: of these rows alone.

    Kept is one with a valid caption (``captioned``), then the largest picture, then the longest file, then the smallest
    id; rows that come ``first``, none of which are copies of each other, come before all others. Rows without
    ``pixel_sha256`` are unique.
    """
    ranked = _rank(keys, captioned, first)
    looked = np.isin(keys["kind"], (REAL, RENDERED))
    ranked = ranked[(looked if within is None else looked & within)[ranked]]
    of = np.arange(keys.count)
    _find_equal(keys, ranked, of)
    near = ranked[keys["hashed"][ranked] & (of[ranked] == ranked)]
    if config.radius >= 0 and len(near) > 1:
        looks = _SecondLook(keys, near, config, texts, thumbnails)
        of[near] = near[greedy_near(looks.rows(), config.radius, looks, looks.confirm)]
    return of[of]  # what an equal one is kept for may itself be a near copy


def _rank(keys: Keys, captioned: np.ndarray, first: np.ndarray) -> np.ndarray:
    """int64 (N,): rows, the best first."""
    import polars as pl

    columns = {"first": first, "captioned": captioned, **{n: keys[n] for n in ("area", "bytes_len", "id_0", "id_1")}}
    down = [True, True, True, True, False, False]
    frame = pl.DataFrame(columns)
    return frame.select(pl.arg_sort_by(frame.columns, descending=down)).to_series().to_numpy().astype(np.int64)


def _find_equal(keys: Keys, ranked: np.ndarray, of: np.ndarray) -> None:
    """Point ``of`` of rows that are equal to an earlier one of ``ranked`` at the first of them."""
    one, other = keys["same_0"][ranked], keys["same_1"][ranked]
    kind = keys["kind"][ranked]
    order = np.lexsort((kind, other, one))  # stable: equal ones stay in order of rank
    changes = [np.diff(values[order]) != 0 for values in (one, other, kind)]
    begins = np.concatenate([[True], np.logical_or.reduce(changes)]) if len(order) else np.empty(0, bool)
    heads = order[begins][np.cumsum(begins) - 1]
    of[ranked[order]] = ranked[heads]


def _pieces(rows: np.ndarray, length: int) -> Iterator[np.ndarray]:
    return (rows[start : start + length] for start in range(0, len(rows), length))


class _SecondLook:
    """What else must agree of two pictures whose hashes are near. Rows by their place in ``ranked``."""

    def __init__(
        self, keys: Keys, ranked: np.ndarray, config: DedupConfig, texts: TextReader, thumbnails: ThumbnailReader | None
    ) -> None:
        self.config, self.texts, self.thumbnails, self.ranked, self.keys = config, texts, thumbnails, ranked, keys

    def rows(self) -> NearRows:
        """Rows of equal text are a group; a row's luma is its place in it."""
        luma, allowed = self.keys[SCORES[0]][self.ranked], self.config.scores
        low = np.minimum(luma * (1 - allowed), luma - allowed * _DARK)
        with np.errstate(divide="ignore", invalid="ignore"):  # ``scores: 1`` allows any
            high = np.maximum(luma / (1 - allowed), luma + allowed * _DARK)
        at, low, high = (
            np.nan_to_num(v * _POSITIONS + wider, nan=_POSITIONS).clip(0, _POSITIONS).astype(np.uint16)
            for v, wider in ((luma, 0), (low, -1), (high, 1))
        )
        return NearRows(self.keys["phash"][self.ranked], self.keys["group"][self.ranked], at, low, high)

    def __call__(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Bool (N,), of pairs of rows of one group: what numbers say."""
        aspect = self.keys["aspect"]
        unlike = np.abs(aspect[self.ranked[a]] / aspect[self.ranked[b]] - 1)
        return (unlike <= self.config.aspect) & self._same_scores(a, b, 1)

    def confirm(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Bool (N,), of pairs for which they agree: what texts and small copies say."""
        agree = np.zeros(len(a), bool)
        for good in _pieces(np.arange(len(a)), _TEXTS):
            good = good[self._same_texts(a[good], b[good])]
            for rows in _pieces(good, _TOGETHER):
                known, same = self._same_thumbnails(a[rows], b[rows])
                agree[rows] = np.where(known, same, self._same_scores(a[rows], b[rows], len(SCORES)))
        return agree

    def _same_texts(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        same = np.ones(len(a), bool)
        long = np.flatnonzero(self.keys["is_long"][self.ranked[a]])
        if len(long):
            rows, one, other = self._distinct(a[long], b[long])
            rest = rests(self.texts(rows))
            same[long] = same_rests(rest.gather(one), rest.gather(other))
        return same

    def _distinct(self, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(rows of the table, ascending; where ``a`` and where ``b`` are among them)."""
        rows, which = np.unique(self.ranked[np.concatenate([a, b])], return_inverse=True)
        return rows, which[: len(a)], which[len(a) :]

    def _same_scores(self, a: np.ndarray, b: np.ndarray, count: int) -> np.ndarray:
        """The first ``count`` of them; a missing score is NaN and agrees with nothing."""
        x, y = (np.column_stack([self.keys[n][self.ranked[rows]] for n in SCORES[:count]]) for rows in (a, b))
        limit = self.config.scores * np.maximum(np.maximum(np.abs(x), np.abs(y)), _DARK)
        return (np.abs(x - y) <= limit).all(axis=1)

    def _same_thumbnails(self, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(whether both rows of a pair have one, whether they look the same)."""
        if self.thumbnails is None or len(a) == 0:
            return np.zeros(len(a), bool), np.zeros(len(a), bool)
        rows, one, other = self._distinct(a, b)
        small, there = self.thumbnails(rows)
        unlike = np.abs(small[one].astype(np.int16) - small[other])
        return there[one] & there[other], unlike.max(axis=1) <= self.config.pixels
