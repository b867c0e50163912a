"""Pictures at the size of their bucket: exactly that size, cut in the middle or where nothing quoted is lost."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trainer.data.resize import resize_to_cover
from trainer.order.bucket import FITS, fit_buckets


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


@pytest.mark.parametrize(
    ("size", "keep"),
    [((1600, 200), (40, 40, 1560, 160)), ((1000, 600), (0, 300, 120, 420)), ((400, 900), (20, 700, 380, 880))],
)
def test_every_pixel_that_a_caption_quotes_is_in_the_result(size: tuple[int, int], keep: tuple[int, ...]) -> None:
    width, height = size
    bucket, outcome = fit_buckets(
        np.array([size]), 256, 1.25, np.array([keep]), np.zeros(1, dtype=bool), np.zeros(1, dtype=bool)
    )
    assert outcome[0] == FITS
    marked = np.zeros((height, width, 3), np.uint8)
    marked[keep[1] : keep[3], keep[0] : keep[2]] = 255
    shown = resize_to_cover(marked, (int(bucket[0, 0]), int(bucket[0, 1])), keep)
    w, h = bucket[0]
    scale = (
        w / width * h / height
        if (w / width) == pytest.approx(h / height, rel=0.06)
        else max(w / width, h / height) ** 2
    )
    expected = (keep[2] - keep[0]) * (keep[3] - keep[1]) * scale
    assert (shown[..., 0] > 127).sum() == pytest.approx(expected, rel=0.04)
    dropped = resize_to_cover(marked, (int(w), int(h)))
    if not np.array_equal(dropped, shown):
        assert (dropped[..., 0] > 127).sum() < 0.98 * expected
