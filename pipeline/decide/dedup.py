"""Duplicates: pictures that are there already, each with the copy that is kept.

    real rows ──equal pixels──> duplicates ────────────────────────────────────────────┐
              ──phash within radius──> candidates ──equal text, second look──> duplicates   groups do not chain
    synthetic ──equal (recipe, text, pixels)──> duplicates

A hash only proposes, because signs of one template, flat pages and plain grounds share theirs by the thousand. A
candidate becomes a duplicate when it reads the same and its small copy looks the same, and it is compared with the kept
picture, never with another duplicate.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from pipeline.decide.near import NearRows, greedy_near
from pipeline.decide.same_text import SameText

if TYPE_CHECKING:
    import polars as pl

_SCORES = ("luma", "saturation", "entropy")
"""Scores that must agree for a near duplicate where there are no small copies."""
_DARK = 1e-3
"""Of luma, saturation and entropy: below it differences are taken as if it were this much; chosen."""
_POSITIONS = 65535
"""Steps of luma that narrow the search; chosen: all that 16 bits hold."""

_TOGETHER = 1 << 16
"""Pairs whose small copies are compared at once, 75 MB each; chosen."""

ThumbnailReader = Callable[[Sequence[str], np.ndarray], tuple[np.ndarray, np.ndarray]]
"""(fragments, rows in them) -> (uint8 (N, 1152), bool (N,) whether there is one): pipeline/store/thumbnails.py."""


@dataclass(frozen=True)
class DedupConfig:
    """When two real pictures are the same. All numbers are chosen.

    ``radius``: bits by which perceptual hashes may differ; -1 looks for equal pixels only.
    ``aspect``: relative difference of width / height; ``scores``: relative difference of luma.
    ``pixels``: gray levels by which any cell of the small copies may differ (32 x 32 of luma, 8 x 8 of each color): of a
    picture 1,536 px high at half its size in JPEG of quality 60 nine of ten differ by 5 at most, two signs whose numbers
    are a thirteenth as high as they are by 6 and more. Pictures measured by an older version have no small copy: there
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


def find_duplicates(
    table: pl.DataFrame, config: DedupConfig, first: Collection[str] = (), thumbnails: ThumbnailReader | None = None
) -> pl.DataFrame:
    """(id, duplicate_of) of every row that has a kept copy. ``table``: as ``sample_table`` gives it.

    Kept is one with a valid caption, then the largest picture, then the longest file, then the smallest id; ids in
    ``first``, none of which are copies of each other, come before all others. Rows without ``pixel_sha256`` are unique.
    """
    import polars as pl

    ranked = table.with_columns(
        first=pl.col("id").is_in(pl.Series(list(first), dtype=pl.String).implode()),
        captioned=pl.col("n_captions").fill_null(0) > 0,
        area=pl.col("width").cast(pl.Int64) * pl.col("height"),
    ).sort(["first", "captioned", "area", "bytes_len", "id"], descending=[True, True, True, True, False])
    hashed = ranked.filter(pl.col("pixel_sha256").is_not_null())
    is_real = pl.col("recipe").is_null()
    real, synthetic = hashed.filter(is_real), hashed.filter(~is_real)
    exact = _equal(real, ["pixel_sha256"])
    rest = real.join(exact, on="id", how="anti", maintain_order="left")
    pictures = synthetic.filter(
        pl.col("task") == "t2i"
    )  # two edits may end in the same pixels and still begin with different ones
    found = [exact, _equal(pictures, ["recipe", "text", "pixel_sha256"]), _near(rest, config, thumbnails)]
    return _to_the_kept(pl.concat(found)).sort("id")


def _to_the_kept(found: pl.DataFrame) -> pl.DataFrame:
    """Point copies at the picture that is really kept: that of an exact group may itself be a near duplicate."""
    import polars as pl

    further = found.rename({"id": "duplicate_of", "duplicate_of": "kept"})
    joined = found.join(further, on="duplicate_of", how="left")
    return joined.select("id", duplicate_of=pl.coalesce("kept", "duplicate_of"))


