"""Sizes: nine ratios, multiples of 16, drawn-to-size pictures untouched."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from synth.sizes import sizes
from trainer.order.bucket import CUT, FITS, SMALL, THIN, WHOLE, Bucket, fit_buckets, tokens, windows

NOTHING = (0, 0, 0, 0)


def fit(
    size: Bucket,
    resolution: int,
    keep: tuple[int, ...] = NOTHING,
    whole: bool = False,
    drawn: bool = False,
    upscale: float = 1.25,
) -> tuple[Bucket, int]:
    """Bucket and outcome of one picture."""
    arrays = (np.array([keep]), np.array([whole]), np.array([drawn]))
    bucket, outcome = fit_buckets(np.array([size]), resolution, upscale, *arrays)
    return (int(bucket[0, 0]), int(bucket[0, 1])), int(outcome[0])


@pytest.mark.parametrize("resolution", [256, 640, 1328])
def test_nine_buckets_of_about_the_area(resolution: int) -> None:
    found = sizes(resolution)
    assert len(set(found)) == 9
    for width, height in found:
        assert width % 16 == height % 16 == 0
        assert 0.7 < width * height / resolution**2 < 1.35
    assert found[0] == (round(resolution / 16) * 16,) * 2


def test_the_report_resolutions_give_the_known_numbers_of_tokens() -> None:
    assert tokens(np.array([sizes(r)[0] for r in (256, 640, 1328)])).tolist() == [256, 1600, 6889]


def test_pictures_drawn_to_size_keep_it_and_others_go_to_the_nearest_ratio() -> None:
    assert fit((128, 64), 96) == ((128, 64), FITS)
    assert fit((128, 64), 64) == (sizes(64)[6], FITS)  # too large at 64: the nearest ratio to 2:1 is 16:9
    assert fit((1000, 990), 256) == ((256, 256), FITS)
    assert fit((300, 1000), 256) == (sizes(256)[7], FITS)


def test_a_picture_far_below_the_resolution_is_too_small_unless_it_was_drawn_so() -> None:
    for size in ((16, 16), (64, 64), (400, 16), (200, 200)):
        assert fit(size, 256)[1] == SMALL
    assert fit((64, 64), 256, drawn=True) == ((64, 64), FITS)
    assert fit((208, 208), 256) == ((208, 208), FITS)  # would grow 1.23-fold
    assert fit((192, 192), 256)[1] == SMALL
    assert fit((192, 192), 256, upscale=1.4) == ((192, 192), FITS)


def test_a_strip_is_too_thin_though_its_area_would_do() -> None:
    assert fit((4096, 16), 256)[1] == THIN
    assert fit((1600, 16), 256)[1] == SMALL
    assert fit((6400, 64), 256)[1] == THIN


def test_a_banner_whose_caption_quotes_it_is_shown_whole() -> None:
    keep = (60, 40, 1540, 160)
    bucket, outcome = fit((1600, 200), 256, keep)
    assert outcome == FITS
    assert bucket == (768, 96)
    window, holds = windows(np.array([[1600, 200]]), np.array([bucket]), np.array([keep]))
    assert holds.all()
    assert window[0].tolist() == [0, 0, 1600, 200]
    assert fit((1600, 200), 256)[0] == sizes(256)[8]  # nothing quoted: 3:1, cut as ever


def test_a_window_moves_to_the_text_before_another_ratio_is_tried() -> None:
    size, keep = np.array([[1000, 700]]), (100, 650, 300, 700)
    bucket, outcome = fit((1000, 700), 256, keep)
    assert (bucket, outcome) == (sizes(256)[2], FITS)  # 3:2
    window, _ = windows(size, np.array([bucket]), np.array([keep]))
    assert window[0].tolist() == pytest.approx([0, 50, 1000, 700])
    assert fit((1000, 700), 256, (100, 0, 300, 700)) == (
        sizes(256)[4],
        FITS,
    )  # from edge to edge: 4:3 cuts at the sides


def test_text_that_no_window_holds_is_told() -> None:
    assert fit((6000, 130), 128, (0, 0, 6000, 130))[1] == CUT


@given(
    st.integers(40, 3000),
    st.integers(40, 3000),
    st.sampled_from([96, 256, 640]),
    st.lists(st.floats(0, 1), min_size=4, max_size=4),
)
def test_what_the_planner_takes_the_window_holds(width: int, height: int, resolution: int, box: list[float]) -> None:
    left, right = sorted((int(box[0] * (width - 1)), int(box[1] * (width - 1))))
    top, bottom = sorted((int(box[2] * (height - 1)), int(box[3] * (height - 1))))
    keep = (left, top, right + 1, bottom + 1)
    bucket, outcome = fit((width, height), resolution, keep)
    if outcome != FITS:
        return
    window, holds = windows(np.array([[width, height]]), np.array([bucket]), np.array([keep]))
    assert holds.all()
    x0, y0, x1, y1 = window[0]
    assert x0 <= left + 0.51
    assert y0 <= top + 0.51
    assert x1 >= min(right + 1, width) - 0.51
    assert y1 >= min(bottom + 1, height) - 0.51
    assert min(x0, y0) >= 0
    assert x1 <= width + 1e-6
    assert y1 <= height + 1e-6
    assert max(bucket[0] / (x1 - x0), bucket[1] / (y1 - y0)) <= 1.25 + 1e-9


@given(st.integers(60, 3000), st.integers(60, 3000))
def test_the_target_of_an_edit_is_never_cut(width: int, height: int) -> None:
    bucket, outcome = fit((width, height), 256, whole=True)
    if outcome == FITS:
        stretch = bucket[0] / width / (bucket[1] / height)
        assert 1 / 1.0501 <= stretch <= 1.0501
        window, _ = windows(np.array([[width, height]]), np.array([bucket]), np.array([WHOLE]))
        assert window[0].tolist() == [0, 0, width, height]
    else:
        assert width * height < 256**2 or max(width, height) > 8 * min(width, height)
