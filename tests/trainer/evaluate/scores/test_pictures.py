"""PSNR by hand, SSIM against scikit-image's."""

import numpy as np
import pytest
from skimage.metrics import structural_similarity

from trainer.evaluate.scores.pictures import psnr, ssim

RNG = np.random.Generator(np.random.PCG64(0))
A = RNG.integers(0, 256, (40, 50, 3), dtype=np.uint8)


def test_psnr_of_a_constant_error():
    picture = np.full((4, 4, 3), 100, np.uint8)
    assert psnr(picture + 10, picture) == pytest.approx(10 * np.log10(255**2 / 100))
    assert psnr(picture, picture) == 100.0


def test_psnr_where():
    picture, target = A.copy(), A.copy()
    picture[:10] = 0
    outside = np.ones(A.shape[:2], bool)
    outside[:10] = False
    assert psnr(picture, target, outside) == 100.0
    assert psnr(picture, target) < 20


@pytest.mark.parametrize("noise", [0, 5, 60])
def test_ssim_is_scikit_images(noise):
    b = np.clip(A + RNG.normal(0, noise, A.shape), 0, 255).astype(np.uint8)
    expected = structural_similarity(
        A, b, channel_axis=2, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )
    assert ssim(A, b) == pytest.approx(expected, abs=1e-6)