def _equal(ranked: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    """Rows after the first of their key, with that first one."""
    import polars as pl

    several = ranked.filter(pl.struct(key).is_duplicated())  # few, where a window over all rows takes seconds
    first = pl.col("id").first().over(key)
    return several.select("id", duplicate_of=first).filter(pl.col("id") != pl.col("duplicate_of"))


def _near(ranked: pl.DataFrame, config: DedupConfig, thumbnails: ThumbnailReader | None) -> pl.DataFrame:
    import polars as pl

    ranked = ranked.filter(pl.col("phash").is_not_null() & pl.col("luma").is_not_null())
    ids = ranked["id"]
    of = np.arange(len(ranked))
    if config.radius >= 0 and len(ranked) > 1:
        looks = _SecondLook(ranked, config, thumbnails)
        of = greedy_near(looks.rows(), config.radius, looks)
    copies = np.flatnonzero(of != np.arange(len(of)))
    return pl.DataFrame({"id": ids.gather(copies), "duplicate_of": ids.gather(of[copies])})


class _SecondLook:
    """What else must agree of two pictures whose hashes are near. Rows as they are ranked."""

    def __init__(self, ranked: pl.DataFrame, config: DedupConfig, thumbnails: ThumbnailReader | None) -> None:
        self.config, self.thumbnails = config, thumbnails
        self.hashes = ranked["phash"].to_numpy()
        self.aspect = (ranked["width"] / ranked["height"]).to_numpy()
        self.scores = np.column_stack([ranked[n].cast(float).to_numpy() for n in _SCORES])
        self.text = SameText(ranked["text"])
        places = ranked.select("fragment", "fragment_row") if thumbnails else None
        self.fragments = places["fragment"].to_numpy() if places is not None else np.empty(0)
        self.fragment_rows = places["fragment_row"].to_numpy() if places is not None else np.empty(0)

    def rows(self) -> NearRows:
        """Rows of equal text are a group; a row's luma is its place in it."""
        luma, allowed = self.scores[:, 0], self.config.scores
        low = np.minimum(luma * (1 - allowed), luma - allowed * _DARK)
        with np.errstate(divide="ignore", invalid="ignore"):  # ``scores: 1`` allows any
            high = np.maximum(luma / (1 - allowed), luma + allowed * _DARK)
        at, low, high = (
            np.nan_to_num(v * _POSITIONS + wider, nan=_POSITIONS).clip(0, _POSITIONS).astype(np.uint16)
            for v, wider in ((luma, 0), (low, -1), (high, 1))
        )
        return NearRows(self.hashes, self.text.groups, at, low, high)

    def __call__(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """Bool (N,), of pairs of rows of one group."""
        good = np.flatnonzero(self._same_shape(a, b) & self._same_scores(a, b, 1))
        good = good[self.text(a[good], b[good])]
        known, same = self._same_thumbnail(a[good], b[good])
        agree = np.zeros(len(a), bool)
        agree[good] = np.where(known, same, self._same_scores(a[good], b[good], len(_SCORES)))
        return agree

    def _same_shape(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.abs(self.aspect[a] / self.aspect[b] - 1) <= self.config.aspect

    def _same_scores(self, a: np.ndarray, b: np.ndarray, count: int) -> np.ndarray:
        """The first ``count`` of them; a missing score is NaN and agrees with nothing."""
        x, y = self.scores[a, :count], self.scores[b, :count]
        limit = self.config.scores * np.maximum(np.maximum(np.abs(x), np.abs(y)), _DARK)
        return (np.abs(x - y) <= limit).all(axis=1)

    def _same_thumbnail(self, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(whether both rows of a pair have one, whether they look the same)."""
        if self.thumbnails is None or len(a) == 0:
            return np.zeros(len(a), bool), np.zeros(len(a), bool)
        rows, which = np.unique(np.concatenate([a, b]), return_inverse=True)
        small, there = self.thumbnails(self.fragments[rows], self.fragment_rows[rows])
        one, other = which[: len(a)], which[len(a) :]
        same = np.zeros(len(a), bool)
        for start in range(0, len(a), _TOGETHER):
            part = slice(start, start + _TOGETHER)
            unlike = np.abs(small[one[part]].astype(np.int16) - small[other[part]])
            same[part] = unlike.max(axis=1) <= self.config.pixels
        return there[one] & there[other], same
