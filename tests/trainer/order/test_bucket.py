"""Sizes: nine ratios, multiples of 16, drawn-to-size pictures untouched."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.sizes import sizes
from trainer.data.resize import resize_to_cover
from trainer.order.bucket import bucket_of, tokens


@pytest.mark.parametrize("resolution", [256, 640, 1328])
def test_nine_buckets_of_about_the_area(resolution: int) -> None:
    found = sizes(resolution)
    assert len(set(found)) == 9
    for width, height in found:
        assert width % 16 == height % 16 == 0
        assert 0.7 < width * height / resolution**2 < 1.35
    assert found[0] == (round(resolution / 16) * 16,) * 2


def test_the_report_resolutions_give_the_known_numbers_of_tokens() -> None:
    assert [tokens(sizes(r)[0]) for r in (256, 640, 1328)] == [256, 1600, 6889]


def test_pictures_drawn_to_size_keep_it_and_others_go_to_the_nearest_ratio() -> None:
    assert bucket_of(128, 64, 96) == (128, 64)
    assert bucket_of(128, 64, 64) == sizes(64)[6]  # too large at 64: the nearest ratio to 2:1 is 16:9
    assert bucket_of(1000, 990, 256) == (256, 256)
    assert bucket_of(300, 1000, 256) == sizes(256)[7]


@given(st.integers(1, 300), st.integers(1, 300), st.sampled_from([(64, 64), (96, 64), (48, 112)]))
def test_fit_gives_exactly_the_bucket(width: int, height: int, bucket: tuple[int, int]) -> None:
    pixels = np.full((height, width, 3), 77, np.uint8)
    fitted = resize_to_cover(pixels, bucket)
    assert fitted.shape == (bucket[1], bucket[0], 3)
    assert (fitted == 77).all()


def test_fit_cuts_the_centre_and_leaves_the_right_size_alone() -> None:
    pixels = np.zeros((64, 192, 3), np.uint8)
    pixels[:, 64:128] = 255
    assert (resize_to_cover(pixels, (64, 64)) > 200).mean() > 0.9
    square = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    assert resize_to_cover(square, (64, 64)) is square
