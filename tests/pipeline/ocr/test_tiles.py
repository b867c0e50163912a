"""Tiles cover a picture once, whatever its size."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.ocr.tiles import grid, put_core, touched


@settings(max_examples=60, deadline=None, derandomize=True)
@given(height=st.integers(1, 700), width=st.integers(1, 700), edge=st.integers(16, 200))
def test_cores_cover_every_pixel_once_and_lie_inside_of_their_tiles(height: int, width: int, edge: int) -> None:
    counted = np.zeros((height, width), int)
    for tile in grid(height, width, edge, edge // 4):
        (top, left, bottom, right), (y0, x0, y1, x1) = tile.seen, tile.core
        assert 0 <= top <= y0 < y1 <= bottom <= height
        assert 0 <= left <= x0 < x1 <= right <= width
        assert bottom - top <= edge
        assert right - left <= edge
        counted[y0:y1, x0:x1] += 1
    assert (counted == 1).all()


def test_neighbors_see_past_the_seam() -> None:
    first, second = grid(100, 60, 60, 20)
    assert (first.core[2], second.core[0]) == (50, 50)
    assert first.seen[2] - first.core[2] == second.core[0] - second.seen[0] == 10


def test_what_was_computed_by_tiles_is_what_the_whole_holds() -> None:
    whole = np.random.default_rng(0).random((90, 130)).astype(np.float32)
    joined = np.zeros_like(whole)
    for tile in grid(90, 130, 48, 12):
        top, left, bottom, right = tile.seen
        put_core(joined, tile, np.pad(whole[top:bottom, left:right], ((0, 7), (0, 9))))
    assert (joined == whole).all()


def test_only_tiles_with_something_in_them_are_touched() -> None:
    tiles = grid(200, 200, 100, 20)
    mask = np.zeros((50, 50), bool)
    mask[40, 3] = True  # a quarter of the size: y 160, x 12
    assert [tile.core[:2] for tile in touched(tiles, mask, (0.25, 0.25))] == [
        t.core[:2] for t in tiles if t.core[2] > 160 and t.core[1] == 0
    ]
    assert touched(tiles, np.zeros((50, 50), bool), (0.25, 0.25)) == []
