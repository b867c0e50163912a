"""Duplicates: equal and near pictures have a kept copy, different renderings never do."""

from __future__ import annotations

import hashlib

import imagehash
import numpy as np
import polars as pl

from pipeline.decide.dedup import DedupConfig, candidates, find_duplicates
from synth import Recipe
from tests.pipeline.rows import table


def pairs(frame: pl.DataFrame, **config: float) -> dict[str, str]:
    found = find_duplicates(frame, DedupConfig(**config))  # type: ignore[arg-type]
    return dict(found.iter_rows())


def test_equal_pixels_keep_the_longer_file() -> None:
    frame = table(
        {"id": "a", "pixel_sha256": "x", "bytes_len": 10},
        {"id": "b", "pixel_sha256": "x", "bytes_len": 20},
        {"id": "c", "pixel_sha256": "y"},
    )
    assert pairs(frame) == {"a": "b"}


def test_a_near_hash_needs_the_second_check() -> None:
    near = {"phash": 0b111, "pixel_sha256": "x1"}
    frame = table(
        {"id": "kept", "phash": 0, "width": 1280, "height": 960},
        {"id": "smaller copy", "luma": 0.502, **near},
        {"id": "other shape", "width": 640, "height": 640, **near, "pixel_sha256": "x2"},
        {"id": "other light", "luma": 0.7, **near, "pixel_sha256": "x3"},
        {"id": "unscored", "luma": None, **near, "pixel_sha256": "x4"},
    )
    assert pairs(frame) == {"smaller copy": "kept"}
    assert pairs(frame, radius=2) == {}


def test_groups_do_not_chain() -> None:
    frame = table(
        {"id": "a", "phash": 0b0, "bytes_len": 5},
        {"id": "b", "phash": 0b1111, "bytes_len": 4},
        {"id": "c", "phash": 0b11111111, "bytes_len": 3},  # near b, which is not kept, and far from a
    )
    assert pairs(frame) == {"b": "a"}


def test_copies_follow_their_twin_to_the_kept_picture() -> None:
    frame = table(
        {"id": "best", "phash": 0, "bytes_len": 9},
        {"id": "near", "phash": 1, "bytes_len": 8, "pixel_sha256": "n"},
        {"id": "copy of near", "phash": 1, "bytes_len": 7, "pixel_sha256": "n"},
    )
    assert pairs(frame) == {"near": "best", "copy of near": "best"}


def test_candidates_are_all_pairs_within_the_radius() -> None:
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 2**63, 60, dtype=np.uint64)
    hashes[30:] = hashes[:30] ^ (np.uint64(1) << rng.integers(0, 64, 30).astype(np.uint64))
    wanted = [(i, j) for i in range(60) for j in range(i + 1, 60) if int(hashes[i] ^ hashes[j]).bit_count() <= 3]
    assert len(wanted) >= 30
    assert list(candidates(hashes, 3)) == wanted


def test_2000_renderings_of_different_characters_lose_none() -> None:
    """Their hashes collide by the dozen: a rendered glyph is mostly plain ground."""
    characters = [chr(c) for c in range(0x4E00, 0x4E00 + 2600)]
    settings = ["contents=[{kind: charset, weight: 1, characters: " + "".join(characters) + "}]", "seed=5"]
    recipe = Recipe.load("configs/synth/glyphs.yaml", settings)
    rows, seen = [], set()
    for index in range(3000):
        sample = recipe.render(index)
        if sample.text in seen:
            continue
        seen.add(sample.text)
        rows.append(
            {
                "id": sample.id,
                "recipe": "glyphs",
                "text": sample.text,
                "width": 64,
                "height": 64,
                "phash": int(str(imagehash.phash(sample.image)), 16),
                "pixel_sha256": hashlib.sha256(sample.image.tobytes()).hexdigest(),
                "luma": 0.8,
            }
        )
        if len(rows) == 2000:
            break
    frame = table(*rows)
    assert len(frame) == 2000
    assert sum(1 for _ in candidates(frame["phash"].to_numpy(), 4)) > 50
    assert pairs(frame) == {}


def test_the_same_rendering_twice_is_a_duplicate() -> None:
    one = {"recipe": "r", "text": "A", "pixel_sha256": "x"}
    frame = table(
        {"id": "a", **one}, {"id": "b", **one}, {"id": "c", **one, "text": "B"}, {"id": "d", **one, "recipe": "q"}
    )
    assert pairs(frame) == {"b": "a"}
