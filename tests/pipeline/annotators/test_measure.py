"""Measures behave as their names say, on a real photograph and on pictures whose answer is known."""

from __future__ import annotations

import io
import itertools
import math

import imagehash
import numpy as np
import pyarrow as pa
import pytest
import skimage.data
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from pipeline import schema
from pipeline.annotators.base import Picture
from pipeline.annotators.measure import (
    LUMA,
    MeasureAnnotator,
    MeasureConfig,
    at_reference,
    blockiness,
    clarity,
    entropy,
    exposure,
    luma,
    phash,
    pixel_sha256,
    saturation,
    texture,
)
from tests.tolerance import rounding

PHOTO = skimage.data.astronaut()
CAT = skimage.data.chelsea()


def gray(pixels: np.ndarray) -> np.ndarray:
    return pixels @ LUMA


def blurred(pixels: np.ndarray, radius: float) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).filter(ImageFilter.GaussianBlur(radius)))


def jpeg(pixels: np.ndarray, quality: int) -> np.ndarray:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return np.asarray(Image.open(buffer))


def resized(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    return np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.LANCZOS))


def noisy(pixels: np.ndarray, sigma: float) -> np.ndarray:
    return np.clip(pixels + np.random.default_rng(0).normal(0, sigma, pixels.shape), 0, 255).astype(np.uint8)


def flat(color: tuple[int, int, int], height: int = 90, width: int = 120) -> np.ndarray:
    return np.full((height, width, 3), color, dtype=np.uint8)


@pytest.mark.parametrize("picture", [PHOTO, CAT])
def test_blur_lowers_clarity_step_by_step(picture: np.ndarray) -> None:
    values = [clarity(gray(blurred(picture, radius) if radius else picture)) for radius in (0, 0.5, 1, 2, 4)]
    assert all(a > 1.5 * b for a, b in itertools.pairwise(values)), values
    assert values[0] > 500 > 100 > values[3]


def test_a_sharp_subject_before_a_blurred_ground_is_clear() -> None:
    portrait = blurred(PHOTO, 6)
    assert clarity(gray(portrait)) < 10
    portrait = portrait.copy()
    portrait[128:384, 128:384] = PHOTO[128:384, 128:384]
    assert clarity(gray(portrait)) > 500


def test_clarity_of_a_checkerboard_is_its_laplacian_squared() -> None:
    board = (np.indices((66, 66)).sum(axis=0) % 2 * 255).astype(np.float32)
    assert clarity(board) == pytest.approx((4 * 255) ** 2)


def test_exposure_counts_what_is_crushed_or_burnt_out() -> None:
    half = np.concatenate([flat((0, 0, 0)), flat((128, 128, 128))])
    assert exposure(gray(flat((128, 128, 128)))) == 0
    assert exposure(gray(half)) == 0.5
    assert exposure(gray(np.concatenate([half, flat((255, 255, 255))]))) == pytest.approx(2 / 3)
    assert exposure(gray(PHOTO)) < 0.2
    for factor in (3.0, 0.05):
        changed = np.clip(PHOTO * factor, 0, 255).astype(np.uint8)
        assert exposure(gray(changed)) > exposure(gray(PHOTO)) + 0.3


@pytest.mark.parametrize("color", [(0, 0, 0), (255, 255, 255)])
def test_a_ground_on_which_something_is_shown_is_not_exposure(color: tuple[int, int, int]) -> None:
    shown = flat(color, 300, 400)
    shown[60:200, 100:280] = resized(CAT, 180, 140)
    assert exposure(gray(shown)) == pytest.approx(
        exposure(gray(resized(CAT, 180, 140))) * 180 * 140 / 120_000, abs=0.01
    )
    assert exposure(gray(flat(color))) == 0


def test_luma_follows_the_exposure() -> None:
    values = [luma(gray((PHOTO * factor).astype(np.uint8))) for factor in (1.0, 0.7, 0.4, 0.1)]
    assert values == sorted(values, reverse=True)
    assert values[3] == pytest.approx(values[0] / 10, abs=0.01)  # cut to whole levels of 255
    assert luma(gray(flat((0, 0, 0)))) == 0
    pixels = flat((0, 0, 0)).shape[0] * flat((0, 0, 0)).shape[1]
    assert luma(gray(flat((255, 255, 255)))) == pytest.approx(1, rel=rounding(pixels))
    assert luma(gray(flat((0, 255, 0)))) == pytest.approx(0.7152, rel=rounding(pixels))


def test_saturation_is_zero_for_grey_and_one_for_pure_colours() -> None:
    assert saturation(flat((77, 77, 77))) == 0
    assert saturation(flat((255, 0, 0))) == 1
    assert saturation(flat((8, 0, 0))) < 0.05  # almost black, whatever HSV says
    mixed = [
        saturation((PHOTO * (1 - k) + PHOTO.mean(axis=2, keepdims=True) * k).astype(np.uint8)) for k in (0, 0.5, 1)
    ]
    assert mixed[0] > 1.8 * mixed[1] > mixed[2] == 0


def test_entropy_counts_colours() -> None:
    assert entropy(flat((12, 200, 33))) == 0
    halves = flat((0, 0, 0))
    halves[:, :60] = 255
    assert entropy(halves) == pytest.approx(1)
    levels = np.arange(0, 256, 16, dtype=np.uint8)
    all_alike = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(64, 64, 3)
    assert entropy(all_alike) == pytest.approx(12)
    assert 5 < entropy(PHOTO) < 10


