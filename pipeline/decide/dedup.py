"""Duplicates: pictures that are there already, each with the copy that is kept.

    real rows ──equal pixels──> duplicates ──────────────────────────────┐
              ──phash within radius──> candidates ──second check──> duplicates   groups do not chain
    synthetic ──equal (recipe, text, pixels)──> duplicates

A hash only proposes, because flat pages and plain grounds share theirs by the thousand. A candidate becomes a
duplicate when shape and scores agree too, and it is compared with the kept picture, never with another duplicate.
"""

from __future__ import annotations

import itertools
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import polars as pl

_BITS = 64
_SECOND_CHECK = ("luma", "saturation", "entropy")
"""Scores that must agree for a near duplicate; a copy that was resized or recompressed hardly moves them."""


@dataclass(frozen=True)
class DedupConfig:
    """When two real pictures are the same. All numbers are chosen.

    ``radius``: bits by which perceptual hashes may differ; -1 looks for equal pixels only.
    ``aspect``: relative difference of width / height; ``scores``: relative difference of luma,
    saturation and entropy that the second check allows.
    """

    radius: int = 4
    aspect: float = 0.02
    scores: float = 0.03

    def __post_init__(self) -> None:
        if not -1 <= self.radius <= 16:
            raise ValueError(f"field 'radius': must be between -1 and 16 bits, found {self.radius}")
        for name in ("aspect", "scores"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"field '{name}': must be between 0 and 1, found {getattr(self, name)}")


def find_duplicates(table: pl.DataFrame, config: DedupConfig, first: Collection[str] = ()) -> pl.DataFrame:
    """(id, duplicate_of) of every row that has a kept copy. ``table``: as ``sample_table`` gives it.

    Kept is the largest picture, then the longest file, then the smallest id; ids in ``first``, none of which are copies of
    each other, come before all others. Rows without ``pixel_sha256`` are unique.
    """
    import polars as pl

    ranked = table.with_columns(
        area=pl.col("width") * pl.col("height"), first=pl.col("id").is_in(pl.Series(list(first), dtype=pl.String))
    ).sort(["first", "area", "bytes_len", "id"], descending=[True, True, True, False])
    hashed = ranked.filter(pl.col("pixel_sha256").is_not_null())
    is_real = pl.col("recipe").is_null()
    real, synthetic = hashed.filter(is_real), hashed.filter(~is_real)
    exact = _equal(real, ["pixel_sha256"])
    rest = real.join(exact, on="id", how="anti")
    pictures = synthetic.filter(
        pl.col("task") == "t2i"
    )  # two edits may end in the same pixels and still begin with different ones
    found = [exact, _equal(pictures, ["recipe", "text", "pixel_sha256"]), _near(rest, config)]
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

    first = pl.col("id").first().over(key)
    return ranked.select("id", duplicate_of=first).filter(pl.col("id") != pl.col("duplicate_of"))


def _near(ranked: pl.DataFrame, config: DedupConfig) -> pl.DataFrame:
    import polars as pl

    ranked = ranked.filter(pl.col("phash").is_not_null())
    ids = ranked["id"].to_list()
    agree = _Agreement(ranked, config)
    duplicates: dict[int, int] = {}
    for kept, candidate in candidates(ranked["phash"].to_numpy(), config.radius):
        if kept not in duplicates and candidate not in duplicates and agree(kept, candidate):
            duplicates[candidate] = kept
    rows = {"id": [ids[c] for c in duplicates], "duplicate_of": [ids[k] for k in duplicates.values()]}
    return pl.DataFrame(rows, schema={"id": pl.String, "duplicate_of": pl.String})


class _Agreement:
    """The second check of a pair of row numbers."""

    def __init__(self, ranked: pl.DataFrame, config: DedupConfig) -> None:
        self.config = config
        self.aspect = (ranked["width"] / ranked["height"]).to_numpy()
        self.scores = np.column_stack([ranked[n].cast(float).to_numpy() for n in _SECOND_CHECK])

    def __call__(self, a: int, b: int) -> bool:
        if abs(self.aspect[a] / self.aspect[b] - 1) > self.config.aspect:
            return False
        x, y = self.scores[a], self.scores[b]
        limit = self.config.scores * np.maximum(np.maximum(np.abs(x), np.abs(y)), 1e-3)
        return bool(np.all(np.abs(x - y) <= limit))  # a missing score is NaN and agrees with nothing


def candidates(hashes: np.ndarray, radius: int) -> Iterator[tuple[int, int]]:
    """Pairs (i, j), i < j, of row numbers whose 64-bit hashes differ in at most ``radius`` bits, sorted.

    Two such hashes agree on at least one of radius + 1 bands of bits, so only rows that share a band are compared.
    """
    if radius < 0 or len(hashes) < 2:
        return
    hashes = hashes.astype(np.uint64)
    edges = np.linspace(0, _BITS, radius + 2).astype(int)
    pairs: set[tuple[int, int]] = set()
    for low, high in itertools.pairwise(edges):
        band = (hashes >> np.uint64(low)) & np.uint64((1 << int(high - low)) - 1)
        order = np.argsort(band, kind="stable")
        for group in np.split(order, np.flatnonzero(np.diff(band[order])) + 1):
            for position, row in enumerate(group[:-1]):
                others = group[position + 1 :]
                close = others[np.bitwise_count(hashes[others] ^ hashes[row]) <= radius]
                pairs.update((min(int(row), int(o)), max(int(row), int(o))) for o in close)
    yield from sorted(pairs)