@pytest.mark.parametrize("sigma", [3.0, 8.0, 20.0])
def test_texture_of_white_noise_is_its_deviation(sigma: float) -> None:
    ramp = np.add.outer(np.linspace(40, 120, 300), np.linspace(0, 90, 400))  # shading is not noise
    rng = np.random.default_rng(1)
    assert texture((ramp + rng.normal(0, sigma, ramp.shape)).astype(np.float32)) == pytest.approx(sigma, rel=0.05)
    assert texture(ramp.astype(np.float32)) < 0.01


def test_noise_raises_texture_step_by_step() -> None:
    values = [texture(gray(noisy(PHOTO, sigma))) for sigma in (0, 4, 8, 16, 32)]
    assert all(b > 1.4 * a for a, b in itertools.pairwise(values)), values


@pytest.mark.parametrize("picture", [PHOTO, CAT])
def test_strong_compression_raises_blockiness(picture: np.ndarray) -> None:
    values = [blockiness(picture), *(blockiness(jpeg(picture, quality)) for quality in (90, 50, 10))]
    assert values == sorted(values)
    assert values[0] < 0.2 < 1 < values[2]
    assert values[3] > 4


def test_the_grid_is_found_wherever_a_crop_or_a_turn_moved_it() -> None:
    worn = jpeg(PHOTO, 20)
    whole = blockiness(worn)
    for moved in (worn[3:, 5:], np.rot90(worn[:, 2:]), worn[7:-2, 1:]):
        assert blockiness(np.ascontiguousarray(moved)) == pytest.approx(whole, rel=0.1)


def test_what_only_looks_like_a_grid_is_none() -> None:
    assert blockiness(flat((90, 10, 10))) == 0
    enlarged = resized(PHOTO, 1024, 1024)
    assert blockiness(enlarged) < 0.3
    assert blockiness(noisy(flat((128, 128, 128), 400, 400), 20)) < 0.5


@pytest.mark.parametrize("name", ["clarity", "luma", "saturation", "entropy", "texture"])
def test_the_resolution_hardly_matters(name: str) -> None:
    scene = resized(skimage.data.astronaut()[:480, :480], 2400, 2400)
    (large,) = MeasureAnnotator().annotate([Picture({}, pixels=scene)])
    (small,) = MeasureAnnotator().annotate([Picture({}, pixels=resized(scene, 800, 800))])
    assert large[name] == pytest.approx(small[name], rel=0.12)


def test_small_pictures_are_not_enlarged() -> None:
    assert at_reference(CAT, 512) is CAT
    assert at_reference(resized(CAT, 1500, 1000), 512).shape == (512, 768, 3)


def test_hashes_are_of_the_pixels_alone() -> None:
    assert pixel_sha256(PHOTO) == pixel_sha256(PHOTO.copy())
    changed = PHOTO.copy()
    changed[0, 0, 0] ^= 1
    assert pixel_sha256(changed) != pixel_sha256(PHOTO)
    assert pixel_sha256(PHOTO.reshape(256, 1024, 3)) != pixel_sha256(PHOTO)  # same bytes, another shape
    assert pixel_sha256(np.rot90(PHOTO, 2)) == pixel_sha256(np.ascontiguousarray(np.rot90(PHOTO, 2)))


@pytest.mark.parametrize("picture", [PHOTO, CAT, flat((3, 4, 5))])
def test_phash_is_imagehashs(picture: np.ndarray) -> None:
    bits = imagehash.phash(Image.fromarray(picture)).hash.flatten()
    assert phash(picture) == sum(int(bit) << (63 - i) for i, bit in enumerate(bits))
    near = jpeg(picture, 60)
    assert (phash(picture) ^ phash(near)).bit_count() <= 6


def test_near_pictures_have_near_hashes_and_others_have_not() -> None:
    assert (phash(PHOTO) ^ phash(resized(PHOTO, 200, 200))).bit_count() <= 4
    assert (phash(PHOTO) ^ phash(CAT)).bit_count() > 16


def test_the_annotator_fills_its_columns_with_what_the_schema_takes() -> None:
    annotator = MeasureAnnotator(MeasureConfig("measure", reference_edge=256))
    rows = annotator.annotate([Picture({}, pixels=p) for p in (PHOTO, CAT)])
    assert [set(row) for row in rows] == [{c.name for c in annotator.columns}] * 2
    assert annotator.columns == tuple(schema.MEASURES.values())
    arrow = schema.arrow(annotator.columns)
    assert pa.Table.from_pylist(rows, schema=arrow).to_pylist()[0]["phash"] == rows[0]["phash"]


@settings(max_examples=40, deadline=None, derandomize=True)
@given(height=st.integers(1, 40), width=st.integers(1, 40), seed=st.integers(0, 5), top=st.sampled_from([1, 256]))
def test_every_size_gives_finite_numbers(height: int, width: int, seed: int, top: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, top, (height, width, 3)).astype(np.uint8)
    (row,) = MeasureAnnotator().annotate([Picture({}, pixels=pixels)])
    assert all(math.isfinite(v) and v >= 0 for v in row.values() if not isinstance(v, str | bytes))
    if top == 1:
        assert [row[k] for k in ("clarity", "luma", "saturation", "entropy", "texture", "blockiness")] == [0.0] * 6
